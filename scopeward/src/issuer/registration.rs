//! Dynamic client registration (RFC 7591). Every registered client is public, because a secret that
//! anyone can ask for proves nothing.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::{
    Issuer,
    client::{MOST_REDIRECT_URIS, display_name},
    state::RegisteredClient,
};
use crate::policy::redirect::is_redirect_uri;

/// The largest registration that is read, in bytes, so that a request cannot fill the memory.
const LARGEST_REGISTRATION: usize = 16 * 1024;

pub(super) fn router() -> Router<Issuer> {
    Router::new()
        .route("/oauth/register", post(register))
        .layer(DefaultBodyLimit::max(LARGEST_REGISTRATION))
}

/// The members of a registration that the issuer uses. Other members are ignored (RFC 7591, section
/// 2).
#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    grant_types: Option<Vec<String>>,
}

async fn register(State(issuer): State<Issuer>, body: bytes::Bytes) -> Response {
    let Ok(registration) = serde_json::from_slice::<Registration>(&body) else {
        return refuse(
            "invalid_client_metadata",
            "the body is not a JSON object with the members of RFC 7591",
        );
    };
    let count = registration.redirect_uris.len();
    if count == 0 || count > MOST_REDIRECT_URIS {
        return refuse("invalid_redirect_uri", "give between one and ten redirect_uris");
    }
    if !registration.redirect_uris.iter().all(|uri| is_redirect_uri(uri)) {
        return refuse(
            "invalid_redirect_uri",
            "a redirect URI is https, http on loopback, or an app's own scheme, without fragment \
             and credentials",
        );
    }
    let grant_types = registration.grant_types.unwrap_or_else(|| vec!["authorization_code".into()]);
    let may_refresh = grant_types.iter().any(|grant| grant == "refresh_token");
    let client = RegisteredClient {
        name: display_name(registration.client_name.as_deref()),
        redirect_uris: registration.redirect_uris,
        may_refresh,
        registered_at: issuer.now(),
    };
    let answer = json!({
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "client_id_issued_at": client.registered_at,
        "token_endpoint_auth_method": "none",
        "grant_types": if may_refresh {
            vec!["authorization_code", "refresh_token"]
        } else {
            vec!["authorization_code"]
        },
        "response_types": ["code"],
    });
    match issuer.change(|state| state.add_client(client)).await {
        Ok(id) => {
            let mut answer = answer;
            answer["client_id"] = id.into();
            (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer))
                .into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the registered client could not be saved");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refuse(error: &'static str, description: &'static str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
