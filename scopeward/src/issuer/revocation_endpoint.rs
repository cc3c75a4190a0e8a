//! The token revocation endpoint (RFC 7009), where a client ends its own refresh tokens.
//!
//! Revoking a refresh token ends its whole family: all refresh tokens that followed from one
//! sign-in. Access tokens cannot be revoked here: servers check an access token without asking the
//! issuer, and it expires after one hour.

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
    token_answer::TokenRequestError,
    tokens::{LARGEST_REQUEST, authenticated},
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
    // A JWT can only be an access token, which cannot be revoked here (RFC 7009, section 2.2.1).
    if token.split('.').count() == 3 {
        return Err(TokenRequestError::new(
            "unsupported_token_type",
            "access tokens cannot be revoked here; revoke the refresh token",
        ));
    }
    let (token, now) = (token.to_owned(), issuer.now());
    match issuer.change(move |state| state.revoke(&token, &client.id, now)).await? {
        RevocationOutcome::IssuedToAnotherClient => {
            Err(TokenRequestError::grant("the token was issued to another client"))
        }
        // RFC 7009, section 2.2: a token that does not exist counts as revoked.
        RevocationOutcome::Gone => {
            Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response())
        }
    }
}
