//! The body of a registration (RFC 7591) gives a client, or an error that says what is wrong.

use super::issuer_world::world;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;

pub(crate) fn run(data: &[u8]) {
    let request = Request::post("/oauth/register")
        .header("content-type", "application/json")
        .body(Body::from(data.to_vec()))
        .expect("a request");
    let answer = world().send(request);
    let status = answer.status();
    let text = world().text(answer);
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    match status {
        StatusCode::CREATED => {
            let uris = json["redirect_uris"].as_array().expect("redirect URIs");
            assert!(!uris.is_empty(), "nowhere to go: {text}");
            for uri in uris {
                let uri = uri.as_str().expect("text").to_ascii_lowercase();
                assert!(!uri.starts_with("javascript:") && !uri.contains('#'), "{uri}");
            }
        }
        // Refused by its size, before it is parsed.
        StatusCode::PAYLOAD_TOO_LARGE => {}
        StatusCode::BAD_REQUEST => {
            assert!(json["error"].is_string(), "{status} {text}");
        }
        other => panic!("{other} {text}"),
    }
}
