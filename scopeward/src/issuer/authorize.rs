//! The authorization endpoint (OAuth 2.1, section 4.1): the request, the consent page, the answer.

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
use http::{StatusCode, header};
use url::Url;

use super::{
    Issuer, consent, pages,
    parameters::{Parameters, Repeated},
    secret,
    state::Pending,
};
use crate::policy::Scope;

const LARGEST_FORM: usize = 16 * 1024;
/// Binds a consent page to the browser that was shown it.
pub(super) const BROWSER_COOKIE: &str = "scopeward_sign_in";

pub(super) fn router() -> Router<Issuer> {
    Router::new()
        .route("/oauth/authorize", get(ask).post(consent::answer))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
}

/// A mistake in a request whose redirect URI is known to be the client's: the client is told.
pub(super) struct ToClient {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) error: &'static str,
    pub(super) description: String,
}

enum Refused {
    /// Shown to the person: there is nobody safe to send them to.
    Page(&'static str),
    Redirect(ToClient),
}

impl From<Repeated> for Refused {
    fn from(_: Repeated) -> Self {
        Self::Page("A parameter of the sign-in request stands more than once.")
    }
}

/// `GET`: checks the request and shows the consent page.
async fn ask(State(issuer): State<Issuer>, RawQuery(query): RawQuery, jar: CookieJar) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let browser = match jar.get(BROWSER_COOKIE) {
        Some(cookie) if cookie.value().len() == secret::random().len() => cookie.value().to_owned(),
        _ => secret::random(),
    };
    match read_request(&issuer, &parameters, &browser).await {
        Ok(pending) => {
            let page = consent::page(&issuer, &pending, String::new(), &[], None);
            let id = issuer.state().add_pending(pending, issuer.now());
            let cookie = Cookie::build((BROWSER_COOKIE, browser))
                .path("/oauth/authorize")
                .http_only(true)
                .same_site(SameSite::Lax);
            (jar.add(cookie), pages::consent(&page, &id)).into_response()
        }
        Err(Refused::Page(message)) => pages::error(StatusCode::BAD_REQUEST, message),
        Err(Refused::Redirect(refusal)) => refusal.send(&issuer),
    }
}

/// Checks an authorization request. Until the client and its redirect URI are known to belong
/// together, nobody is redirected anywhere (RFC 6749, section 4.1.2.1).
async fn read_request(
    issuer: &Issuer,
    parameters: &Parameters,
    browser: &str,
) -> Result<Pending, Refused> {
    let client_id = parameters.one("client_id")?.unwrap_or_default();
    let Some(client) = issuer.client(client_id).await else {
        return Err(Refused::Page(
            "This client is not registered here. Let the client sign in again, so that it \
             registers anew.",
        ));
    };
    let redirect_uri = parameters
        .one("redirect_uri")?
        .filter(|uri| client.may_redirect_to(uri))
        .ok_or(Refused::Page("The redirect URI is not one that this client registered."))?
        .to_owned();
    let state = parameters.one("state")?.map(str::to_owned);
    let refuse = |error, description: &str| {
        Err(Refused::Redirect(ToClient {
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
    Ok(Pending {
        client,
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        challenge: challenge.to_owned(),
        scopes,
        browser: browser.to_owned(),
    })
}

/// A SHA-256 digest, base64url (RFC 7636, section 4.2).
fn is_challenge(challenge: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    challenge.len() == 43 && challenge.bytes().all(allowed)
}

/// The registered scopes among the requested ones, in the order of the policy. Others are ignored
/// (RFC 6749, section 3.3): clients ask for `offline_access` and the like by habit. A request
/// without scopes means those of first sign-in.
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

impl ToClient {
    pub(super) fn send(self, issuer: &Issuer) -> Response {
        redirect(
            issuer,
            &self.redirect_uri,
            &[
                ("error", Some(self.error)),
                ("error_description", Some(&self.description)),
                ("state", self.state.as_deref()),
            ],
        )
    }
}

/// Back to the client, always naming the issuer (RFC 9207).
pub(super) fn redirect(
    issuer: &Issuer,
    uri: &str,
    parameters: &[(&str, Option<&str>)],
) -> Response {
    let Ok(mut url) = Url::parse(uri) else {
        return pages::error(StatusCode::BAD_REQUEST, "The redirect URI cannot be used.");
    };
    {
        let mut query = url.query_pairs_mut();
        for (name, value) in parameters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.append_pair("iss", issuer.url());
    }
    let headers = [(header::LOCATION, url.to_string()), (header::CACHE_CONTROL, "no-store".into())];
    (StatusCode::SEE_OTHER, headers).into_response()
}
