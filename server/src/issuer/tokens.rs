//! The token endpoint (RFC 6749, section 3.2): codes and refresh tokens become access tokens.

use std::io;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{StatusCode, header};
use serde_json::json;

use super::{
    ACCESS_TOKEN_LIFETIME, Issuer, join,
    parameters::{Parameters, Repeated},
    secret,
    state::Grant,
};
use crate::policy::Scope;

pub(super) const LARGEST_REQUEST: usize = 16 * 1024;

pub(super) fn router() -> Router<Issuer> {
    Router::new().route("/oauth/token", post(token)).layer(DefaultBodyLimit::max(LARGEST_REQUEST))
}

/// An error answer (RFC 6749, section 5.2).
pub(super) struct Refused(StatusCode, &'static str, String);

impl Refused {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, error, description.into())
    }

    pub(super) fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }
}

impl From<Repeated> for Refused {
    fn from(Repeated(name): Repeated) -> Self {
        Self::new("invalid_request", format!("{name} stands more than once"))
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "the issuer's state could not be kept");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self(status, "server_error", "the issuer's state could not be kept".to_owned())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, error, description) = self;
        let body = json!({ "error": error, "error_description": description });
        (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

async fn token(State(issuer): State<Issuer>, body: bytes::Bytes) -> Response {
    let parameters = Parameters::parse(&body);
    answer(&issuer, &parameters).unwrap_or_else(IntoResponse::into_response)
}

fn answer(issuer: &Issuer, parameters: &Parameters) -> Result<Response, Refused> {
    let client_id = registered_client(issuer, parameters)?;
    let resource = &issuer.0.resource;
    if !parameters.all("resource").iter().all(|wanted| resource.matches(wanted)) {
        return Err(Refused::new("invalid_target", format!("the only resource is {resource}")));
    }
    match parameters.one("grant_type")? {
        Some("authorization_code") => exchange_code(issuer, client_id, parameters),
        Some("refresh_token") => refresh(issuer, client_id, parameters),
        _ => Err(Refused::new(
            "unsupported_grant_type",
            "grant_type must be authorization_code or refresh_token",
        )),
    }
}

/// Who asks. Every client is public: it names itself.
pub(super) fn registered_client<'a>(
    issuer: &Issuer,
    parameters: &'a Parameters,
) -> Result<&'a str, Refused> {
    let named = parameters.one("client_id")?;
    named.filter(|id| issuer.state().client(id).is_some()).ok_or_else(|| {
        let description = "client_id is not registered; register at registration_endpoint";
        Refused(StatusCode::UNAUTHORIZED, "invalid_client", description.to_owned())
    })
}

fn exchange_code(
    issuer: &Issuer,
    client_id: &str,
    parameters: &Parameters,
) -> Result<Response, Refused> {
    let text = parameters.one("code")?.ok_or(Refused::new("invalid_request", "code is missing"))?;
    let verifier = parameters
        .one("code_verifier")?
        .ok_or(Refused::new("invalid_request", "code_verifier is missing"))?;
    let redirect_uri = parameters.one("redirect_uri")?;

    // One lock from the look to the use: of two requests with one code, one gets nothing.
    let mut state = issuer.state();
    let now = issuer.now();
    let code = state
        .code(text, now)?
        .ok_or(Refused::grant("the code is unknown, expired or was used before"))?;
    if code.grant.client_id != client_id {
        return Err(Refused::grant("the code was issued to another client"));
    }
    if redirect_uri.is_some_and(|uri| uri != code.redirect_uri) {
        return Err(Refused::grant("redirect_uri is not that of the authorization request"));
    }
    if !is_verifier(verifier) || !secret::same(&secret::fingerprint(verifier), &code.challenge) {
        return Err(Refused::grant("code_verifier does not match code_challenge"));
    }
    let refresh_token = state.use_code(text, now)?;
    drop(state);
    issue(issuer, &code.grant, &scopes_of(issuer, &code.grant), refresh_token)
}

/// RFC 7636, section 4.1.
fn is_verifier(verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved)
}

fn refresh(issuer: &Issuer, client_id: &str, parameters: &Parameters) -> Result<Response, Refused> {
    let token = parameters
        .one("refresh_token")?
        .ok_or(Refused::new("invalid_request", "refresh_token is missing"))?;
    let wanted = parameters.one("scope")?;
    // One lock from the look to the replacement: of two requests with one token, one is reuse.
    let mut state = issuer.state();
    let now = issuer.now();
    let grant = state.refreshable(token, client_id, now)?.ok_or(Refused::grant(
        "the refresh token is unknown, expired or was used before; sign in again",
    ))?;
    let scopes = match wanted {
        None => scopes_of(issuer, &grant),
        Some(wanted) => narrow(&scopes_of(issuer, &grant), wanted)?,
    };
    let next = state.rotate(token, now)?;
    drop(state);
    issue(issuer, &grant, &scopes, next)
}

/// RFC 6749, section 6: a refresh can narrow what was granted, never widen it.
fn narrow(granted: &[Scope], wanted: &str) -> Result<Vec<Scope>, Refused> {
    let words = wanted.split(' ').filter(|word| !word.is_empty());
    words
        .map(|word| {
            granted.iter().find(|scope| scope.as_str() == word).cloned().ok_or(Refused::new(
                "invalid_scope",
                "a refresh cannot add scopes; send the person to authorization_endpoint",
            ))
        })
        .collect()
}

/// The granted scopes that are still registered.
fn scopes_of(issuer: &Issuer, grant: &Grant) -> Vec<Scope> {
    let registered = issuer.registered().into_iter();
    registered.filter(|scope| grant.scopes.iter().any(|g| g == scope.as_str())).collect()
}

fn issue(
    issuer: &Issuer,
    grant: &Grant,
    scopes: &[Scope],
    refresh_token: Option<String>,
) -> Result<Response, Refused> {
    let access_token = issuer.sign(&grant.subject, &grant.client_id, scopes).map_err(|error| {
        Refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error", error.to_string())
    })?;
    let mut body = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_LIFETIME,
        "scope": join(scopes),
    });
    if let Some(refresh_token) = refresh_token {
        body["refresh_token"] = refresh_token.into();
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
