//! A consent form that the consent page did not make is refused, and redirects nobody.

use super::issuer_world::world;
use axum::body::Body;
use http::{Request, header};

/// Sends the first line of `data` as the cookie, and the rest as the form.
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
