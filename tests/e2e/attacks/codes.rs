//! Authorization codes, PKCE and refresh tokens in the wrong hands.

use super::attacks;
use crate::{
    harness::Server,
    issuer::{
        REDIRECT, VERIFIER, authorize_url, challenge, client, code, exchange, get_page, parameter,
        redirected, refresh, text, token,
    },
};

/// Asserts that a sign-in with these changed parameters is sent back to its own client with an
/// error and without a code.
fn sign_in_fails(source: &str, changes: &[(&str, &str)], status: u16, says: &str) {
    let server = Server::start();
    let reply = get_page(&authorize_url(&server, &client(&server), changes));
    assert_eq!(reply.status, status, "{source}: {reply:#?}");
    let answer = redirected(&reply);
    assert_eq!(parameter(&answer, "error").as_deref(), Some(says), "{source}");
    assert_eq!(parameter(&answer, "code"), None, "{source}");
    // RFC 9207: `iss` tells a client of several issuers which issuer answers.
    assert_eq!(parameter(&answer, "iss"), Some(server.origin()), "{source}");
}

/// Asserts that the exchange of a code fails with these changed parameters.
fn exchange_fails(source: &str, changes: &[(&str, &str)], status: u16, says: &str) {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read"]);
    let reply = exchange(&server, &client, &code, changes);
    assert_eq!((reply.status, reply.json["error"].as_str()), (status, Some(says)), "{source}");
    assert!(reply.json["access_token"].is_null(), "{source}");
}

attacks! { sign_in_fails;
    pkce_missing: "RFC 9700, 2.1.1", &[("code_challenge", ""), ("code_challenge_method", "")] => 303, "invalid_request";
    pkce_plain: "RFC 9700, 2.1.1", &[("code_challenge_method", "plain")] => 303, "invalid_request";
    pkce_downgraded: "RFC 9700, 4.8.2", &[("code_challenge_method", "")] => 303, "invalid_request";
    pkce_plain_with_the_verifier: "RFC 7636, 7.2", &[("code_challenge", VERIFIER), ("code_challenge_method", "plain")] => 303, "invalid_request";
    pkce_in_lower_case: "RFC 7636, 4.3", &[("code_challenge_method", "s256")] => 303, "invalid_request";
    pkce_too_short: "RFC 7636, 4.2", &[("code_challenge", "abc")] => 303, "invalid_request";
    pkce_of_other_letters: "RFC 7636, 4.2", &[("code_challenge", "ééééééééééééééééééééééééééééééééééééééééééé")] => 303, "invalid_request";
    implicit: "RFC 9700, 2.1.2", &[("response_type", "token")] => 303, "unsupported_response_type";
    hybrid: "RFC 9700, 2.1.2", &[("response_type", "code token")] => 303, "unsupported_response_type";
    id_token: "RFC 9700, 2.1.2", &[("response_type", "id_token")] => 303, "unsupported_response_type";
    no_response_type: "RFC 6749, 4.1.1", &[("response_type", "")] => 303, "unsupported_response_type";
    another_resource: "RFC 8707, 2", &[("resource", "https://other.example/mcp")] => 303, "invalid_target";
    a_resource_that_begins_like_it: "RFC 8707, 2", &[("resource", "http://localhost")] => 303, "invalid_target";
    scopes_that_nobody_has: "RFC 6749, 3.3", &[("scope", "root *")] => 303, "invalid_scope";
}

attacks! { exchange_fails;
    without_a_verifier: "RFC 9700, 2.1.1", &[("code_verifier", "")] => 400, "invalid_request";
    with_another_verifier: "RFC 7636, 4.6", &[("code_verifier", "9123456789-0123456789-0123456789-0123456789")] => 400, "invalid_grant";
    with_the_challenge_as_verifier: "RFC 7636, 4.6", &[("code_verifier", &challenge(VERIFIER))] => 400, "invalid_grant";
    with_a_longer_verifier: "RFC 7636, 4.1", &[("code_verifier", &VERIFIER.repeat(4))] => 400, "invalid_grant";
    with_another_redirect: "RFC 6749, 4.1.3", &[("redirect_uri", "http://127.0.0.1:7778/callback")] => 400, "invalid_grant";
    by_nobody: "RFC 6749, 4.1.3", &[("client_id", "nobody")] => 401, "invalid_client";
    by_a_client_without_a_name: "RFC 6749, 4.1.3", &[("client_id", "")] => 401, "invalid_client";
    for_another_resource: "RFC 8707, 2.2", &[("resource", "https://other.example/mcp")] => 400, "invalid_target";
    a_code_of_nobody: "RFC 6749, 4.1.3", &[("code", "nonsense")] => 400, "invalid_grant";
    no_code: "RFC 6749, 4.1.3", &[("code", "")] => 400, "invalid_request";
    by_password: "RFC 9700, 2.4", &[("grant_type", "password")] => 400, "unsupported_grant_type";
    by_exchange: "RFC 8693", &[("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")] => 400, "unsupported_grant_type";
}

/// RFC 9700, 4.5; RFC 6749, 4.1.2: a replayed code is refused, and its tokens are revoked.
#[test]
fn a_code_that_is_replayed() {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read"]);
    let first = exchange(&server, &client, &code, &[]);
    let again = exchange(&server, &client, &code, &[]);
    assert_eq!((again.status, again.json["error"].as_str()), (400, Some("invalid_grant")));
    let reply = refresh(&server, &client, text(&first, "refresh_token"), "");
    assert_eq!((reply.status, reply.json["error"].as_str()), (400, Some("invalid_grant")));
}

/// RFC 6749, 10.5: a code works only for its own client.
#[test]
fn a_code_of_another_client() {
    let server = Server::start();
    let (one, other) = (client(&server), client(&server));
    let code = code(&server, &one, &["todo:read"]);
    let reply = exchange(&server, &other, &code, &[]);
    assert_eq!((reply.status, reply.json["error"].as_str()), (400, Some("invalid_grant")));
}

/// RFC 9700, 4.14.2: a replayed refresh token is refused, and its successor is revoked. The token that
/// was replaced last is answered as before for ten seconds, so an older one is replayed here.
#[test]
fn a_refresh_token_that_is_replayed() {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read"]);
    let first = exchange(&server, &client, &code, &[]);
    let stolen = text(&first, "refresh_token").to_owned();
    let next = refresh(&server, &client, &stolen, "");
    let next = refresh(&server, &client, text(&next, "refresh_token"), "");
    assert_eq!(next.status, 200);
    assert_eq!(refresh(&server, &client, &stolen, "").json["error"], "invalid_grant");
    let ended = refresh(&server, &client, text(&next, "refresh_token"), "");
    assert_eq!((ended.status, ended.json["error"].as_str()), (400, Some("invalid_grant")));
}

/// RFC 6749, 10.4: a refresh token works only for its own client.
#[test]
fn a_refresh_token_of_another_client() {
    let server = Server::start();
    let (one, other) = (client(&server), client(&server));
    let code = code(&server, &one, &["todo:read"]);
    let granted = exchange(&server, &one, &code, &[]);
    let reply = refresh(&server, &other, text(&granted, "refresh_token"), "");
    assert_eq!((reply.status, reply.json["error"].as_str()), (400, Some("invalid_grant")));
}

/// RFC 6749, 6: a refresh cannot ask for more scopes than were granted.
#[test]
fn a_refresh_that_asks_for_more() {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read"]);
    let granted = exchange(&server, &client, &code, &[]);
    let reply = refresh(&server, &client, text(&granted, "refresh_token"), "todo:write");
    assert_eq!((reply.status, reply.json["error"].as_str()), (400, Some("invalid_scope")));
}

/// RFC 6749, 3.1 and 3.2: a parameter that is given twice is refused.
#[test]
fn parameters_that_are_given_twice() {
    let server = Server::start();
    let client = client(&server);
    let url = authorize_url(&server, &client, &[]);
    let reply = get_page(&format!("{url}&redirect_uri=https%3A%2F%2Fevil.example"));
    assert_eq!((reply.status, reply.header("location")), (400, ""));
    let code = code(&server, &client, &["todo:read"]);
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("code", &code),
        ("code", &code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ];
    let reply = token(&server, &form);
    assert_eq!((reply.status, reply.json["error"].as_str()), (400, Some("invalid_request")));
}

/// CWE-208: a secret that is nearly right gets the same response as any wrong secret.
/// `secret::same` compares secrets in a time that does not depend on the number of equal bytes.
#[test]
fn a_secret_that_is_nearly_right() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let policy = format!(
        "{}\n[[client]]\nid = \"machine\"\nscopes = [\"todo:read\"]\nsecret_env = \"MACHINE\"\n",
        *crate::harness::POLICY
    );
    let server = Server::with_settings(&policy, &[("MACHINE", SECRET)]);
    let ask = |secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", secret),
        ];
        token(&server, &form)
    };
    assert_eq!(ask(SECRET).status, 200);
    let wrong = ask("x");
    for secret in [&SECRET[..31], &format!("{SECRET}0"), &SECRET.to_uppercase(), "", " "] {
        let reply = ask(secret);
        assert_eq!((reply.status, &reply.text), (401, &wrong.text), "{secret:?}");
    }
}
