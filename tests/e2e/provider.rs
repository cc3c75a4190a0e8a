//! Providers elsewhere: a stand-in that serves what a provider documents, and fails in every way
//! that a provider can.

use std::{
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::{
    harness::{POLICY, Server, run, stderr, stdout},
    tokens::keys,
};

/// How the stand-in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Good,
    /// Only the keys that sign ES256.
    Rotated,
    NoKeys,
    Status(u16),
    Slow,
    Html,
    Redirect,
    Large,
    Broken,
}

/// A provider on this machine.
struct Provider {
    url: String,
    mode: Arc<Mutex<Mode>>,
    asked: Arc<AtomicUsize>,
    scopes: Arc<Mutex<Vec<&'static str>>>,
}

#[derive(Clone)]
struct Shared {
    url: String,
    mode: Arc<Mutex<Mode>>,
    asked: Arc<AtomicUsize>,
    scopes: Arc<Mutex<Vec<&'static str>>>,
}

const RESOURCE_ID: &str = "res_123";
const ALL: [&str; 3] = ["todo:read", "todo:write", "admin:access"];

impl Provider {
    fn start() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn at(listener: TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let shared = Shared {
            url: format!("http://{}", listener.local_addr().unwrap()),
            mode: Arc::new(Mutex::new(Mode::Good)),
            asked: Arc::default(),
            scopes: Arc::new(Mutex::new(ALL.to_vec())),
        };
        let provider = Self {
            url: shared.url.clone(),
            mode: Arc::clone(&shared.mode),
            asked: Arc::clone(&shared.asked),
            scopes: Arc::clone(&shared.scopes),
        };
        thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = Router::new().fallback(answer).with_state(shared);
                axum::serve(listener, router).await.unwrap();
            });
        });
        provider
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// How often its keys were asked for.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn settings(&self) -> [(&str, &str); 2] {
        [("SCALEKIT_ENVIRONMENT_URL", &self.url), ("SCALEKIT_RESOURCE_ID", RESOURCE_ID)]
    }
}

async fn answer(
    State(shared): State<Shared>,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: axum::body::Body,
) -> Response {
    let mode = *shared.mode.lock().unwrap();
    let is_keys = uri.path() == "/keys";
    if is_keys {
        shared.asked.fetch_add(1, Ordering::SeqCst);
    }
    match mode {
        Mode::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Mode::Slow => tokio::time::sleep(Duration::from_mins(1)).await,
        Mode::Html => return axum::response::Html("<h1>Sign in</h1>").into_response(),
        Mode::Redirect => return Redirect::temporary("http://127.0.0.1:9/keys").into_response(),
        Mode::Large => {
            let body = format!("{{\"keys\":[\"{}\"]}}", "x".repeat(10 << 20));
            return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
        }
        Mode::Broken => {
            return ([(header::CONTENT_TYPE, "application/json")], "{\"keys\":").into_response();
        }
        Mode::Good | Mode::Rotated | Mode::NoKeys => {}
    }
    let of_resource = format!("{}/resources/{RESOURCE_ID}", shared.url);
    let metadata = |issuer: &str| {
        let scopes = shared.scopes.lock().unwrap().clone();
        Json(json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{}/oauth/authorize", shared.url),
            "token_endpoint": format!("{}/oauth/token", shared.url),
            "jwks_uri": format!("{}/keys", shared.url),
            "scopes_supported": scopes,
            "code_challenge_methods_supported": ["S256"],
        }))
        .into_response()
    };
    match uri.path() {
        "/keys" => {
            let all = serde_json::to_value(&keys().published).unwrap();
            let wanted = |key: &&Value| match mode {
                Mode::Good => true,
                Mode::Rotated => key["kid"] == "ec",
                _ => false,
            };
            let list: Vec<&Value> = all["keys"].as_array().unwrap().iter().filter(wanted).collect();
            Json(json!({ "keys": list })).into_response()
        }
        // Where Scalekit serves the metadata of a resource's authorization server (FastMCP 4.1,
        // server/auth/providers/scalekit.py).
        "/.well-known/oauth-authorization-server/resources/res_123" => metadata(&of_resource),
        "/.well-known/openid-configuration" => metadata(&shared.url),
        // The management API (scalekit-sdk-python 2.21.0, its API description): client
        // credentials, and a resource with all scopes of the environment, some of them enabled.
        "/oauth/token" => {
            let form = axum::body::to_bytes(body, 4_096).await.unwrap();
            let expected =
                "grant_type=client_credentials&client_id=skc_1&client_secret=s%2B%2Fcret";
            if form != expected {
                return (StatusCode::UNAUTHORIZED, Json(json!({ "code": 16 }))).into_response();
            }
            Json(json!({ "access_token": "management", "token_type": "Bearer", "expires_in": 86_400 }))
                .into_response()
        }
        "/api/v1/resources/res_123" => {
            if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer management") {
                return (StatusCode::UNAUTHORIZED, Json(json!({ "code": 16 }))).into_response();
            }
            let enabled = shared.scopes.lock().unwrap().clone();
            let scopes: Vec<Value> = [&ALL[..], &["billing:read"]]
                .concat()
                .iter()
                .map(|name| json!({ "id": "scp_1", "name": name, "enabled": enabled.contains(name) }))
                .collect();
            Json(json!({ "resource": { "id": RESOURCE_ID, "scopes": scopes } })).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// An RS256 token with these claims changed; `null` takes one out.
fn token(provider: &Provider, changes: &Value) -> String {
    sign(provider, changes, Algorithm::RS256, "rsa", &keys().rsa)
}

fn sign(
    provider: &Provider,
    changes: &Value,
    algorithm: Algorithm,
    id: &str,
    key: &EncodingKey,
) -> String {
    let mut claims = json!({
        "iss": format!("{}/resources/{RESOURCE_ID}", provider.url), "aud": [RESOURCE_ID],
        "sub": "ada", "client_id": "c", "exp": now() + 600, "scope": "todo:read",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    let mut header = Header::new(algorithm);
    header.kid = Some(id.to_owned());
    encode(&header, &claims, key).unwrap()
}

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
fn scalekit_tokens_are_accepted_in_each_documented_form_and_in_no_other() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let (environment, url) = (provider.url.clone(), server.url());
    for issuer in [environment.clone(), format!("{environment}/resources/{RESOURCE_ID}")] {
        for audience in
            [json!(RESOURCE_ID), json!([RESOURCE_ID, "x"]), json!(url), json!([format!("{url}/")])]
        {
            let token = token(&provider, &json!({ "iss": issuer, "aud": audience }));
            assert_eq!(lists(&server, &token), 200, "{issuer} {audience}");
        }
    }
    let list = json!({ "scope": null, "scopes": ["todo:read", "todo:write"] });
    assert_eq!(lists(&server, &token(&provider, &list)), 200, "scopes as a list");
    for (changes, says) in [
        (json!({ "iss": format!("{environment}/") }), "another issuer"),
        (json!({ "iss": format!("{environment}/resources/res_124") }), "another issuer"),
        (json!({ "aud": "res_124" }), "another resource"),
        (json!({ "aud": "RES_123" }), "another resource"),
        (json!({ "aud": null }), "missing or malformed"),
        (json!({ "aud": url.to_uppercase() }), "another resource"),
        (json!({ "exp": now() - 3_600 }), "expired"),
        (json!({ "nonce": "n" }), "an ID token, by its nonce claim"),
        (json!({ "at_hash": "h" }), "an ID token, by its at_hash claim"),
    ] {
        let reply = server.call(&token(&provider, &changes), "list_todos", &json!({}));
        assert_eq!(reply.status, 401, "{changes}");
        assert!(
            reply.challenge("error_description").unwrap().contains(says),
            "{changes} {reply:?}"
        );
    }
    let nothing = token(&provider, &json!({ "scope": null }));
    assert_eq!(lists(&server, &nothing), 403, "a token without scopes may do nothing");
}

#[test]
fn scalekit_discovery_is_forwarded_and_cached() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let resource = server.get("/.well-known/oauth-protected-resource/mcp").json;
    let authority = format!("{}/resources/{RESOURCE_ID}", provider.url);
    assert_eq!(resource["authorization_servers"], json!([authority]));
    assert_eq!(server.get("/oauth/authorize").status, 404, "there is no embedded issuer");
    let forwarded = server.get("/.well-known/oauth-authorization-server");
    assert_eq!((forwarded.status, &forwarded.json["issuer"]), (200, &json!(authority)));
    provider.set(Mode::Status(500));
    let again = server.get("/.well-known/oauth-authorization-server");
    assert_eq!((again.status, again.json), (200, forwarded.json));
    let status = |mode: Mode| {
        let provider = Provider::start();
        let server = scalekit(&provider);
        provider.set(mode);
        let reply = server.get("/.well-known/oauth-authorization-server");
        assert!(reply.json["error"].is_string() && !reply.text.contains("127.0.0.1"), "{reply:?}");
        reply.status
    };
    assert_eq!(status(Mode::Status(500)), 502);
    assert_eq!(status(Mode::Html), 502);
    assert_eq!(status(Mode::Slow), 503);
}

#[test]
fn the_policy_is_held_against_what_is_really_registered() {
    let provider = Provider::start();
    *provider.scopes.lock().unwrap() = vec!["todo:read", "todo:write", "todo:share"];
    let server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let check = || server.command().args(["policy", "check"]).output().unwrap();
    let output = check();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("nobody could ever call `purge_todos`: admin:access is not registered"));
    assert!(text.contains("`todo:share` is registered, and the policy does not know it"), "{text}");

    *provider.scopes.lock().unwrap() = ALL.to_vec();
    assert_eq!(check().status.code(), Some(0), "{:?}", check());
    // Without an answer and without a snapshot it would be a guess; with one it is not.
    provider.set(Mode::Status(503));
    let output = check();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("resource pull"), "{output:?}");
    provider.set(Mode::Good);
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert_eq!(pull.status.code(), Some(0), "{pull:?}");
    provider.set(Mode::Status(503));
    let output = check();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("registered-scopes.toml says"));
}

/// Scalekit's API says which scopes are enabled for the resource; its secret is never shown.
#[test]
fn scalekit_s_api_says_what_is_registered() {
    let provider = Provider::start();
    let mut server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    server.set("SCALEKIT_CLIENT_ID", "skc_1");
    server.set("SCALEKIT_CLIENT_SECRET", "s+/cret");
    let run =
        |server: &Server, arguments: &[&str]| server.command().args(arguments).output().unwrap();
    let output = run(&server, &["resource", "pull"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("3 scopes registered: todo:read, todo:write, admin:access"), "{text}");
    *provider.scopes.lock().unwrap() = vec!["todo:read", "todo:write"];
    let output = run(&server, &["policy", "check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("admin:access is not registered"));
    std::fs::remove_file(server.folder.path().join("registered-scopes.toml")).unwrap();
    server.set("SCALEKIT_CLIENT_SECRET", "wrong+secret");
    let output = run(&server, &["policy", "check"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("/oauth/token does not answer as Scalekit's token endpoint should"),
        "{text}"
    );
    assert!(!text.contains("wrong+secret") && !text.contains("wrong%2Bsecret"), "{text}");
}

/// Which scopes are registered, by whom, and whether the committed snapshot is still true.
#[test]
fn resource_status_compares_the_snapshot_with_the_provider() {
    let provider = Provider::start();
    let server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let run = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, text) = run(&["resource", "status"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("has registered: todo:read, todo:write, admin:access"), "{text}");
    assert!(text.contains("There is no registered-scopes.toml."), "{text}");
    assert_eq!(run(&["resource", "pull"]).0, Some(0));
    assert!(run(&["resource", "status"]).1.ends_with("They agree.\n"));
    *provider.scopes.lock().unwrap() = vec!["todo:read"];
    let (code, text) = run(&["resource", "status"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("They differ: run `resource pull`"), "{text}");
    provider.set(Mode::Status(500));
    let (code, text) = run(&["resource", "status"]);
    assert_eq!(code, Some(0), "the snapshot is there: {text}");
    assert!(text.contains("The provider does not say"), "{text}");
    std::fs::remove_file(server.folder.path().join("registered-scopes.toml")).unwrap();
    assert_eq!(run(&["resource", "status"]).0, Some(1), "nobody says anything");
}

#[test]
fn providers_are_listed_and_shown() {
    let output = run(POLICY, &["provider", "list"]);
    let text = stdout(&output);
    for word in ["scalekit", "auth0", "keycloak", "entra", "okta", "workos", "descope", "cognito"] {
        assert!(text.lines().any(|line| line.starts_with(word)), "{text}");
    }
    let output = run(POLICY, &["provider", "show", "cognito"]);
    assert!(stdout(&output).contains("  audience      client_id: the app client's id\n"));
    let output = run(POLICY, &["provider", "show", "cognitor"]);
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
    assert_eq!(lists(&server, &token(&provider, &good)), 200);
    let mut for_the_url = good.clone();
    for_the_url["aud"] = json!(server.url());
    assert_eq!(lists(&server, &token(&provider, &for_the_url)), 401, "the policy says `api`");

    let file = server.folder.path().join("token");
    std::fs::write(&file, token(&provider, &good)).unwrap();
    let arguments =
        ["policy", "explain", "--tool", "list_todos", "--token", file.to_str().unwrap()];
    let output = server.command().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = server.command().args(["token", "--scope", "todo:read"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "tokens are the provider's to make");
}

/// The shapes that the providers document, and those that are near.
#[test]
fn each_provider_has_its_own_shape_of_token() {
    let provider = Provider::start();
    let (issuer, slash) = (provider.url.clone(), format!("{}/", provider.url));
    // Auth0's issuer ends in a slash; its own metadata is not asked for scopes.
    let auth0 = |issuer: &str| {
        format!(
            "provider = \"auth0\"\nissuer = \"{issuer}\"\naudience = \"https://api.example\"\nregistered = [\"todo:read\", \"todo:write\", \"admin:access\"]"
        )
    };
    let server = Server::with_settings(&policy(&auth0(&issuer)), &[]);
    let shape = json!({ "iss": issuer, "aud": ["https://api.example", format!("{issuer}/userinfo")], "client_id": null,
        "azp": "c", "scope": "openid profile todo:read", "permissions": ["todo:read", "todo:write"] });
    let near = |changes: Value| {
        let mut near = shape.clone();
        near.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        token(&provider, &near)
    };
    let call = |token: &str, tool: &str| server.call(token, tool, &json!({ "title": "x" })).status;
    assert_eq!(call(&near(json!({})), "list_todos"), 200);
    assert_eq!(
        call(&near(json!({})), "create_todo"),
        403,
        "what the person may is not what was granted"
    );
    assert_eq!(
        call(&near(json!({ "scope": null })), "list_todos"),
        403,
        "permissions are no scopes"
    );
    assert_eq!(call(&near(json!({ "iss": slash })), "list_todos"), 401);
    assert_eq!(call(&near(json!({ "aud": "https://api.example/" })), "list_todos"), 401);
    assert_eq!(call(&near(json!({ "aud": "c", "nonce": "n" })), "list_todos"), 401, "an ID token");

    let keycloak = format!("provider = \"keycloak\"\nissuer = \"{issuer}\"");
    let server = Server::with_settings(&policy(&keycloak), &[]);
    let shape = |typ: &str| {
        let claims = json!({ "iss": issuer, "aud": server.url(), "client_id": null, "azp": "c",
            "typ": typ, "scope": "profile email todo:read" });
        lists(&server, &token(&provider, &claims))
    };
    assert_eq!(shape("Bearer"), 200);
    for other in ["ID", "Refresh", "Offline", "bearer"] {
        assert_eq!(shape(other), 401, "{other}");
    }
}

const REGISTERED: &str = "registered = [\"todo:read\", \"todo:write\", \"admin:access\"]";

/// A server for a preset, and what one of its tools answers to claims that differ from `shape`.
struct Shaped<'a> {
    provider: &'a Provider,
    server: Server,
    shape: Value,
}

impl<'a> Shaped<'a> {
    fn new(provider: &'a Provider, preset: &str, settings: &str, shape: &Value) -> Self {
        let issuer = &provider.url;
        let text = format!("provider = \"{preset}\"\nissuer = \"{issuer}\"\n{settings}");
        let server = Server::with_settings(&policy(&text), &[]);
        let mut all =
            json!({ "iss": issuer, "client_id": null, "scope": null, "aud": server.url() });
        all.as_object_mut().unwrap().extend(shape.as_object().unwrap().clone());
        Self { provider, server, shape: all }
    }

    fn call(&self, changes: &Value, tool: &str) -> crate::harness::Reply {
        let mut claims = self.shape.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.server.call(&token(self.provider, &claims), tool, &json!({ "title": "x" }))
    }

    /// The shape itself reads and does not write: it has just the scopes that it has.
    fn is_accepted(&self, changes: &Value) {
        assert_eq!(self.call(changes, "list_todos").status, 200, "{changes}");
        assert_eq!(self.call(changes, "create_todo").status, 403, "{changes}");
    }

    fn is_refused(&self, changes: &Value, says: &str) {
        let reply = self.call(changes, "list_todos");
        let description = reply.challenge("error_description").unwrap_or_default();
        assert_eq!(reply.status, 401, "{changes} {reply:?}");
        assert!(description.contains(says), "{changes}: {description}");
    }
}

/// Microsoft, "Access token claims reference": `scp` is a string without the API's prefix, which
/// stands in what is asked for; `aud` is the application id or its URI; `roles` are application
/// permissions.
#[test]
fn entra_tokens() {
    let provider = Provider::start();
    let id = "6731de76-14a6-49ae-97bc-6eba6914391e";
    let settings =
        format!("audience = \"api://{id}\"\nscope_prefix = \"api://{id}/\"\n{REGISTERED}");
    let shape = json!({ "aud": id, "scp": "todo:read", "ver": "2.0", "azp": "c", "azpacr": "0" });
    let entra = Shaped::new(&provider, "entra", &settings, &shape);
    entra.is_accepted(&json!({}));
    let first = json!({ "aud": format!("api://{id}"), "ver": "1.0", "azp": null, "azpacr": null,
        "appid": "c", "appidacr": "0" });
    entra.is_accepted(&first);
    entra.is_accepted(&json!({ "scp": null, "roles": ["todo:read"] }));
    entra.is_accepted(&json!({ "roles": ["todo:write"] }));
    entra.is_refused(
        &json!({ "aud": entra.server.url() }),
        &format!("aud must be {id} or api://{id}"),
    );
    entra.is_refused(&json!({ "aud": format!("api://{id}/") }), "aud must be");
    entra.is_refused(&json!({ "scp": null, "scope": "todo:read" }), "writes them in scp");
    let id_token = json!({ "azp": null, "azpacr": null, "roles": ["todo:read"], "scp": null });
    entra.is_refused(&id_token, "it must have azpacr or appidacr");
    entra.is_refused(&json!({ "iss": "https://sts.windows.net/x/" }), "its iss must be");

    let reply = entra.call(&json!({}), "create_todo");
    assert_eq!(reply.challenge("scope"), Some(&*format!("api://{id}/todo:write")));
    let metadata = entra.server.get("/.well-known/oauth-protected-resource/mcp").json;
    assert_eq!(metadata["scopes_supported"][0], format!("api://{id}/todo:read"));
}

/// Okta, "OpenID Connect & OAuth 2.0 API": `scp` is a list, the client is `cid`.
#[test]
fn okta_tokens() {
    let provider = Provider::start();
    let shape =
        json!({ "aud": "api://default", "ver": 1, "cid": "c", "scp": ["openid", "todo:read"] });
    let okta = Shaped::new(&provider, "okta", "audience = \"api://default\"", &shape);
    okta.is_accepted(&json!({}));
    okta.is_refused(&json!({ "aud": "api://other" }), "aud must be api://default");
    okta.is_refused(&json!({ "scp": null, "scope": "todo:read" }), "writes them in scp");
    okta.is_refused(&json!({ "cid": null, "aud": "c" }), "it must have cid");
    okta.is_refused(&json!({ "scp": { "todo:read": true } }), "scp claim is missing or malformed");
}

/// Amazon, "Understanding the access token": no `aud` unless a resource was asked for;
/// `token_use`; scopes with the resource server's identifier before them.
#[test]
fn cognito_tokens() {
    let provider = Provider::start();
    let settings = format!("audience = \"3n4b5\"\nscope_prefix = \"todos/\"\n{REGISTERED}");
    let shape = json!({ "aud": null, "client_id": "3n4b5", "token_use": "access",
        "scope": "openid todos/todo:read" });
    let cognito = Shaped::new(&provider, "cognito", &settings, &shape);
    cognito.is_accepted(&json!({}));
    cognito.is_accepted(&json!({ "aud": cognito.server.url() }));
    cognito.is_refused(&json!({ "aud": "https://other.example" }), "client_id must be 3n4b5");
    cognito.is_refused(&json!({ "client_id": "9z9z9" }), "client_id must be 3n4b5");
    cognito.is_refused(&json!({ "client_id": null, "aud": "3n4b5" }), "client_id claim is missing");
    cognito.is_refused(&json!({ "token_use": "id" }), "its token_use must be access");
    cognito.is_refused(&json!({ "token_use": null }), "its token_use must be access");
    for another in ["todo:read", "other/todo:read", "todos/", "todos/todos/todo:read"] {
        let status = cognito.call(&json!({ "scope": another }), "list_todos").status;
        assert!(matches!(status, 401 | 403), "{another}: {status}");
    }
    let reply = cognito.call(&json!({}), "create_todo");
    assert_eq!(reply.challenge("scope"), Some("todos/todo:write"));
}

/// `WorkOS`, "Model Context Protocol", and Descope, "MCP Servers": `aud` is the resource,
/// `scope` a string.
#[test]
fn workos_and_descope_tokens() {
    let provider = Provider::start();
    for (preset, settings) in [("workos", REGISTERED), ("descope", "")] {
        let shaped =
            Shaped::new(&provider, preset, settings, &json!({ "scope": "openid todo:read" }));
        shaped.is_accepted(&json!({}));
        shaped.is_accepted(&json!({ "permissions": ["todo:write"] }));
        shaped.is_refused(&json!({ "aud": "client_01" }), "aud must be http://localhost");
        shaped.is_refused(&json!({ "scope": null, "scp": ["todo:read"] }), "writes them in scope");
        shaped
            .is_refused(&json!({ "scope": ["todo:read"] }), "scope claim is missing or malformed");
        shaped.is_refused(&json!({ "nonce": "n" }), "an ID token, by its nonce claim");
    }
}

/// RFC 9068: `typ` is `at+jwt`, and nothing else; `oidc` also takes what is older.
#[test]
fn oauth_is_rfc_9068() {
    let provider = Provider::start();
    let oauth = Shaped::new(&provider, "oauth", "", &json!({ "scope": "todo:read" }));
    oauth.is_refused(&json!({}), "typ");
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("rsa".to_owned());
    header.typ = Some("at+jwt".to_owned());
    let mut claims = oauth.shape.clone();
    claims["sub"] = json!("ada");
    claims["client_id"] = json!("c");
    claims["exp"] = json!(now() + 600);
    let good = encode(&header, &claims, &keys().rsa).unwrap();
    assert_eq!(lists(&oauth.server, &good), 200);
    let oidc = Shaped::new(&provider, "oidc", "", &json!({ "scope": "todo:read" }));
    oidc.is_accepted(&json!({}));
    oidc.is_accepted(&json!({ "scope": null, "scp": ["todo:read"] }));
    oidc.is_refused(&json!({ "aud": "other" }), "aud must be");
    oidc.is_refused(&json!({ "c_hash": "h" }), "an ID token, by its c_hash claim");
}

/// Waits for a status, for as long as a recovery may take.
fn becomes(server: &Server, token: &str, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while lists(server, token) != status {
        assert!(Instant::now() < deadline, "not {status}:\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
}

/// Down at the start, in every way: the server starts from its snapshot, lets nobody in, says when
/// to come back, and recovers by itself.
#[test]
fn a_provider_that_fails_at_the_start_lets_nobody_in_until_it_answers() {
    let faults = [
        Mode::Status(500),
        Mode::Slow,
        Mode::Html,
        Mode::Redirect,
        Mode::Large,
        Mode::Broken,
        Mode::NoKeys,
    ];
    thread::scope(|scope| {
        for mode in faults {
            scope.spawn(move || {
                let provider = Provider::start();
                let mut server =
                    Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
                let pull = server.command().args(["resource", "pull"]).output().unwrap();
                assert!(pull.status.success(), "{pull:?}");
                provider.set(mode);
                server.launch();
                let token = token(&provider, &json!({}));
                let reply = server.call(&token, "list_todos", &json!({}));
                assert_eq!((reply.status, reply.header("retry-after")), (503, "5"), "{mode:?}");
                assert_eq!(lists(&server, "not.a.token"), 401, "{mode:?}");
                assert!(server.log().contains("no token can be checked yet"), "{mode:?}");
                provider.set(Mode::Good);
                becomes(&server, &token, 200);
            });
        }
    });
}

/// Down later, in every way: the keys that are there stay, and nobody else is let in.
#[test]
fn a_provider_that_fails_later_takes_nothing_away() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let good = token(&provider, &json!({}));
    let unknown = sign(&provider, &json!({}), Algorithm::RS256, "other", &keys().rsa);
    for mode in [Mode::Status(500), Mode::Html, Mode::Redirect, Mode::Broken, Mode::NoKeys] {
        provider.set(mode);
        assert_eq!(lists(&server, &good), 200, "{mode:?}");
        assert_eq!(lists(&server, &unknown), 401, "{mode:?}");
    }
}

/// A flood of unknown keys causes one fetch; a rotation is seen by the first that needs it, and
/// keys that are gone verify nothing.
#[test]
fn keys_rotate_without_a_restart_and_without_a_flood() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let old = token(&provider, &json!({}));
    assert_eq!(lists(&server, &old), 200);
    let before = provider.asked();
    thread::sleep(Duration::from_secs(11));
    thread::scope(|scope| {
        for number in 0..32 {
            let (server, provider) = (&server, &provider);
            scope.spawn(move || {
                let id = format!("unknown-{number}");
                let token = sign(provider, &json!({}), Algorithm::RS256, &id, &keys().rsa);
                assert_eq!(lists(server, &token), 401);
            });
        }
    });
    assert_eq!(provider.asked(), before + 1, "one fetch for all of them");

    provider.set(Mode::Rotated);
    let new = sign(&provider, &json!({}), Algorithm::ES256, "new", &keys().ec);
    thread::sleep(Duration::from_secs(11));
    // The key set is the same but for the RSA key, which is gone: any unknown key shows it.
    assert_eq!(lists(&server, &new), 401);
    assert_eq!(lists(&server, &old), 401, "its key is not published any more");
    let known = sign(&provider, &json!({}), Algorithm::ES256, "ec", &keys().ec);
    assert_eq!(lists(&server, &known), 200);
}
