//! The issuer's pages: templates that are checked at compile time and escape their values, with no
//! script and no external request.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest;
use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{StatusCode, header};
use url::Url;

/// The one style sheet of all pages, which is inline and which the CSP allows by its digest.
const STYLE: &str = include_str!("../../templates/style.css");

static STYLE_DIGEST: LazyLock<String> =
    LazyLock::new(|| STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes())));

/// The content of the consent page.
pub(super) struct ConsentPage {
    pub(super) resource: String,
    pub(super) resource_url: String,
    pub(super) client: String,
    /// The host that serves the client's description, if a document describes the client.
    pub(super) client_host: Option<String>,
    pub(super) redirect_uri: String,
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
    pub(super) problem: Option<&'static str>,
}

/// A scope that the person can tick.
pub(super) struct Choice {
    pub(super) scope: String,
    pub(super) title: String,
    pub(super) implies: Vec<String>,
    pub(super) step_up: bool,
    pub(super) ticked: bool,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentTemplate<'a> {
    style: &'static str,
    page: &'a ConsentPage,
    redirect_host: &'a str,
    request: &'a str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate {
    style: &'static str,
    message: &'static str,
}

pub(super) fn consent(page: &ConsentPage, request: &str) -> Response {
    let (redirect_host, form_target) = redirect_target(&page.redirect_uri);
    let template = ConsentTemplate { style: STYLE, page, redirect_host: &redirect_host, request };
    let status =
        if page.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    respond(status, template.render(), &form_target)
}

pub(super) fn error(status: StatusCode, message: &'static str) -> Response {
    respond(status, ErrorTemplate { style: STYLE, message }.render(), "")
}

/// The place where the browser is sent afterwards, as text for a person and as a CSP source. The
/// CSP source is needed because browsers apply `form-action` to the redirect that answers a form as
/// well.
fn redirect_target(uri: &str) -> (String, String) {
    let Ok(url) = Url::parse(uri) else {
        return (String::new(), String::new());
    };
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) => {
            let shown = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
            (shown, url.origin().ascii_serialization())
        }
        (scheme, _) => (format!("the app for {scheme}: links"), format!("{scheme}:")),
    }
}

fn respond(status: StatusCode, page: askama::Result<String>, form_target: &str) -> Response {
    let Ok(page) = page else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {form_target}; \
         frame-ancestors 'none'; base-uri 'none'",
        *STYLE_DIGEST
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // Not `no-referrer`, because browsers would then send `Origin: null` with the form.
        (header::REFERRER_POLICY, "same-origin".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (status, headers, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_targets_as_read_and_as_csp_source() {
        let of = redirect_target;
        assert_eq!(
            of("http://localhost:6274/cb?x=1"),
            ("localhost:6274".into(), "http://localhost:6274".into())
        );
        assert_eq!(
            of("https://app.example/cb"),
            ("app.example".into(), "https://app.example".into())
        );
        assert_eq!(of("cursor://x/cb"), ("the app for cursor: links".into(), "cursor:".into()));
    }
}
