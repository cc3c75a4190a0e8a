//! Several issuers at once, as during a migration.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{lists, policy};
use crate::{
    harness::{Server, run, stderr, stdout},
    keys::keys,
    standin::{Mode, Provider},
};

const BOTH: &str = "provider = \"oidc\"\nissuer = \"NEW\"\naudience = \"new\"\n";

/// A policy in which callers sign in at `new`, and tokens of `old` are still accepted.
fn migration(new: &Provider, old: &Provider) -> String {
    let also = format!(
        "\n[[server.also]]\nprovider = \"keycloak\"\nissuer = \"{}\"\naudience = \"old\"\n\n[scopes]",
        old.url
    );
    policy(&BOTH.replace("NEW", &new.url)).replace("[scopes]", &also)
}

#[test]
fn a_token_is_checked_by_the_issuer_that_it_names() {
    let (new, old) = (Provider::start(), Provider::start());
    let server = Server::with_policy(&migration(&new, &old));
    let of_new = json!({ "iss": new.url, "aud": "new" });
    let of_old = json!({ "iss": old.url, "aud": "old", "typ": "Bearer" });
    assert_eq!(lists(&server, &new.token(&of_new)), 200);
    assert_eq!(lists(&server, &old.token(&of_old)), 200);
    for (near, why) in [
        (json!({ "iss": new.url, "aud": "old" }), "the audience of the other"),
        (json!({ "iss": old.url, "aud": "old" }), "the shape of the other"),
        (json!({ "iss": old.url, "aud": "new", "typ": "Bearer" }), "the audience of the other"),
        (json!({ "iss": format!("{}/", new.url), "aud": "new" }), "nobody's issuer"),
    ] {
        assert_eq!(lists(&server, &new.token(&near)), 401, "{why}");
    }
    let nobody = server.call(&new.token(&json!({ "iss": "https://x" })), "list_todos", &json!({}));
    let expected = format!("{} or {}", new.url, old.url);
    assert!(nobody.challenge("error_description").unwrap().contains(&expected), "{nobody:?}");
    let metadata = server.get("/.well-known/oauth-protected-resource/mcp").json;
    assert_eq!(metadata["authorization_servers"], json!([new.url, old.url]));

    // Each issuer has its own keys: a key that one issuer removes is not taken from the other
    // issuer.
    std::thread::sleep(std::time::Duration::from_secs(11));
    old.set(Mode::Rotated);
    let unknown = old.sign(&of_old, Algorithm::RS256, "unknown", &keys().rsa);
    assert_eq!(lists(&server, &unknown), 401);
    assert_eq!(lists(&server, &old.token(&of_old)), 401, "its key is gone");
    assert_eq!(lists(&server, &new.token(&of_new)), 200);
}

/// `ada` at one issuer is another person than `ada` at another issuer, with separate todos.
#[test]
fn the_same_subject_of_two_issuers_is_two_people() {
    let (new, old) = (Provider::start(), Provider::start());
    let server = Server::with_policy(&migration(&new, &old));
    let scope = "todo:read todo:write";
    let here = new.token(&json!({ "iss": new.url, "aud": "new", "scope": scope }));
    let there =
        old.token(&json!({ "iss": old.url, "aud": "old", "typ": "Bearer", "scope": scope }));
    let todo = server.call(&here, "create_todo", &json!({ "title": "Here" })).result().clone();
    let id = json!({ "id": todo["id"] });
    assert_eq!(server.call(&there, "list_todos", &json!({})).result()["todos"], json!([]));
    assert_eq!(server.call(&there, "get_todo", &id).json["result"]["isError"], true);
    assert_eq!(server.call(&there, "delete_todo", &id).json["result"]["isError"], true);
    assert_eq!(server.call(&here, "get_todo", &id).result()["title"], "Here");
}

/// A subject is the same person, whichever of its two issuers Scalekit writes into the token.
#[test]
fn two_spellings_of_one_issuer_are_one_person() {
    let provider = Provider::start();
    let server = super::scalekit(&provider);
    let scope = "todo:read todo:write";
    let one = provider.token(&json!({ "scope": scope }));
    let other = provider.token(&json!({ "scope": scope, "iss": provider.url }));
    server.call(&one, "create_todo", &json!({ "title": "Mine" })).result();
    let todos = server.call(&other, "list_todos", &json!({})).result()["todos"].clone();
    assert_eq!(todos[0]["title"], "Mine");
}

#[test]
fn ambiguous_and_incomplete_providers_are_refused() {
    let also = |text: &str| {
        let also = format!("\n[[server.also]]\n{text}\n\n[scopes]");
        policy("provider = \"oidc\"\nissuer = \"https://a.example\"").replace("[scopes]", &also)
    };
    for (text, says) in [
        ("provider = \"okta\"\nissuer = \"https://a.example\"", "two providers have the issuer"),
        ("provider = \"okta\"", "provider = \"okta\" needs its issuer"),
        ("issuer = \"https://b.example\"", "does not say which provider it accepts"),
        ("provider = \"embedded\"", "the embedded issuer cannot be a further one"),
        ("provider = \"okto\"", "did you mean \"okta\"?"),
        ("provider = \"oauth\"\nissuer = \"http://b.example\"", "must begin with https://"),
        ("provider = \"okta\"\nisuer = \"https://b.example\"", "did you mean `issuer`?"),
        ("provider = \"google\"", "the id of the OAuth client"),
    ] {
        let output = run(&also(text), &["policy", "check"]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(stderr(&output).contains(says), "{text}: {}", stderr(&output));
    }
    let two = "provider = \"google\"\naudience = \"c\"\n\n[[server.also]]\nprovider = \"google\"\naudience = \"d\"\nissuer = \"https://g.example\"";
    let output = run(&also(two), &["policy", "check"]);
    assert!(stderr(&output).contains("two providers have opaque tokens"), "{}", stderr(&output));
}

/// Settings in `[server]`, the table of a further provider, and the variables of the deployment.
type Setup = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const LOGIN: &str = "provider = \"oidc\"\nissuer = \"https://a.example\"";
const PUBLIC: &[(&str, &str)] = &[("MCP_URL", "https://todos.example.com/mcp")];
const ISSUER: (&str, &str) = ("ISSUER_URL", "https://a.example");

/// Each of these starts no server, and `policy lint` says so before, in the same words.
const REFUSED: &[(Setup, &str)] = &[
    (
        ("provider = \"google\"\nregistered = [\"todo:read\"]", "", &[]),
        "the id of the OAuth client",
    ),
    (
        ("provider = \"cognito\"\nissuer = \"https://c.example\"", "", &[]),
        "the id of the OAuth client",
    ),
    (("provider = \"auth0\"", "", &[]), "needs its issuer"),
    ((LOGIN, "provider = \"okta\"", &[]), "provider = \"okta\" needs its issuer"),
    ((LOGIN, "provider = \"okta\"", &[ISSUER]), "provider = \"okta\" needs its issuer"),
    (
        (LOGIN, "provider = \"okta\"\nissuer = \"https://a.example\"", &[]),
        "two providers have the issuer https://a.example",
    ),
    (
        ("provider = \"oidc\"", "provider = \"okta\"\nissuer = \"https://a.example\"", &[ISSUER]),
        "two providers have the issuer https://a.example",
    ),
    (
        (
            "provider = \"google\"\naudience = \"c\"",
            "provider = \"oauth\"\nissuer = \"https://b.example\"\nopaque = true",
            &[],
        ),
        "two providers have opaque tokens",
    ),
    (("issuer = \"https://a.example\"", "", &[]), "`issuer` has no effect without `provider`"),
    (
        ("provider = \"scalekit\"\naudience = \"res_1\"", "", &[]),
        "`audience` has no effect with Scalekit",
    ),
    (("provider = \"embedded\"", "", PUBLIC), "https://todos.example.com/mcp is not loopback"),
    (
        ("provider = \"embedded\"", "", &[("BASE_URL", "https://todos.example.com/mcp")]),
        "https://todos.example.com/mcp is not loopback",
    ),
    (("provider = \"embedded\"", "", &[("HOST", "0.0.0.0")]), "0.0.0.0 is not loopback"),
    (("provider = \"embedded\"", "", &[ISSUER]), "ISSUER_URL is set, and has no effect"),
    (("provider = \"scalekit\"", "", &[ISSUER]), "ISSUER_URL is set, and has no effect"),
    (
        (LOGIN, "", &[("INTROSPECTION_URL", "https://a.example/introspect")]),
        "INTROSPECTION_URL is set, and has no effect",
    ),
    (
        (LOGIN, "", &[("INTROSPECTION_CLIENT_SECRET_FILE", "secret")]),
        "INTROSPECTION_CLIENT_SECRET_FILE is set, and has no effect",
    ),
    (
        ("provider = \"oidc\"", "", &[("ISSUER_URL", "http://a.example")]),
        "ISSUER_URL: http://a.example is not an https URL",
    ),
    (
        ("provider = \"scalekit\"", "", &[("SCALEKIT_ENVIRONMENT_URL", "acme.scalekit.dev")]),
        "SCALEKIT_ENVIRONMENT_URL: acme.scalekit.dev is not an https URL",
    ),
    (
        (
            "provider = \"scalekit\"",
            "",
            &[
                ("SCALEKIT_ENVIRONMENT_URL", "https://acme.scalekit.dev"),
                ("SCALEKIT_RESOURCE_ID", "res_1"),
                ("SCALEKIT_CLIENT_SECRET", "a"),
                ("SCALEKIT_CLIENT_SECRET_FILE", "b"),
            ],
        ),
        "SCALEKIT_CLIENT_SECRET and SCALEKIT_CLIENT_SECRET_FILE are both set",
    ),
    (("provider = \"embedded\"", "", &[("MCP_URL", "http://todos.example.com/mcp")]), "MCP_URL is"),
];

#[test]
fn the_lint_finds_what_the_server_refuses() {
    for ((keys, also, variables), says) in REFUSED {
        let mut policy = policy(keys);
        if !also.is_empty() {
            // A table below `[server]` stands after all of its keys.
            policy = policy.replace("[scopes]", &format!("[[server.also]]\n{also}\n\n[scopes]"));
        }
        let server = Server::prepare(&policy, variables);
        let said = |arguments: &[&str]| {
            let output = server.command().args(arguments).output().unwrap();
            (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
        };
        for arguments in
            [&["serve"][..], &["policy", "check"], &["policy", "lint", "--deny", "warning"]]
        {
            let (code, said) = said(arguments);
            assert_ne!(code, 0, "{keys} {also} {variables:?}: {arguments:?}");
            assert!(said.contains(says), "{keys} {also} {variables:?}: {arguments:?}: {said}");
        }
    }
}

/// The lint judges the URL of the deployment that it runs in, and says which URL it judged.
#[test]
fn the_lint_judges_the_url_of_the_deployment() {
    const ENTRA: &str = "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/t/v2.0\"\n\
         scope_prefix = \"https://todos.example.com/mcp/\"\n\
         registered = [\"todo:read\", \"todo:write\", \"admin:access\"]";
    let server = Server::prepare(&policy(ENTRA), &[]);
    let lint = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = server.command();
        command.args(["policy", "lint", "--deny", "warning"]).args(arguments);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
    };
    let (code, said) = lint(&[], &[]);
    assert!(code == 1 && said.contains("AADSTS9010010"), "the policy's own URL: {said}");
    for (arguments, variables) in [
        (&[][..], PUBLIC),
        (&[], &[("BASE_URL", "https://todos.example.com/mcp")]),
        (&["--url", "https://todos.example.com/mcp"], &[]),
        // A URL without a path names the server alone.
        (&[], &[("MCP_URL", "https://todos.example.com/")]),
    ] {
        let (code, said) = lint(arguments, variables);
        assert_eq!(code, 0, "{arguments:?} {variables:?}: {said}");
        assert!(said.contains("judged at https://todos.example.com/mcp"), "{said}");
    }
    let other = [("MCP_URL", "https://other.example.com/mcp")];
    let (code, said) = lint(&["--format", "json"], &other);
    assert!(
        code == 1 && said.contains("https://other.example.com/mcp is the URL of this deployment"),
        "{said}"
    );
    std::fs::write(server.folder.path().join(".env"), "MCP_URL=https://todos.example.com/mcp\n")
        .unwrap();
    let (code, said) = lint(&[], &[]);
    assert!(code == 0 && said.contains("judged at https://todos.example.com/mcp"), "{said}");
}

/// Scopes of OpenID Connect are the provider's, wherever they are registered.
#[test]
fn scopes_about_signing_in_are_left_alone() {
    let standard = ["openid", "profile", "email", "address", "phone", "offline_access"];
    let registered = format!(
        "provider = \"oidc\"\nissuer = \"https://a.example\"\nregistered = [\"todo:read\", \
         \"todo:write\", \"admin:access\", \"{}\"]",
        standard.join("\", \"")
    );
    let output = run(&policy(&registered), &["policy", "lint", "--deny", "warning"]);
    let said = stdout(&output) + &stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");

    let listed =
        Server::prepare(&policy("provider = \"oidc\"\nissuer = \"https://a.example\""), &[]);
    let snapshot = format!(
        "version = 1\nresource = \"{}\"\nissuer = \"https://a.example\"\npulled_at = \
         \"2099-01-01T00:00:00Z\"\nscopes = [\"todo:read\", \"todo:write\", \"admin:access\", \"{}\"]\n",
        listed.url(),
        standard.join("\", \"")
    );
    std::fs::write(listed.folder.path().join("registered-scopes.toml"), snapshot).unwrap();
    let output = listed.command().args(["policy", "lint"]).output().unwrap();
    let said = stdout(&output) + &stderr(&output);
    assert!(!said.contains("unused-scope"), "{said}");
}
