//! The token endpoint (RFC 6749, section 3.2): issues access tokens for authorization codes,
//! refresh tokens and client secrets.

use axum::{
    Json, Router,
    extract::{self, DefaultBodyLimit},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    Issuer, MACHINE,
    client::Client,
    credentials,
    parameters::Parameters,
    refresh::refresh,
    state::{Grant, State},
    token_answer::{REVOKED, TokenRequestError, access_token, narrow, scopes_of},
};
use crate::policy::Scope;

/// The largest body that is read, in bytes, so that a request cannot fill the memory.
pub(super) const LARGEST_REQUEST: usize = 16 * 1024;

pub(super) fn router() -> Router<Issuer> {
    Router::new().route("/oauth/token", post(token)).layer(DefaultBodyLimit::max(LARGEST_REQUEST))
}

async fn token(
    extract::State(issuer): extract::State<Issuer>,
    headers: HeaderMap,
    body: bytes::Bytes,
) -> Response {
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
    let resource = &issuer.0.resource;
    if !parameters.all("resource").iter().all(|wanted| resource.matches(wanted)) {
        return Err(TokenRequestError::new(
            "invalid_target",
            format!("the only resource is {resource}"),
        ));
    }
    match parameters.one("grant_type")? {
        Some("authorization_code") => exchange_code(issuer, client.id, parameters).await,
        Some("refresh_token") => refresh(issuer, client.id, parameters).await.map(respond),
        Some("client_credentials") => client_credentials(issuer, &client, parameters),
        _ => Err(TokenRequestError::new(
            "unsupported_grant_type",
            "grant_type must be authorization_code, refresh_token or client_credentials",
        )),
    }
}

/// Authenticates the client. A public client gives its identifier alone; a client with a secret
/// gives both, in the header or in the body (RFC 6749, section 2.3.1).
pub(super) async fn authenticated(
    issuer: &Issuer,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Client, TokenRequestError> {
    let (id, shown) = match headers.get(header::AUTHORIZATION) {
        None => {
            let id = parameters.one("client_id")?.map(str::to_owned);
            (id, parameters.one("client_secret")?.map(str::to_owned))
        }
        Some(value) => {
            let basic = value.to_str().ok().and_then(basic);
            let (id, secret) = basic.ok_or_else(|| {
                TokenRequestError::client(
                    "the Authorization header is not valid for client_secret_basic",
                )
            })?;
            let is_one = parameters.one("client_id")?.is_none_or(|named| named == id);
            if !is_one || parameters.one("client_secret")?.is_some() {
                return Err(TokenRequestError::new(
                    "invalid_request",
                    "the client authenticates in two ways at once",
                ));
            }
            (Some(id), Some(secret))
        }
    };
    let client = match id {
        Some(id) => issuer.client(&id).await,
        None => None,
    };
    let client = client.ok_or_else(|| {
        TokenRequestError::client("client_id is not registered; register at registration_endpoint")
    })?;
    if !client.is_proved_by(shown.as_deref()) {
        return Err(TokenRequestError::client("the client's secret is wrong or missing"));
    }
    Ok(client)
}

/// Reads `Basic` credentials, whose two parts are form-encoded (RFC 6749, section 2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        let part = part.replace('+', " ");
        percent_decode_str(&part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    Some((decode(id)?, decode(secret)?))
}

/// Issues a token to a machine (RFC 6749, section 4.4), with scopes that the policy gives to this
/// client. The client is its own subject (RFC 9068, section 2.2), in the namespace of machines.
fn client_credentials(
    issuer: &Issuer,
    client: &Client,
    parameters: &Parameters,
) -> Result<Response, TokenRequestError> {
    if client.scopes.is_empty() {
        return Err(TokenRequestError::new(
            "unauthorized_client",
            "the policy gives this client no scopes of its own",
        ));
    }
    let scopes = client.scopes.iter().map(ToString::to_string).collect();
    let subject = format!("{MACHINE}{}", client.id);
    let grant = Grant::now(client.id.clone(), subject, scopes, issuer.now());
    let granted = scopes_of(issuer, &grant);
    let scopes = match parameters.one("scope")? {
        None => granted,
        Some(wanted) => narrow(&granted, wanted, "the policy does not give this client the scope")?,
    };
    issue(issuer, &grant, &scopes, None)
}

async fn exchange_code(
    issuer: &Issuer,
    client_id: String,
    parameters: &Parameters,
) -> Result<Response, TokenRequestError> {
    let text = parameters
        .one("code")?
        .ok_or(TokenRequestError::new("invalid_request", "code is missing"))?
        .to_owned();
    let verifier = parameters
        .one("code_verifier")?
        .ok_or(TokenRequestError::new("invalid_request", "code_verifier is missing"))?
        .to_owned();
    let redirect_uri = parameters.one("redirect_uri")?.map(str::to_owned);
    let (now, this) = (issuer.now(), issuer.clone());
    // One step from the lookup to the use, so that one code gives a token to one request only.
    let used = move |state: &mut State| {
        let code = state
            .code(&text, now)
            .ok_or(TokenRequestError::grant("the code is unknown, expired or was used before"))?;
        if code.grant.client_id != client_id {
            return Err(TokenRequestError::grant("the code was issued to another client"));
        }
        if redirect_uri.is_some_and(|uri| uri != code.redirect_uri) {
            return Err(TokenRequestError::grant(
                "redirect_uri is not that of the authorization request",
            ));
        }
        if !is_verifier(&verifier)
            || !credentials::same(&credentials::fingerprint(&verifier), &code.challenge)
        {
            return Err(TokenRequestError::grant("code_verifier does not match code_challenge"));
        }
        if this.is_revoked(&code.grant) {
            return Err(TokenRequestError::grant(REVOKED));
        }
        let refresh_token = state.use_code(&text, now);
        Ok((code.grant, refresh_token))
    };
    let (grant, refresh_token) = issuer.change(used).await??;
    issue(issuer, &grant, &scopes_of(issuer, &grant), refresh_token)
}

/// Whether a PKCE verifier has the form of RFC 7636, section 4.1.
fn is_verifier(verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved)
}

fn issue(
    issuer: &Issuer,
    grant: &Grant,
    scopes: &[Scope],
    refresh_token: Option<String>,
) -> Result<Response, TokenRequestError> {
    let mut answer = access_token(issuer, grant, scopes)?;
    if let Some(refresh_token) = refresh_token {
        answer["refresh_token"] = refresh_token.into();
    }
    Ok(respond(answer))
}

fn respond(answer: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
