//! A body that passes the gate holds only what the policy allows, also for another JSON parser.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{body::Body, response::Response};
use http::Request;
use http_body_util::BodyExt;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use scopeward::{
    Limits, Registry,
    gate::Gate,
    identity::token::{TokenTypes, Validator, VerificationKeys},
    policy::{agreement, diagnostic::Source},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt};

const POLICY: &str = r#"
version = 1
[server]
url = "http://localhost:3002/mcp"
startup_check = "warn"
[scopes]
"a:read" = "Read"
"a:write" = "Write"
[tools]
write = { write = "a" }
[tools.read]
read = "a"
[[tools.read.when]]
if = "args.deep == true"
write = "a"
"#;

struct World {
    runtime: Runtime,
    gate: Gate,
    bearer: String,
    passed: Arc<Mutex<Vec<Vec<u8>>>>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let key = EncodingKey::from_ec_der(pair.expect("a key").as_ref());
        let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
        let keys = VerificationKeys::parse(
            &serde_json::to_string(&JwkSet { keys: vec![jwk] }).expect("a text"),
        )
        .expect("a key set");
        let resource = "http://localhost:3002/mcp";
        let validator =
            Validator::new("https://i.example", resource, keys, TokenTypes::AccessTokenOrPlain)
                .with_clock(|| 2_000_000_000);
        let claims = json!({
            "iss": "https://i.example", "aud": resource, "sub": "ada", "exp": 2_000_000_060,
            "scope": "a:read",
        });
        let token = encode(&Header::new(Algorithm::ES256), &claims, &key).expect("a token");
        let source = Source::new("policy.toml", POLICY);
        let policy = agreement::check(&source, &Registry::new(&[]), None).expect("a policy");
        let mut limits = Limits::default();
        limits.rate_per_caller = 0;
        World {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            gate: Gate::new(policy, validator).with_limits(&limits),
            bearer: format!("Bearer {token}"),
            passed: Arc::default(),
        }
    })
}

pub(crate) fn run(data: &[u8]) {
    let World { runtime, gate, bearer, passed } = world();
    passed.lock().expect("no panic before").clear();
    let recorder = tower::service_fn(|request: Request<Body>| async {
        let body = request.into_body().collect().await.expect("in memory").to_bytes();
        world().passed.lock().expect("no panic before").push(body.to_vec());
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let request = Request::post("/mcp")
        .header("authorization", bearer)
        .header("content-type", "application/json")
        .body(Body::from(data.to_vec()))
        .expect("a request");
    runtime.block_on(async { gate.layer(recorder).oneshot(request).await }).expect("infallible");
    for body in passed.lock().expect("no panic before").iter() {
        // Parsed with another type than the gate's, because the code behind the gate must not read
        // a call that the gate did not see.
        let message: Value = serde_json::from_slice(body).expect("a body that passes is JSON");
        let text = String::from_utf8_lossy(body);
        assert!(message.is_object(), "one message: {text}");
        if message["method"] == "tools/call" {
            let params = &message["params"];
            assert_eq!(params["name"], "read", "{text}");
            assert_ne!(params["arguments"]["deep"], true, "{text}");
        }
    }
}
