//! Token revocation (RFC 7009): a client gives back what it was granted.
//!
//! A refresh token ends with the whole line that began with its sign-in. Access tokens live for
//! minutes and are checked without asking anyone: they end by themselves.

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode, header};

use super::{
    Issuer,
    parameters::Parameters,
    state::RevocationOutcome,
    tokens::{LARGEST_REQUEST, TokenRequestError, authenticated},
};

pub(super) fn router() -> Router<Issuer> {
    Router::new().route("/oauth/revoke", post(revoke)).layer(DefaultBodyLimit::max(LARGEST_REQUEST))
}

async fn revoke(State(issuer): State<Issuer>, headers: HeaderMap, body: bytes::Bytes) -> Response {
    let parameters = Parameters::parse(&body);
    let answer = answer(&issuer, &headers, &parameters).await;
    answer.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    issuer: &Issuer,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, TokenRequestError> {
    let client = authenticated(issuer, headers, parameters).await?;
    let token = parameters
        .one("token")?
        .ok_or(TokenRequestError::new("invalid_request", "token is missing"))?;
    // A JWT is one of ours or nobody's: section 2.2.1 has a word for what is not done.
    if token.split('.').count() == 3 {
        return Err(TokenRequestError::new(
            "unsupported_token_type",
            "access tokens cannot be revoked here; revoke the refresh token",
        ));
    }
    match issuer.state().revoke(token, &client.id)? {
        RevocationOutcome::OfAnother => {
            Err(TokenRequestError::grant("the token was issued to another client"))
        }
        // Section 2.2: what is not there is revoked already.
        RevocationOutcome::Gone => {
            Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response())
        }
    }
}
