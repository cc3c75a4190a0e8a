//! The ways in which the embedded issuer knows clients: a metadata document at the client's URL,
//! the policy, and dynamic registration (tested in `issuer.rs`). Also machines, which get tokens
//! for themselves.

use axum::{Json, Router, http::StatusCode, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    harness::{POLICY, Reply, Server, serve},
    issuer::{REDIRECT, authorize_url, code, consent, exchange, get_page, open, token},
};

/// A client's own web server, with a good metadata document and with bad ones.
fn descriptions() -> String {
    serve(|origin| {
        let document = move |changes: Value| {
            let id = format!("{origin}/client");
            let mut document = json!({ "client_id": id, "client_name": "Described <b>client</b>",
                "redirect_uris": [REDIRECT], "grant_types": ["authorization_code", "refresh_token"] });
            for (name, value) in changes.as_object().unwrap() {
                document[name] = value.clone();
            }
            get(move || std::future::ready(Json(document)))
        };
        Router::new()
            .route("/client", document(json!({})))
            .route("/another", document(json!({})))
            .route("/large", document(json!({ "client_uri": "x".repeat(100_000) })))
            .route("/nothing", get(|| async { StatusCode::NOT_FOUND }))
            .route("/moved", get(|| async { axum::response::Redirect::to("/client") }))
            .route("/text", get(|| async { "not JSON" }))
    })
}

#[test]
fn a_client_describes_itself() {
    let server = Server::start();
    let metadata = server.get("/.well-known/oauth-authorization-server");
    assert_eq!(metadata.json["client_id_metadata_document_supported"], true);
    let client = format!("{}/client", descriptions());
    let page = open(&authorize_url(&server, &client, &[]));
    // The page shows the client's name as text, and the host that gave the name.
    assert!(page.reply.text.contains("Described &#60;b&#62;client"), "{}", page.reply.text);
    assert!(page.reply.text.contains("<strong>localhost</strong> says"), "{}", page.reply.text);

    let code = code(&server, &client, &["todo:read"]);
    let granted = exchange(&server, &client, &code, &[]);
    assert_eq!(
        (granted.status, &granted.json["scope"]),
        (200, &json!("todo:read")),
        "{granted:#?}"
    );
    assert!(granted.json["refresh_token"].is_string());
    let bearer = granted.json["access_token"].as_str().unwrap();
    assert_eq!(server.call(bearer, "list_todos", &json!({})).status, 200);
}

#[test]
fn a_description_that_cannot_be_used() {
    let server = Server::start();
    let origin = descriptions();
    let at = |path: &str| format!("{origin}{path}");
    for client in [
        at("/another"),
        at("/large"),
        at("/nothing"),
        at("/moved"),
        at("/text"),
        at("/"),
        at("/client#x"),
        // A name that resolves to loopback is refused, because every name except `localhost` must
        // resolve to a public address.
        origin.replace("localhost", "localhost.localdomain") + "/client",
        // No request is sent to these addresses.
        "https://10.0.0.1/client".to_owned(),
        "https://169.254.169.254/client".to_owned(),
        "http://metadata.google.internal/client".to_owned(),
        "https://[::ffff:127.0.0.1]/client".to_owned(),
    ] {
        let reply = get_page(&authorize_url(&server, &client, &[]));
        assert_eq!(reply.status, 400, "{client}");
        assert!(reply.text.contains("not registered"), "{client} {}", reply.text);
    }
    // A redirect URI that is not in the client's metadata document is refused.
    let client = at("/client");
    let elsewhere = [("redirect_uri", "https://evil.example/cb")];
    assert_eq!(get_page(&authorize_url(&server, &client, &elsewhere)).status, 400);
}

const CLIENTS: &str = r#"
[[client]]
id = "reporter"
name = "The nightly report"
scopes = ["todo:read"]
secret_env = "REPORTER_SECRET"

[[client]]
id = "desktop"
name = "The desktop app"
redirect_uris = ["http://127.0.0.1:7777/callback"]

[[client]]
id = "portal"
redirect_uris = ["http://127.0.0.1:7777/callback"]
secret_env = "PORTAL_SECRET"

[[client]]
id = "forgotten"
scopes = ["todo:read"]
secret_env = "NOBODY_SET_THIS"
"#;

const SECRET: &str = "s+/cret: kept %";

fn with_clients() -> Server {
    let policy = format!("{}{CLIENTS}", *POLICY);
    Server::with_settings(&policy, &[("REPORTER_SECRET", SECRET), ("PORTAL_SECRET", "portal's")])
}

fn machine(server: &Server, id: &str, secret: &str, more: &[(&str, &str)]) -> Reply {
    let mut form =
        vec![("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    form.extend(more);
    token(server, &form)
}

#[test]
fn a_machine_gets_a_token_for_itself() {
    let server = with_clients();
    let granted = machine(&server, "reporter", SECRET, &[]);
    assert_eq!(
        (granted.status, &granted.json["scope"]),
        (200, &json!("todo:read")),
        "{granted:#?}"
    );
    assert!(granted.json["refresh_token"].is_null(), "RFC 6749, section 4.4.3");
    assert_eq!(granted.header("cache-control"), "no-store");
    let bearer = granted.json["access_token"].as_str().unwrap();
    assert_eq!(server.call(bearer, "list_todos", &json!({})).status, 200);
    assert_eq!(server.call(bearer, "create_todo", &json!({ "title": "x" })).status, 403);

    // The credentials in the `Authorization` header, with both parts form-encoded.
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = STANDARD.encode(format!("reporter:{}", encode(SECRET)));
    let url = format!("{}/oauth/token", server.origin());
    let ask = |authorization: &str, form: &[(&str, &str)]| {
        crate::harness::post_form(&url, &[("authorization", authorization)], form)
    };
    let grant = ("grant_type", "client_credentials");
    assert_eq!(ask(&format!("Basic {basic}"), &[grant]).status, 200);
    assert_eq!(ask(&format!("basic {basic}"), &[grant, ("client_id", "reporter")]).status, 200);
    let twice = ask(&format!("Basic {basic}"), &[grant, ("client_secret", SECRET)]);
    assert_eq!(twice.json["error"], "invalid_request");
    let other = ask(&format!("Basic {basic}"), &[grant, ("client_id", "desktop")]);
    assert_eq!(other.json["error"], "invalid_request");
    for bad in ["Basic", "Basic !!!", "Bearer x", "Basic cmVwb3J0ZXI="] {
        let reply = ask(bad, &[grant]);
        assert_eq!((reply.status, &reply.json["error"]), (401, &json!("invalid_client")), "{bad}");
        assert!(reply.header("www-authenticate").starts_with("Basic"), "{bad}");
    }
}

#[test]
fn a_machine_gets_nothing_else() {
    let server = with_clients();
    for (id, secret, more, status, error) in [
        ("reporter", "wrong", None, 401, "invalid_client"),
        ("reporter", "", None, 401, "invalid_client"),
        ("nobody", SECRET, None, 401, "invalid_client"),
        // The environment variable of this client's secret is not set.
        ("forgotten", "", None, 401, "invalid_client"),
        ("forgotten", "x", None, 401, "invalid_client"),
        ("reporter", SECRET, Some(("scope", "todo:write")), 400, "invalid_scope"),
        ("reporter", SECRET, Some(("scope", "todo:read todo:write")), 400, "invalid_scope"),
        ("reporter", SECRET, Some(("resource", "https://other.example")), 400, "invalid_target"),
        ("desktop", "", None, 400, "unauthorized_client"),
        ("portal", "portal's", None, 400, "unauthorized_client"),
    ] {
        let more: Vec<(&str, &str)> = more.into_iter().collect();
        let reply = machine(&server, id, secret, &more);
        assert_eq!((reply.status, &reply.json["error"]), (status, &json!(error)), "{id} {secret}");
    }
    assert!(!server.log().contains(SECRET) && !server.log().contains("portal's"));
    // A person cannot use the name of a machine.
    let page = open(&authorize_url(&server, "desktop", &[]));
    let form = [
        ("request", page.request.as_str()),
        ("name", "Reporter"),
        ("action", "allow"),
        ("scope", "todo:read"),
    ];
    let headers = [("cookie", page.cookie.as_str()), ("origin", &server.origin())];
    let url = format!("{}/oauth/authorize", server.origin());
    let refused = crate::harness::post_form(&url, &headers, &form);
    assert_eq!(refused.status, 422, "{refused:#?}");
    assert!(refused.text.contains("A machine has this name"));
}

#[test]
fn clients_of_the_policy_sign_people_in() {
    let server = with_clients();
    assert!(open(&authorize_url(&server, "desktop", &[])).reply.text.contains("The desktop app"));
    let plain = code(&server, "desktop", &["todo:read"]);
    assert_eq!(exchange(&server, "desktop", &plain, &[]).status, 200);
    // A client with a secret must send the secret, also to use a refresh token.
    let secret = code(&server, "portal", &["todo:read"]);
    let without = exchange(&server, "portal", &secret, &[]);
    assert_eq!(without.json["error"], "invalid_client");
    let granted = exchange(&server, "portal", &secret, &[("client_secret", "portal's")]);
    assert_eq!(granted.status, 200, "{granted:#?}");
    let refresh_token = granted.json["refresh_token"].as_str().unwrap();
    let refresh = |more: &[(&str, &str)]| {
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("client_id", "portal"),
            ("refresh_token", refresh_token),
        ];
        form.extend(more);
        token(&server, &form)
    };
    assert_eq!(refresh(&[]).json["error"], "invalid_client");
    assert_eq!(refresh(&[("client_secret", "portal's")]).status, 200);
    // Only the redirect URIs of the policy are accepted.
    let elsewhere = [("redirect_uri", "https://evil.example/cb")];
    assert_eq!(get_page(&authorize_url(&server, "desktop", &elsewhere)).status, 400);
    let page = open(&authorize_url(&server, "portal", &[]));
    assert_eq!(consent(&server, &page, &["todo:read"]).status, 303);
}

/// A client that a reload removes from the policy is unknown from the next request on.
#[test]
fn clients_come_and_go_with_the_policy() {
    let server = with_clients();
    assert_eq!(machine(&server, "reporter", SECRET, &[]).status, 200);
    std::fs::write(server.folder.path().join("policy.toml"), &**POLICY).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while machine(&server, "reporter", SECRET, &[]).status == 200 {
        assert!(std::time::Instant::now() < deadline, "{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(machine(&server, "reporter", SECRET, &[]).json["error"], "invalid_client");
}
