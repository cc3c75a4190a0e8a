//! `doctor --token` and `policy explain --token` say of a token what the server says of it: the same
//! verdict, and the same cause.

use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header, encode};
use serde_json::{Value, json};

use super::{POLICY, Server, doctor};
use crate::{
    harness::{stderr, stdout},
    keys::keys,
    standin::{Mode, Provider, SECRET, change, now},
};

/// A token for the server with these claims changed, and with this header.
fn token(provider: &Provider, server: &Server, changes: &Value, header: &Header) -> String {
    let mut claims = json!({
        "iss": provider.url, "aud": server.url(), "sub": "ada", "client_id": "c", "typ": "Bearer",
        "exp": now() + 600, "scope": "todo:read",
    });
    change(&mut claims, changes);
    encode(header, &claims, &keys().rsa).unwrap()
}

fn header(kid: &str, typ: Option<&str>) -> Header {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.to_owned());
    header.typ = typ.map(str::to_owned);
    header
}

/// The last part of a JWT in place of another one, a text in place of its header, and so on.
fn with_part(token: &str, part: usize, text: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[part] = text;
    parts.join(".")
}

/// Tokens by name: good ones, and ones that are refused for each of the reasons.
fn tokens(provider: &Provider, server: &Server) -> Vec<(&'static str, String)> {
    let usual = header("rsa", Some("JWT"));
    let with = |changes: Value| token(provider, server, &changes, &usual);
    let good = with(json!({}));
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let encrypted = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let roles: Vec<String> = (0..2500).map(|n| format!("department-{n:04}")).collect();
    vec![
        ("good", good.clone()),
        ("good, without scopes", with(json!({ "scope": "" }))),
        ("good, with scopes as a list", with(json!({ "scope": ["todo:read", "todo:write"] }))),
        (
            "good, with the typ of RFC 9068",
            token(provider, server, &json!({}), &header("rsa", Some("at+jwt"))),
        ),
        ("too long", with(json!({ "realm_access": { "roles": roles } }))),
        ("of another audience", with(json!({ "aud": "account" }))),
        ("without audience", with(json!({ "aud": null }))),
        ("of another issuer", with(json!({ "iss": "https://other.example" }))),
        ("without issuer", with(json!({ "iss": null }))),
        ("expired", with(json!({ "exp": now() - 600 }))),
        ("without expiry", with(json!({ "exp": null }))),
        ("not valid yet", with(json!({ "nbf": now() + 600 }))),
        ("from the future", with(json!({ "iat": now() + 600 }))),
        ("without scope claim", with(json!({ "scope": null }))),
        ("with scopes in another claim", with(json!({ "scope": null, "scp": ["todo:read"] }))),
        ("with a malformed scope claim", with(json!({ "scope": 7 }))),
        ("without subject", with(json!({ "sub": null }))),
        (
            "bound to a certificate",
            with(json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } })),
        ),
        (
            "bound to a key",
            with(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })),
        ),
        ("an ID token", with(json!({ "typ": "ID" }))),
        ("an ID token with a nonce", with(json!({ "nonce": "n" }))),
        ("of another typ", token(provider, server, &json!({}), &header("rsa", Some("logout+jwt")))),
        (
            "signed with an unknown key",
            token(provider, server, &json!({}), &header("gone", Some("JWT"))),
        ),
        ("signed with another key", {
            provider.sign(
                &json!({ "iss": provider.url, "aud": server.url() }),
                Algorithm::RS256,
                "rsa",
                &keys().other_rsa,
            )
        }),
        (
            "changed after it was signed",
            with_part(&good, 1, good.split('.').nth(1).unwrap().split_at(40).0),
        ),
        ("without signature", with_part(&good, 2, "")),
        ("with alg none", with_part(&good, 0, &none)),
        ("encrypted", format!("{encrypted}.a2V5.aXY.dGV4dA.dGFn")),
        ("opaque", "ory_at_9f1c7c0b".to_owned()),
        ("cut off", good[..good.len() / 2].to_owned()),
        ("with a space", good.replacen('.', ". ", 1)),
        ("with Bearer before it", format!("Bearer {good}")),
        ("in quotes", format!("\"{good}\"")),
    ]
}

/// The verdicts of the server, `doctor` and `explain` about a token.
#[derive(Debug)]
struct Said {
    /// The status of a call, and the cause.
    server: (u16, String),
    doctor: String,
    /// The exit code, and what is printed.
    explain: (i32, String),
}

fn said(server: &Server, token: &str) -> Said {
    let reply = server.call(token, "list_todos", &json!({}));
    let cause = reply.challenge("error_description").map(str::to_owned);
    let cause = cause.or_else(|| reply.json["error"]["message"].as_str().map(str::to_owned));
    let doctor = stdout(&doctor(server, Some(token)));
    let of_token = |line: &&str| line.split_whitespace().nth(1) == Some("token");
    let doctor = doctor.lines().find(of_token).unwrap_or_else(|| panic!("{doctor}")).to_owned();
    let file = server.folder.path().join("token");
    fs::write(&file, token).unwrap();
    let mut explain = server.command();
    explain.args(["policy", "explain", "--tool", "list_todos", "--token"]).arg(&file);
    let explain = explain.output().unwrap();
    let printed = stdout(&explain) + &stderr(&explain);
    Said {
        server: (reply.status, cause.unwrap_or_default()),
        doctor,
        explain: (explain.status.code().unwrap(), printed),
    }
}

/// How many of the tokens the server let in, after asserting that all three agree.
fn agree(server: &Server, tokens: &[(&str, String)]) -> usize {
    let mut taken = 0;
    for (name, token) in tokens {
        let said = said(server, token);
        match said.server.0 {
            200 => {
                assert!(said.doctor.starts_with("ok"), "{name}: {said:#?}");
                assert_eq!(said.explain.0, 0, "{name}: {said:#?}");
                taken += 1;
            }
            // The token is good, and its scopes are not enough.
            403 => {
                assert!(said.doctor.starts_with("ok"), "{name}: {said:#?}");
                assert_eq!(said.explain.0, 1, "{name}: {said:#?}");
            }
            _ => {
                let cause = &said.server.1;
                assert!(!cause.is_empty(), "{name}: {said:#?}");
                assert!(
                    said.doctor.starts_with("WRONG") && said.doctor.contains(cause),
                    "{name}: {said:#?}"
                );
                assert_eq!(said.explain.0, 2, "{name}: {said:#?}");
                assert!(said.explain.1.contains(cause), "{name}: {said:#?}");
            }
        }
        assert!(!said.doctor.contains(token) && !said.explain.1.contains(token), "{name}");
    }
    taken
}

#[test]
fn of_tokens_that_are_checked_with_keys() {
    let provider = Provider::start();
    let settings = format!("provider = \"keycloak\"\nissuer = \"{}\"", provider.url);
    let server = Server::with_settings(&POLICY.replace("provider = \"embedded\"", &settings), &[]);
    let tokens = tokens(&provider, &server);
    assert_eq!(agree(&server, &tokens), 3, "the good ones with a scope");

    // A limit of the deployment holds for all three.
    let short = [("MAX_TOKEN", "300")];
    let server =
        Server::with_settings(&POLICY.replace("provider = \"embedded\"", &settings), &short);
    let good = token(&provider, &server, &json!({}), &header("rsa", Some("JWT")));
    assert_eq!(said(&server, &good).server.0, 431);
    agree(&server, &[("beyond MAX_TOKEN", good)]);
}

#[test]
fn of_tokens_that_the_provider_is_asked_about() {
    let provider = Provider::start();
    let settings = format!(
        "provider = \"oauth\"\nissuer = \"{}\"\nopaque = true\naudience = \"api\"",
        provider.url
    );
    let credentials = [("INTROSPECTION_CLIENT_ID", "rs"), ("INTROSPECTION_CLIENT_SECRET", SECRET)];
    let policy = POLICY.replace("provider = \"embedded\"", &settings);
    let server = Server::with_settings(&policy, &credentials);
    let mut tokens = tokens(&provider, &server);
    for (name, changes) in [
        ("known", json!({})),
        ("known, with scopes as a list", json!({ "scope": ["todo:read"] })),
        ("known, without a scope that is needed", json!({ "scope": "openid" })),
        ("known, and not active", json!({ "active": false })),
        ("known, of another audience", json!({ "aud": "other" })),
        ("known, and expired", json!({ "exp": now() - 600 })),
        ("known, and bound", json!({ "cnf": { "jkt": "x" } })),
    ] {
        let mut answer = json!({ "active": true, "token_type": "Bearer", "aud": "api", "sub": "ada",
            "client_id": "c", "exp": now() + 600, "scope": "todo:read" });
        answer.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let token = format!("tok-{}", tokens.len());
        provider.opaque.lock().unwrap().insert(token.clone(), answer);
        tokens.push((name, token));
    }
    assert_eq!(agree(&server, &tokens), 2);
}

#[test]
fn of_tokens_of_the_embedded_issuer() {
    let server = Server::start();
    let provider = Provider::start();
    let mut tokens = tokens(&provider, &server);
    let good = server.token("todo:read");
    tokens.push(("good, of its own", good.clone()));
    tokens.push(("of its own, without a scope that is needed", server.token("admin:access")));
    let signature = good.rsplit('.').next().unwrap();
    let turned: String = signature.chars().rev().collect();
    tokens.push(("of its own, changed", with_part(&good, 2, &turned)));
    assert_eq!(agree(&server, &tokens), 1);
}

/// A rule that asks for a claim is explained with the claims of the token.
#[test]
fn of_conditions_about_claims() {
    let provider = Provider::start();
    let settings = format!("provider = \"keycloak\"\nissuer = \"{}\"", provider.url);
    let policy = POLICY.replace("provider = \"embedded\"", &settings);
    let (head, tail) = policy.split_once("list_todos").unwrap();
    let (_, tail) = tail.split_once('\n').unwrap();
    let rule = "list_todos = { read = \"todo\", when = [{ if = \"claims.tenant == 'b'\", all_of = [\"admin:access\"] }] }\n";
    let server = Server::with_settings(&format!("{head}{rule}{tail}"), &[]);
    let of = |tenant: &str| {
        token(&provider, &server, &json!({ "tenant": tenant }), &header("rsa", Some("JWT")))
    };
    let (a, b) = (said(&server, &of("a")), said(&server, &of("b")));
    assert_eq!((a.server.0, a.explain.0), (200, 0), "{a:#?}");
    assert_eq!((b.server.0, b.explain.0), (403, 1), "{b:#?}");
}

/// While the provider is silent, nobody guesses.
#[test]
fn while_the_provider_is_down() {
    let provider = Provider::start();
    let settings = format!(
        "provider = \"keycloak\"\nissuer = \"{}\"\nregistered = [\"todo:read\", \"todo:write\", \"admin:access\"]",
        provider.url
    );
    provider.set(Mode::Down);
    let server = Server::with_settings(&POLICY.replace("provider = \"embedded\"", &settings), &[]);
    let good = token(&provider, &server, &json!({}), &header("rsa", Some("JWT")));
    assert_eq!(said(&server, &good).server.0, 503);
    agree(&server, &[("good", good)]);
}
