//! The authorization endpoint (OAuth 2.1, section 4.1): the request, the consent page, the answer.

use super::{
    Issuer,
    answer::{AuthorizationError, BROWSER_COOKIE},
    consent, credentials, pages,
    parameters::{Parameters, Repeated},
    state::PendingSignIn,
};
use crate::policy::Scope;
use axum::{
    Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use http::StatusCode;

/// The largest form that is read, in bytes, so that a request cannot fill the memory.
const LARGEST_FORM: usize = 16 * 1024;

pub(super) fn router() -> Router<Issuer> {
    Router::new()
        .route("/oauth/authorize", get(ask).post(consent::answer))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// A refused authorization request, and who is told.
enum RefusedRequest {
    /// The person is told on a page, because no redirect URI is known to be safe.
    Page(&'static str),
    /// The client is told, by a redirect.
    Redirect(AuthorizationError),
}

impl From<Repeated> for RefusedRequest {
    fn from(_: Repeated) -> Self {
        Self::Page("A parameter of the sign-in request is given more than once.")
    }
}

/// Answers `GET`: checks the request and shows the consent page.
async fn ask(State(issuer): State<Issuer>, RawQuery(query): RawQuery, jar: CookieJar) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let browser = match jar.get(BROWSER_COOKIE) {
        Some(cookie) if cookie.value().len() == credentials::random().len() => {
            cookie.value().to_owned()
        }
        _ => credentials::random(),
    };
    match read_request(&issuer, &parameters, &browser).await {
        Ok(pending) => {
            let page = consent::page(&issuer, &pending, String::new(), &[], None);
            let now = issuer.now();
            let Ok(id) = issuer.change(move |state| state.add_pending(pending, now)).await else {
                return pages::error(StatusCode::SERVICE_UNAVAILABLE, consent::NOT_SAVED);
            };
            let cookie = Cookie::build((BROWSER_COOKIE, browser))
                .path("/oauth/authorize")
                .http_only(true)
                .same_site(SameSite::Lax);
            (jar.add(cookie), pages::consent(&page, &id)).into_response()
        }
        Err(RefusedRequest::Page(message)) => pages::error(StatusCode::BAD_REQUEST, message),
        Err(RefusedRequest::Redirect(refusal)) => refusal.send(&issuer),
    }
}

/// Checks an authorization request. Until the redirect URI is known to be the client's, an error is
/// a page and never a redirect (RFC 6749, section 4.1.2.1).
async fn read_request(
    issuer: &Issuer,
    parameters: &Parameters,
    browser: &str,
) -> Result<PendingSignIn, RefusedRequest> {
    let client_id = parameters.one("client_id")?.unwrap_or_default();
    let Some(client) = issuer.client(client_id).await else {
        return Err(RefusedRequest::Page(
            "This client is not registered here. Let the client sign in again, so that it \
             registers anew.",
        ));
    };
    let redirect_uri = parameters
        .one("redirect_uri")?
        .filter(|uri| client.may_redirect_to(uri))
        .ok_or(RefusedRequest::Page("The redirect URI is not one that this client registered."))?
        .to_owned();
    let state = parameters.one("state")?.map(str::to_owned);
    let refuse = |error, description: &str| {
        Err(RefusedRequest::Redirect(AuthorizationError {
            redirect_uri: redirect_uri.clone(),
            state: state.clone(),
            error,
            description: description.to_owned(),
        }))
    };
    if parameters.one("response_type")? != Some("code") {
        return refuse("unsupported_response_type", "response_type must be code");
    }
    let challenge = parameters.one("code_challenge")?.unwrap_or_default();
    if parameters.one("code_challenge_method")? != Some("S256") || !is_challenge(challenge) {
        return refuse("invalid_request", "PKCE is required: code_challenge with S256");
    }
    let resource = &issuer.0.resource;
    if !parameters.all("resource").iter().all(|wanted| resource.matches(wanted)) {
        return refuse("invalid_target", &format!("the only resource is {resource}"));
    }
    let scopes = requested(issuer, parameters.one("scope")?);
    if scopes.is_empty() {
        return refuse("invalid_scope", "none of the requested scopes is registered");
    }
    Ok(PendingSignIn {
        client,
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        challenge: challenge.to_owned(),
        scopes,
        browser: browser.to_owned(),
    })
}

/// Whether a PKCE challenge is a SHA-256 digest as base64url (RFC 7636, section 4.2).
fn is_challenge(challenge: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    challenge.len() == 43 && challenge.bytes().all(allowed)
}

/// The registered scopes among the requested ones, in the order of the policy. Other scopes are
/// ignored (RFC 6749, section 3.3), because clients ask for `offline_access` and the like by habit.
/// A request without scopes means the scopes of the first sign-in.
fn requested(issuer: &Issuer, wanted: Option<&str>) -> Vec<Scope> {
    match wanted {
        None => issuer.policy().sign_in_scopes().cloned().collect(),
        Some(wanted) => {
            let words: Vec<&str> = wanted.split(' ').collect();
            let registered = issuer.registered().into_iter();
            registered.filter(|scope| words.contains(&scope.as_str())).collect()
        }
    }
}
