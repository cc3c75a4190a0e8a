//! The answers of the authorization endpoint to a client: redirects to the client's redirect URI.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use url::Url;

use super::{Issuer, pages};

/// The cookie that binds a consent page to the browser that was shown it.
pub(super) const BROWSER_COOKIE: &str = "scopeward_sign_in";

/// An error that is sent to the client, because the redirect URI is known to be the client's.
pub(super) struct AuthorizationError {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) error: &'static str,
    pub(super) description: String,
}

impl AuthorizationError {
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

/// Redirects to the client, and always names the issuer (RFC 9207).
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
