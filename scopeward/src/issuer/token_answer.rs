//! The parts of an answer of the token endpoint: the access token, its scopes, or the error.

use std::io;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{ACCESS_TOKEN_LIFETIME, Issuer, join, parameters::Repeated, state::Grant};
use crate::policy::Scope;

/// The description for a client whose person or grant was revoked.
pub(super) const REVOKED: &str = "the sign-in was revoked; sign in again";

/// An error answer (RFC 6749, section 5.2).
pub(super) struct TokenRequestError(StatusCode, &'static str, String);

impl TokenRequestError {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, error, description.into())
    }

    pub(super) fn client(description: &'static str) -> Self {
        Self(StatusCode::UNAUTHORIZED, "invalid_client", description.to_owned())
    }

    pub(super) fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }
}

impl From<Repeated> for TokenRequestError {
    fn from(Repeated(name): Repeated) -> Self {
        Self::new("invalid_request", format!("{name} is given more than once"))
    }
}

impl From<io::Error> for TokenRequestError {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "the issuer's state could not be saved");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self(status, "server_error", "the issuer's state could not be saved".to_owned())
    }
}

impl IntoResponse for TokenRequestError {
    fn into_response(self) -> Response {
        let Self(status, error, description) = self;
        let body = json!({ "error": error, "error_description": description });
        let answer = (status, [(header::CACHE_CONTROL, "no-store")], Json(body));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6749, section 5.2: a client that used the `Authorization` header is told the
            // scheme.
            return ([(header::WWW_AUTHENTICATE, "Basic realm=\"oauth\"")], answer).into_response();
        }
        answer.into_response()
    }
}

/// The requested scopes, each of which must be granted: a request can narrow a grant, and never
/// widen it (RFC 6749, section 6).
pub(super) fn narrow(
    granted: &[Scope],
    wanted: &str,
    why_not: &'static str,
) -> Result<Vec<Scope>, TokenRequestError> {
    let words = wanted.split(' ').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let found = granted.iter().find(|scope| scope.as_str() == word).cloned();
            found.ok_or(TokenRequestError::new("invalid_scope", why_not))
        })
        .collect()
}

/// The granted scopes that are still registered.
pub(super) fn scopes_of(issuer: &Issuer, grant: &Grant) -> Vec<Scope> {
    let registered = issuer.registered().into_iter();
    registered.filter(|scope| grant.scopes.iter().any(|g| g == scope.as_str())).collect()
}

/// The part of an answer that every grant has (RFC 6749, section 5.1), with a new access token.
pub(super) fn access_token(
    issuer: &Issuer,
    grant: &Grant,
    scopes: &[Scope],
) -> Result<Value, TokenRequestError> {
    let access_token = issuer.sign_for(grant, scopes).map_err(|error| {
        TokenRequestError(StatusCode::INTERNAL_SERVER_ERROR, "server_error", error.to_string())
    })?;
    Ok(json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_LIFETIME,
        "scope": join(scopes),
    }))
}
