//! The consent form: nobody is sent anywhere by one that the page did not make.

use super::issuer_world::world;
use axum::body::Body;
use http::{Request, header};

/// The first line is the cookie, the rest the form.
pub(crate) fn run(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (cookie, form) = data.split_at(end);
    let mut request = Request::post("/oauth/authorize")
        .header("origin", "http://localhost:3002")
        .header("content-type", "application/x-www-form-urlencoded");
    if let Ok(cookie) = http::HeaderValue::from_bytes(cookie) {
        request = request.header("cookie", cookie);
    }
    let request = request.body(Body::from(form.to_vec())).expect("a request");
    let answer = world().send(request);
    assert!(answer.status().is_client_error(), "{answer:?}");
    assert!(!answer.headers().contains_key(header::LOCATION), "{answer:?}");
    let text = world().text(answer);
    assert!(!text.contains("<script"), "{text}");
}
