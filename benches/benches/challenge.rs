//! The time that the gate adds to an allowed call, and the time of a refusal, in front of a service
//! that does nothing: `cargo bench --package bench --bench challenge`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use std::{convert::Infallible, sync::LazyLock};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bench::issuer::{Issuer, Subject};
use divan::{Bencher, black_box};
use http::{Request, StatusCode};
use jsonwebtoken::Algorithm;
use scopeward::{
    gate::{Gate, Gated},
    identity::token::{TokenTypes, Validator},
    policy::{CheckedPolicy, CompiledPolicy, diagnostic::Source},
};
use tower::{Layer, Service, ServiceExt, service_fn};

fn main() {
    divan::main();
}

const ISSUER: &str = "https://acme.scalekit.dev";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const POLICY: &str = r#"
version = 1
[server]
url = "https://mcp.example.com/mcp"
on_denied = "challenge"
[scopes]
"todo:read" = "See your todos"
"todo:write" = "Change your todos"
[tools]
get_todo = { read = "todo" }
create_todo = { write = "todo" }
"#;

static KEYS: LazyLock<Issuer> = LazyLock::new(|| Issuer::new().expect("keys"));

type Inner = Gated<tower::util::BoxCloneSyncService<Request<Body>, Response, Infallible>>;

fn gate() -> Inner {
    let policy = CompiledPolicy::compile(Source::new("policy.toml", POLICY)).expect("a policy");
    let keys = KEYS.verification_keys();
    let validator = Validator::new(ISSUER, RESOURCE, keys, TokenTypes::AccessToken);
    let nothing = service_fn(|_| async { Ok(StatusCode::OK.into_response()) });
    Gate::new(CheckedPolicy::unchecked(policy), validator)
        .layer(tower::util::BoxCloneSyncService::new(nothing))
}

fn token() -> String {
    let to = Subject { name: "usr_1", audience: RESOURCE, scope: "todo:read" };
    KEYS.token(Algorithm::RS256, ISSUER, &to).expect("a token")
}

fn request(authorization: Option<&str>, tool: &str) -> Request<Body> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"id":"todo-42"}}}}}}"#
    );
    let mut request = Request::post("/mcp");
    if let Some(token) = authorization {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(body)).expect("a request")
}

fn measure(bencher: Bencher<'_, '_>, token: Option<&str>, tool: &str, expected: StatusCode) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut gate = gate();
    let first = runtime.block_on(gate.clone().oneshot(request(token, tool)));
    assert_eq!(first.map(|answer| answer.status()), Ok(expected));
    bencher
        .with_inputs(|| request(token, tool))
        .bench_local_values(|request| runtime.block_on(gate.call(black_box(request))));
}

#[divan::bench]
fn allowed(bencher: Bencher<'_, '_>) {
    measure(bencher, Some(&token()), "get_todo", StatusCode::OK);
}

/// 403, with all scopes that the call needs.
#[divan::bench]
fn insufficient_scope(bencher: Bencher<'_, '_>) {
    measure(bencher, Some(&token()), "create_todo", StatusCode::FORBIDDEN);
}

/// 401 for a request without a token.
#[divan::bench]
fn no_token(bencher: Bencher<'_, '_>) {
    measure(bencher, None, "get_todo", StatusCode::UNAUTHORIZED);
}

/// 401 for text that is not a token.
#[divan::bench]
fn invalid_token(bencher: Bencher<'_, '_>) {
    measure(bencher, Some("a.b.c"), "get_todo", StatusCode::UNAUTHORIZED);
}
