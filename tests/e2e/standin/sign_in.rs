//! Sign-in as the MCP specification requires it of authorization servers: registration (RFC 7591),
//! and the authorization code with PKCE (RFC 7636) for a resource (RFC 8707). Every person is Ada,
//! and consents.

use std::collections::HashMap;

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::Provider;

/// The grant of an authorization code.
pub(super) struct Granted {
    client: String,
    redirect: String,
    scope: String,
    challenge: String,
}

pub(super) fn router() -> Router<Provider> {
    Router::new()
        .route("/sign-in/register", post(register))
        .route("/sign-in/authorize", get(authorize))
        .route("/sign-in/token", post(token))
}

pub(super) fn metadata(provider: &Provider) -> Map<String, Value> {
    let at = |path: &str| format!("{}/sign-in/{path}", provider.url);
    let metadata = json!({
        "registration_endpoint": at("register"),
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
    });
    metadata.as_object().unwrap().clone()
}

async fn register(Json(mut client): Json<Value>) -> impl IntoResponse {
    client["client_id"] = "client-1".into();
    (StatusCode::CREATED, Json(client))
}

async fn authorize(
    State(provider): State<Provider>,
    Query(asked): Query<HashMap<String, String>>,
) -> Redirect {
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked.contains_key("resource"), "RFC 8707: {asked:?}");
    let mut codes = provider.codes.lock().unwrap();
    let code = format!("code-{}", codes.len());
    let granted = Granted {
        client: asked["client_id"].clone(),
        redirect: asked["redirect_uri"].clone(),
        scope: asked["scope"].clone(),
        challenge: asked["code_challenge"].clone(),
    };
    codes.insert(code.clone(), granted);
    let mut back = url::Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
    Redirect::to(back.as_str())
}

async fn token(
    State(provider): State<Provider>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let granted = provider.codes.lock().unwrap().remove(&form["code"]);
    let challenge =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    let fits = |granted: &Granted| {
        granted.challenge == challenge
            && granted.redirect == form["redirect_uri"]
            && granted.client == form["client_id"]
    };
    let Some(granted) = granted.filter(fits) else {
        let error = json!({ "error": "invalid_grant" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    };
    let claims = json!({ "client_id": granted.client, "scope": granted.scope });
    let answer = json!({
        "access_token": provider.token(&claims), "token_type": "Bearer", "expires_in": 600,
        "scope": granted.scope,
    });
    Json(answer).into_response()
}
