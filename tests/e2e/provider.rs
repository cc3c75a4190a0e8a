//! External providers: the tokens that are accepted from each, and the server's behavior when a
//! provider fails.

mod faults;
mod opaque;
mod scalekit;
mod several;
mod shapes;

use serde_json::json;

use crate::{
    harness::{POLICY, Server, run, stderr, stdout},
    standin::Provider,
};

fn policy(provider: &str) -> String {
    POLICY.replace("provider = \"embedded\"", provider)
}

fn scalekit(provider: &Provider) -> Server {
    Server::with_settings(&policy("provider = \"scalekit\""), &provider.settings())
}

fn lists(server: &Server, token: &str) -> u16 {
    server.call(token, "list_todos", &json!({})).status
}

#[test]
fn providers_are_listed_and_shown() {
    let output = run(&POLICY, &["provider", "list"]);
    let text = stdout(&output);
    for word in ["scalekit", "auth0", "keycloak", "entra", "okta", "workos", "descope", "cognito"] {
        assert!(text.lines().any(|line| line.starts_with(word)), "{text}");
    }
    let output = run(&POLICY, &["provider", "show", "cognito"]);
    assert!(stdout(&output).contains("  audience      client_id: the app client's id\n"));
    let output = run(&POLICY, &["provider", "show", "cognitor"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `cognito`?"));
}

#[test]
fn settings_that_are_missing_are_named() {
    for (policy, says) in [
        (policy("provider = \"scalekit\""), "SCALEKIT_ENVIRONMENT_URL"),
        (policy("provider = \"oidc\""), "ISSUER_URL"),
        (policy("provider = \"oidc\"\nissuer = \"http://as.example\""), "must begin with https"),
    ] {
        let server = Server::prepare(&policy, &[]);
        let output = server.command().args(["policy", "check"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{output:?}");
    }
}

#[test]
fn any_provider_is_found_by_its_issuer() {
    let provider = Provider::start();
    let policy =
        policy(&format!("provider = \"oidc\"\nissuer = \"{}\"\naudience = \"api\"", provider.url));
    let server = Server::with_settings(&policy, &[]);
    let good = json!({ "iss": provider.url, "aud": "api", "scope": null, "scp": ["todo:read"] });
    assert_eq!(lists(&server, &provider.token(&good)), 200);
    let mut for_the_url = good.clone();
    for_the_url["aud"] = json!(server.url());
    assert_eq!(lists(&server, &provider.token(&for_the_url)), 401, "the policy says `api`");

    let file = server.folder.path().join("token");
    std::fs::write(&file, provider.token(&good)).unwrap();
    let arguments =
        ["policy", "explain", "--tool", "list_todos", "--token", file.to_str().unwrap()];
    let output = server.command().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = server.command().args(["token", "--scope", "todo:read"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "tokens are the provider's to make");
}
