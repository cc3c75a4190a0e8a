//! Scalekit's endpoints as it documents them, each fact with its source.

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{ALL, Mode, Provider, RESOURCE_ID, SECRET, sign_in};

pub(super) fn router() -> Router<Provider> {
    Router::new()
        // FastMCP 4.1, server/auth/providers/scalekit.py: the metadata of a resource's
        // authorization server, whose issuer is `{env}/resources/{id}`.
        .route("/.well-known/oauth-authorization-server/resources/res_123", get(of_resource))
        .route("/.well-known/openid-configuration", get(of_environment))
        // scalekit-sdk-python 2.21.0, core.py: the management API's token by client credentials at
        // `{env}/oauth/token`. People's tokens come from the token endpoint in the metadata.
        .route("/oauth/token", post(management_token))
        // scalekit-sdk-python 2.21.0, the API description: `GetResource`.
        .route("/api/v1/resources/res_123", get(resource))
}

async fn of_resource(State(provider): State<Provider>) -> Json<Value> {
    metadata(&provider, &format!("{}/resources/{RESOURCE_ID}", provider.named()))
}

async fn of_environment(State(provider): State<Provider>) -> Json<Value> {
    metadata(&provider, &provider.named())
}

fn metadata(provider: &Provider, issuer: &str) -> Json<Value> {
    let scopes = provider.scopes.lock().unwrap().clone();
    let mut metadata = json!({
        "issuer": issuer,
        // FastMCP 4.1, server/auth/providers/scalekit.py.
        "jwks_uri": format!("{}/keys", provider.url),
        "scopes_supported": scopes,
        "introspection_endpoint": format!("{}/introspect", provider.url),
    });
    metadata.as_object_mut().unwrap().extend(sign_in::metadata(provider));
    if *provider.mode.lock().unwrap() == Mode::NoRegistration {
        metadata.as_object_mut().unwrap().remove("registration_endpoint");
    }
    Json(metadata)
}

async fn management_token(Form(form): Form<Vec<(String, String)>>) -> Response {
    let expected =
        [("grant_type", "client_credentials"), ("client_id", "skc_1"), ("client_secret", SECRET)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    if form != expected {
        return unauthorized();
    }
    let answer =
        json!({ "access_token": "management", "token_type": "Bearer", "expires_in": 86_400 });
    Json(answer).into_response()
}

/// `GetResourceResponse`: `resource` lists all scopes of the environment, and a scope with
/// `enabled` is registered for the resource (scalekit-sdk-python 2.21.0, docstring of
/// `ResourceClient.get_resource`).
async fn resource(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer management") {
        return unauthorized();
    }
    let enabled = provider.scopes.lock().unwrap().clone();
    let scope =
        |name: &&str| json!({ "id": "scp_1", "name": name, "enabled": enabled.contains(name) });
    let scopes: Vec<Value> = [&ALL[..], &["billing:read"]].concat().iter().map(scope).collect();
    Json(json!({ "resource": { "id": RESOURCE_ID, "scopes": scopes } })).into_response()
}

/// An error of the API, which has a `code` (scalekit-sdk-python 2.21.0).
fn unauthorized() -> Response {
    let body = json!({ "code": 16, "message": "unauthenticated" });
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}
