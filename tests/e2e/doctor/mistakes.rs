//! Ten mistakes that an operator makes at first contact with each of Scalekit, Keycloak, Entra and
//! Auth0. Each is found by `policy lint` or `doctor`, with its cause and its fix.

use serde_json::{Value, json};

use super::{POLICY, Server, doctor};
use crate::{
    harness::stdout,
    standin::{Mode, Provider, RESOURCE_ID, SECRET},
};

/// One mistake: its name, the settings in `[server]`, further variables, and the changed claims of a
/// token that is examined. `ISSUER` is the address of the stand-in.
struct Mistake {
    name: &'static str,
    server: &'static str,
    variables: &'static [(&'static str, &'static str)],
    token: Option<fn() -> Value>,
}

const fn mistake(name: &'static str, server: &'static str) -> Mistake {
    Mistake { name, server, variables: &[], token: None }
}

impl Mistake {
    const fn with(mut self, variables: &'static [(&'static str, &'static str)]) -> Self {
        self.variables = variables;
        self
    }

    const fn token(mut self, token: fn() -> Value) -> Self {
        self.token = Some(token);
        self
    }
}

const SCALEKIT: &str = "provider = \"scalekit\"";
const GOOD: &[(&str, &str)] =
    &[("SCALEKIT_ENVIRONMENT_URL", "ISSUER"), ("SCALEKIT_RESOURCE_ID", RESOURCE_ID)];

const AT_SCALEKIT: [Mistake; 10] = [
    mistake("no environment", SCALEKIT),
    mistake("no resource id", SCALEKIT).with(&[("SCALEKIT_ENVIRONMENT_URL", "ISSUER")]),
    mistake("the id of a connection", SCALEKIT)
        .with(&[("SCALEKIT_ENVIRONMENT_URL", "ISSUER"), ("SCALEKIT_RESOURCE_ID", "conn_123")]),
    mistake("the id of another server", SCALEKIT)
        .with(&[("SCALEKIT_ENVIRONMENT_URL", "ISSUER"), ("SCALEKIT_RESOURCE_ID", "res_999")]),
    mistake("an environment without https", SCALEKIT).with(&[
        ("SCALEKIT_ENVIRONMENT_URL", "http://acme.scalekit.dev"),
        ("SCALEKIT_RESOURCE_ID", RESOURCE_ID),
    ]),
    mistake("a wrong secret", SCALEKIT).with(&[
        ("SCALEKIT_ENVIRONMENT_URL", "ISSUER"),
        ("SCALEKIT_RESOURCE_ID", RESOURCE_ID),
        ("SCALEKIT_CLIENT_ID", "skc_1"),
        ("SCALEKIT_CLIENT_SECRET", "wrong"),
    ]),
    mistake("a token for another server", SCALEKIT)
        .with(GOOD)
        .token(|| json!({ "iss": "ISSUER", "aud": "res_999" })),
    mistake("a token of another environment", SCALEKIT)
        .with(GOOD)
        .token(|| json!({ "iss": "https://other.scalekit.dev" })),
    mistake("an ID token", SCALEKIT).with(GOOD).token(|| json!({ "iss": "ISSUER", "nonce": "n" })),
    mistake(
        "issuer in the policy",
        "provider = \"scalekit\"\nissuer = \"https://acme.scalekit.dev\"",
    )
    .with(GOOD),
];

const KEYCLOAK: &str = "provider = \"keycloak\"\nissuer = \"ISSUER\"";

const AT_KEYCLOAK: [Mistake; 10] = [
    mistake("no issuer", "provider = \"keycloak\""),
    mistake(
        "the server in place of the realm",
        "provider = \"keycloak\"\nissuer = \"https://sso.invalid\"",
    ),
    mistake(
        "a slash after the realm",
        "provider = \"keycloak\"\nissuer = \"https://sso.invalid/realms/todo/\"",
    ),
    mistake(
        "a realm that is not there",
        "provider = \"keycloak\"\nissuer = \"ISSUER/realms/none\"",
    ),
    mistake("issuer without provider", "issuer = \"ISSUER\""),
    mistake("no audience mapper", KEYCLOAK)
        .token(|| json!({ "iss": "ISSUER", "typ": "Bearer", "aud": "account" })),
    mistake("no audience", KEYCLOAK)
        .token(|| json!({ "iss": "ISSUER", "typ": "Bearer", "aud": null })),
    mistake("an ID token", KEYCLOAK).token(|| json!({ "iss": "ISSUER", "typ": "ID" })),
    mistake("a refresh token", KEYCLOAK).token(|| json!({ "iss": "ISSUER", "typ": "Refresh" })),
    mistake("another host name in the token", KEYCLOAK)
        .token(|| json!({ "iss": "https://localhost:8080/realms/todo", "typ": "Bearer" })),
];

const ENTRA: &str = "provider = \"entra\"\nissuer = \"ISSUER\"\naudience = \"api-id\"\n\
     scope_prefix = \"URL/\"\nregistered = [\"todo:read\", \"todo:write\", \"admin:access\"]";

const AT_ENTRA: [Mistake; 10] = [
    mistake("no issuer", "provider = \"entra\"\nscope_prefix = \"URL/\""),
    mistake(
        "no scope_prefix",
        "provider = \"entra\"\nissuer = \"ISSUER\"\nregistered = [\"todo:read\", \"todo:write\", \"admin:access\"]",
    ),
    mistake(
        "the prefix of the application id",
        "provider = \"entra\"\nissuer = \"ISSUER\"\nscope_prefix = \"api://6731de76/\"\n\
         registered = [\"todo:read\", \"todo:write\", \"admin:access\"]",
    ),
    mistake(
        "every tenant",
        "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/common/v2.0\"\nscope_prefix = \"URL/\"",
    ),
    mistake(
        "no version",
        "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/6731de76\"\nscope_prefix = \"URL/\"",
    ),
    mistake(
        "registered nowhere",
        "provider = \"entra\"\nissuer = \"ISSUER\"\nscope_prefix = \"URL/\"",
    ),
    mistake("a token for Graph", ENTRA).token(|| {
        json!({ "iss": "ISSUER", "aud": "00000003-0000-0000-c000-000000000000", "azpacr": "0",
            "scope": null, "scp": "User.Read" })
    }),
    mistake("a token of version 1", ENTRA).token(|| {
        json!({ "iss": "https://sts.windows.net/6731de76/", "aud": "api-id", "appidacr": "0",
            "scope": null, "scp": "todo:read" })
    }),
    mistake("an ID token", ENTRA)
        .token(|| json!({ "iss": "ISSUER", "aud": "api-id", "scope": null, "client_id": null })),
    mistake("the provider's other name", "provider = \"azure\""),
];

const AUTH0: &str = "provider = \"auth0\"\nissuer = \"ISSUER\"\naudience = \"https://api.example\"\n\
     registered = [\"todo:read\", \"todo:write\", \"admin:access\"]";

const AT_AUTH0: [Mistake; 10] = [
    mistake("no issuer", "provider = \"auth0\""),
    mistake(
        "no slash after the issuer",
        "provider = \"auth0\"\nissuer = \"https://todo.eu.auth0.invalid\"",
    ),
    mistake("registered nowhere", "provider = \"auth0\"\nissuer = \"ISSUER\""),
    mistake(
        "an issuer without https",
        "provider = \"auth0\"\nissuer = \"http://todo.eu.auth0.invalid/\"",
    ),
    mistake("the domain alone", "provider = \"auth0\"\nissuer = \"todo.eu.auth0.com\""),
    mistake("audience without provider", "audience = \"https://api.example\""),
    mistake("a token for user information", AUTH0)
        .token(|| json!({ "iss": "ISSUER", "aud": ["ISSUER/userinfo"] })),
    mistake("an ID token", AUTH0)
        .token(|| json!({ "iss": "ISSUER", "aud": "https://api.example", "nonce": "n" })),
    mistake("a token of another tenant", AUTH0)
        .token(|| json!({ "iss": "https://dev.eu.auth0.com/", "aud": "https://api.example" })),
    mistake("permissions that were not granted", AUTH0).token(|| {
        json!({ "iss": "ISSUER", "aud": "https://api.example", "scope": "openid",
            "permissions": ["todo:read"] })
    }),
];

/// The findings of `policy lint` and of `doctor`, as an operator reads them.
fn found(provider: &Provider, mistake: &Mistake) -> String {
    let at = |text: &str| text.replace("ISSUER", &provider.url);
    let mut server = Server::prepare(&POLICY, &[]);
    let url = server.url();
    let policy = std::fs::read_to_string(server.folder.path().join("policy.toml")).unwrap();
    let settings = at(mistake.server).replace("URL/", &format!("{url}/"));
    let policy = policy.replace("provider = \"embedded\"", &settings);
    std::fs::write(server.folder.path().join("policy.toml"), policy).unwrap();
    for (name, value) in mistake.variables {
        server.set(name, &at(value));
    }
    // No provider on another machine is asked: this proxy is nobody.
    server.set("HTTPS_PROXY", "http://127.0.0.1:9");
    let lint = server.command().args(["policy", "lint"]).output().unwrap();
    let lint = String::from_utf8_lossy(&lint.stderr).into_owned() + &stdout(&lint);
    let wanted = |shown: &&str| {
        let shown = shown.trim_start();
        shown.starts_with("error[") || shown.starts_with("warning[") || shown.starts_with("= help")
    };
    let mut lines: Vec<String> =
        lint.lines().filter(wanted).map(|shown| format!("lint: {}", shown.trim())).collect();
    let token = mistake.token.map(|claims| {
        let claims = at(&claims().to_string());
        provider.token(&serde_json::from_str(&claims).unwrap())
    });
    let output = doctor(&server, token.as_deref());
    let said = stdout(&output) + &String::from_utf8_lossy(&output.stderr);
    let rest = said.lines().filter(|shown| !shown.starts_with("ok"));
    let is_open =
        |shown: &&str| !shown.contains("server is not running") && !shown.trim().is_empty();
    lines.extend(rest.filter(is_open).map(|shown| format!("doctor: {}", shown.trim_end())));
    lines.iter_mut().for_each(leave_the_reason_out);
    lines.retain(|shown| !shown.contains(" server ") || !shown.contains("Connection refused"));
    let port = url.trim_start_matches("http://localhost:").trim_end_matches("/mcp").to_owned();
    let text = lines.join("\n");
    text.replace(&provider.url, "ISSUER").replace(&port, "PORT")
}

/// Leaves out why another machine gave no answer, because each system has its own words for it.
fn leave_the_reason_out(line: &mut String) {
    let Some(url) = line.find("cannot ask https://") else { return };
    let (Some(reason), Some(fix)) = (line[url + 19..].find(": "), line.rfind("; fix: ")) else {
        return;
    };
    line.replace_range(url + 19 + reason..fix, "");
}

fn all(mistakes: &[Mistake]) -> String {
    let provider = Provider::start();
    provider.set(Mode::Good);
    assert_ne!(SECRET, "wrong");
    let each = mistakes.iter().map(|mistake| {
        let found = found(&provider, mistake);
        let is_found = ["doctor: WRONG", "doctor: note   scopes", "lint: error", "lint: warning"];
        let is_found = is_found.iter().any(|words| found.contains(words));
        assert!(is_found, "{} is not found: {found}", mistake.name);
        format!("# {}\n{found}\n", mistake.name)
    });
    each.collect::<Vec<_>>().join("\n")
}

#[test]
fn at_first_contact_with_scalekit() {
    insta::assert_snapshot!(all(&AT_SCALEKIT));
}

#[test]
fn at_first_contact_with_keycloak() {
    insta::assert_snapshot!(all(&AT_KEYCLOAK));
}

#[test]
fn at_first_contact_with_entra() {
    insta::assert_snapshot!(all(&AT_ENTRA));
}

#[test]
fn at_first_contact_with_auth0() {
    insta::assert_snapshot!(all(&AT_AUTH0));
}
