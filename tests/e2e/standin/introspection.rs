//! Opaque tokens: token introspection (RFC 7662), and Google's `tokeninfo`.

use std::{sync::atomic::Ordering, time::Duration};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Provider, SECRET};

pub(super) fn router() -> Router<Provider> {
    Router::new().route("/introspect", post(introspect)).route("/tokeninfo", post(tokeninfo))
}

/// RFC 7662, section 2: a form with `token`, from a client that authenticates itself.
async fn introspect(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> Response {
    provider.introspected.fetch_add(1, Ordering::SeqCst);
    // RFC 6749, section 2.3.1: the client's id and secret are form-encoded before they are joined.
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expected = STANDARD.encode(format!("rs:{}", encode(SECRET)));
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if sent != Some(&format!("Basic {expected}")) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" })))
            .into_response();
    }
    // Waits 100 ms, so that concurrent requests arrive during one introspection.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let known = provider.opaque.lock().unwrap().get(&form["token"]).cloned();
    Json(known.unwrap_or_else(|| json!({ "active": false }))).into_response()
}

/// google-auth-library for Node, `OAuth2Client.getTokenInfo`: a POST with the token itself, and 400
/// for an unknown token.
async fn tokeninfo(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    provider.introspected.fetch_add(1, Ordering::SeqCst);
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let known: Option<Value> = provider.opaque.lock().unwrap().get(token).cloned();
    let Some(answer) = known else {
        let error = json!({ "error": "invalid_token", "error_description": "Invalid Value" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    };
    Json(answer).into_response()
}
