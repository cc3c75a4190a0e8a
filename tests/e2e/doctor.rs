//! `doctor` finds and explains each of the issues that Scalekit's guide lists (docs.scalekit.com,
//! "`FastMCP` quickstart", "Common issues"), and further mistakes.

mod messages;
mod mistakes;
mod same;

use std::{fs, process::Output};

use serde_json::json;

use crate::{
    harness::{POLICY, Server, stdout},
    standin::{ALL, Mode, Provider, RESOURCE_ID, SECRET},
};

fn scalekit() -> String {
    POLICY.replace("provider = \"embedded\"", "provider = \"scalekit\"")
}

fn doctor(server: &Server, token: Option<&str>) -> Output {
    let mut command = server.command();
    command.arg("doctor");
    if let Some(token) = token {
        let file = server.folder.path().join("token");
        fs::write(&file, format!("{token}\n")).unwrap();
        command.arg("--token").arg(file);
    }
    command.output().unwrap()
}

/// The worst line about `about`. Also asserts that the exit code fits the output.
fn line(server: &Server, token: Option<&str>, about: &str) -> String {
    let output = doctor(server, token);
    let text = stdout(&output);
    let is_good = !text.lines().any(|line| line.starts_with("WRONG"));
    assert_eq!(output.status.code(), Some(i32::from(!is_good)), "{text}");
    let of = |line: &&str| line.split_whitespace().nth(1) == Some(about);
    // Mistakes come first, then notes.
    let mut lines: Vec<&str> = text.lines().filter(of).collect();
    lines.sort_by_key(|line| (!line.starts_with("WRONG"), line.starts_with("ok")));
    let line = lines.first().unwrap_or_else(|| panic!("nothing about {about}:\n{text}"));
    (*line).to_owned()
}

fn finds(server: &Server, token: Option<&str>, about: &str, says: &[&str]) {
    let line = line(server, token, about);
    for says in says {
        assert!(line.contains(says), "{line}\ndoes not say {says}");
    }
}

#[test]
fn a_deployment_that_works_has_nothing_wrong() {
    let provider = Provider::start();
    let server = Server::with_settings(&scalekit(), &provider.settings());
    let token = provider.token(&json!({ "scope": "todo:write admin:access" }));
    let output = doctor(&server, Some(&token));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let abouts: Vec<(&str, &str)> = text
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    let expected = [
        "settings",
        "audience",
        "url",
        "discovery",
        "sign-in",
        "clock",
        "keys",
        "scopes",
        "policy",
        "server",
        "challenge",
        "browser",
        "token",
        "access",
    ];
    assert_eq!(abouts, expected.map(|about| ("ok", about)), "{text}");
    assert!(!text.contains(&token), "{text}");
}

#[test]
fn the_embedded_issuer_can_be_examined() {
    let server = Server::start();
    let token = server.token("todo:read");
    finds(&server, Some(&token), "provider", &["ok", "the embedded issuer"]);
    finds(&server, Some(&token), "access", &["it may use get_todo, list_todos, todo_stats"]);
    finds(&server, Some("x"), "token", &["WRONG", "without `Bearer` and whole"]);
}

/// "Token validation fails: verify `SCALEKIT_RESOURCE_ID`, check that `MCP_URL` has a trailing
/// slash, ensure that environment variables are loaded."
#[test]
fn token_validation_fails() {
    let provider = Provider::start();
    let mut server = Server::with_settings(&scalekit(), &provider.settings());
    let for_another = provider.token(&json!({ "aud": "res_124" }));
    let says = ["WRONG", "for another resource; its aud must be res_123 or", "fix: "];
    finds(&server, Some(&for_another), "token", &says);
    let elsewhere = provider.token(&json!({ "iss": "https://prod.scalekit.com" }));
    finds(&server, Some(&elsewhere), "token", &["WRONG", "another issuer", "byte by byte"]);
    let old = provider.token(&json!({ "exp": 1 }));
    finds(&server, Some(&old), "token", &["WRONG", "has expired", "sign in again"]);
    let id_token = provider.token(&json!({ "nonce": "n" }));
    finds(&server, Some(&id_token), "token", &["WRONG", "ID token", "the access token of"]);

    let origin = server.origin();
    server.set("MCP_URL", &format!("{origin}/mcp/"));
    finds(&server, None, "url", &["ok", "the slash at the end of MCP_URL makes no difference"]);
    server.set("MCP_URL", &format!("{origin}/"));
    finds(&server, None, "url", &["ok", &format!("{origin}/mcp: "), "the path is the policy's"]);
    finds(&server, None, "server", &["ok"]);

    server.set("SCALEKIT_RESOURCE_ID", "conn_123");
    finds(&server, None, "settings", &["WRONG", "conn_123", "begin with res_"]);
    let unset = Server::prepare(&scalekit(), &[]);
    let says = ["WRONG", "needs SCALEKIT_ENVIRONMENT_URL", "no .env was found"];
    finds(&unset, None, "settings", &says);
    fs::write(unset.folder.path().join(".env"), "SCALEKIT_ENV_URL=https://x.scalekit.com\n")
        .unwrap();
    finds(&unset, None, "settings", &["WRONG", "needs SCALEKIT_ENVIRONMENT_URL", ".env was read"]);
}

/// "Discovery endpoint not found: confirm that the server is running on the correct port, verify
/// that the client uses the base URL and /mcp, check that the network allows connections."
#[test]
fn discovery_is_not_found() {
    let provider = Provider::start();
    let mut server = Server::with_settings(&scalekit(), &provider.settings());
    let url = server.url();
    finds(&server, None, "server", &["ok", &url, "clients connect to exactly this URL"]);
    let origin = server.origin();
    server.set("MCP_URL", &format!("{origin}/elsewhere"));
    finds(&server, None, "server", &["WRONG", "404", "fix: let /.well-known/"]);
    server.set("MCP_URL", &url);
    server.kill();
    let port = server.port.to_string();
    finds(&server, None, "server", &["note", "refused", "start the server, on port", &port]);

    // Mistakes at the provider: another resource, another environment, and no provider at all.
    server.set("SCALEKIT_RESOURCE_ID", "res_124");
    let says = ["WRONG", "its status is 404", "SCALEKIT_RESOURCE_ID against the dashboard's"];
    finds(&server, None, "discovery", &says);
    server.set("SCALEKIT_RESOURCE_ID", RESOURCE_ID);
    provider.set(Mode::Html);
    finds(&server, None, "discovery", &["WRONG", "not JSON", "fix: "]);
    finds(&server, None, "keys", &["WRONG", "not JSON", "fix: "]);
    server.set("SCALEKIT_ENVIRONMENT_URL", "http://127.0.0.1:9");
    finds(&server, None, "discovery", &["WRONG", "refused", "firewall"]);
    let refused = Server::prepare(
        &scalekit(),
        &[("SCALEKIT_ENVIRONMENT_URL", "http://x.scalekit.com"), ("SCALEKIT_RESOURCE_ID", "res_1")],
    );
    finds(&refused, None, "settings", &["WRONG", "is not an https URL"]);
}

/// A provider whose metadata names another issuer than the policy is refused.
#[test]
fn an_issuer_is_compared_byte_by_byte() {
    let provider = Provider::start();
    let policy = POLICY.replace(
        "provider = \"embedded\"",
        &format!("provider = \"oidc\"\nissuer = \"{}/\"", provider.url),
    );
    let server = Server::prepare(&policy, &[]);
    let named = format!("its `issuer` is {0}, not {0}/", provider.url);
    finds(&server, None, "discovery", &["WRONG", &named, "slash at its end"]);
}

/// "Scope errors persist: verify that scopes are defined in the dashboard, check that they match
/// exactly (case-sensitive), ensure that the token was issued with them."
#[test]
fn scope_errors_persist() {
    let provider = Provider::start();
    let mut server = Server::with_settings(&scalekit(), &provider.settings());
    provider.register(&["todo:read", "Todo:Write"]);
    let text = stdout(&doctor(&server, None));
    assert!(text.contains("todo:write is not registered, but Todo:Write is: the case counts"));
    assert!(text.contains("admin:access is not registered, so no token can have it"), "{text}");
    assert!(text.contains("fix: register it at Scalekit, spelled exactly so"), "{text}");
    finds(&server, None, "policy", &["WRONG", "errors that stop the start: ", "policy check"]);
    provider.register(&ALL);
    server.set("SCALEKIT_CLIENT_ID", "skc_1");
    finds(&server, None, "settings", &["note", "only one is set"]);
    server.set("SCALEKIT_CLIENT_SECRET", "wr0ng");
    let says =
        ["WRONG", "its status is 401", "check SCALEKIT_CLIENT_ID and SCALEKIT_CLIENT_SECRET"];
    finds(&server, None, "scopes", &says);
    assert!(!stdout(&doctor(&server, None)).contains("wr0ng"));
    server.set("SCALEKIT_CLIENT_SECRET", SECRET);
    finds(&server, None, "scopes", &["ok", "all 3 scopes of the policy are registered"]);

    let reader = provider.token(&json!({ "scope": "todo:read" }));
    let says = [
        "note",
        "it may use get_todo, list_todos, todo_stats",
        "create_todo (todo:write)",
        "purge_todos (todo:write, admin:access)",
        "sign in again",
    ];
    finds(&server, Some(&reader), "access", &says);
    let shouting = provider.token(&json!({ "scope": "TODO:READ" }));
    finds(&server, Some(&shouting), "token", &["WRONG", "it has TODO:READ, and the policy knows"]);
}

/// "MCP Inspector connection fails: leave the auth fields empty (it registers itself), check the
/// browser console, verify that the server's log shows the attempt."
#[test]
fn inspector_fails() {
    let provider = Provider::start();
    let mut server = Server::with_settings(&scalekit(), &provider.settings());
    finds(&server, None, "sign-in", &["ok", "leave their client id empty"]);
    finds(&server, None, "browser", &["ok", "MCP Inspector's page"]);
    finds(&server, None, "challenge", &["ok", "401"]);
    provider.set(Mode::NoRegistration);
    let says =
        ["note", "MCP Inspector and others fail with an empty client id", "dynamic registration"];
    finds(&server, None, "sign-in", &says);
    // The doctor sees other settings than the running server was started with.
    let other = Provider::start();
    server.set("SCALEKIT_ENVIRONMENT_URL", &other.url);
    finds(&server, None, "server", &["WRONG", "it still sends clients to", "restart it"]);
}

#[test]
fn a_clock_that_is_wrong_is_noticed() {
    let provider = Provider::start();
    let server = Server::prepare(&scalekit(), &provider.settings());
    provider.set(Mode::Behind(600));
    finds(&server, None, "clock", &["WRONG", "s ahead of the provider's", "NTP"]);
    provider.set(Mode::Behind(30));
    finds(&server, None, "clock", &["ok", "s ahead of the provider's"]);
}

#[test]
fn introspection_is_tried() {
    let provider = Provider::start();
    let text = format!("provider = \"oauth\"\nissuer = \"{}\"\nopaque = true", provider.url);
    let policy = POLICY.replace("provider = \"embedded\"", &text);
    let mut server = Server::prepare(&policy, &[("INTROSPECTION_CLIENT_ID", "rs")]);
    finds(&server, None, "settings", &["WRONG", "needs INTROSPECTION_CLIENT_SECRET"]);
    server.set("INTROSPECTION_CLIENT_SECRET", "wr0ng");
    finds(&server, None, "introspect", &["WRONG", "its status is 401", "may introspect"]);
    server.set("INTROSPECTION_CLIENT_SECRET", SECRET);
    finds(&server, None, "introspect", &["ok", "what its opaque tokens are"]);
}

#[test]
fn doctor_changes_no_files() {
    let server = Server::prepare(&POLICY, &[]);
    assert_eq!(doctor(&server, None).status.code(), Some(0));
    let left: Vec<_> = fs::read_dir(server.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the policy: {left:?}");
}

#[test]
fn doctor_names_the_command_that_shows_policy_mistakes() {
    let server = Server::prepare(&POLICY.replace("delete_todo =", "delete_tood ="), &[]);
    finds(&server, None, "policy", &["WRONG", "errors that stop the start: 1", "policy check"]);
    let server = Server::prepare("version = ", &[]);
    finds(&server, None, "policy", &["WRONG", "policy lint"]);
}
