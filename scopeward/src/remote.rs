//! Asks other servers within bounds: `https` only (`http` on loopback), no redirects, answers of at
//! most 1 MiB, and at most five seconds for each.

mod metadata;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use http_cache_semantics::{CacheOptions, CachePolicy};
use serde_json::Value;
use url::Url;

pub(crate) use metadata::Metadata;

use crate::policy::url::{is_loopback, may_be_asked};

/// The largest answer that is read, in bytes: 1 MiB. Metadata, keys and lists of scopes are far
/// smaller.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// How long a request may take until its answer is read, so that a slow server holds nobody up.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why another server gave no usable answer. The error names the URL and the reason, and never the
/// data that was sent.
///
/// ```
/// use scopeward::remote::RemoteError;
///
/// fn is_worth_another_try(error: &RemoteError) -> bool {
///     matches!(error, RemoteError::Unreachable { .. } | RemoteError::Status { .. })
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The URL must not be asked, because it is neither `https` nor on loopback.
    #[error("{0} is not an https URL (http is for loopback only)")]
    Address(String),
    /// The server gave no answer in time.
    #[error("cannot ask {url}: {reason}")]
    Unreachable {
        /// The URL that was asked.
        url: String,
        /// Why there is no answer.
        reason: String,
    },
    /// The answer has the status of an error.
    #[error("{url} does not answer as {expected} should: its status is {status}")]
    Status {
        /// The URL that was asked.
        url: String,
        /// The kind of answer that was expected.
        expected: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not what was expected.
    #[error("{url} does not answer as {expected} should: {reason}")]
    Answer {
        /// The URL that was asked.
        url: String,
        /// The kind of answer that was expected.
        expected: &'static str,
        /// The mistake in the answer.
        reason: String,
    },
    /// The secret for the request cannot be read.
    #[error("cannot ask {url}: {reason}")]
    Secret {
        /// The URL that was to be asked.
        url: String,
        /// Why the secret cannot be read; never the secret itself.
        reason: String,
    },
}

/// How a client authenticates itself (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuthentication {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Form,
}

/// A JSON answer, and how long it may be kept.
#[derive(Debug, Clone)]
pub(crate) struct JsonAnswer {
    pub(crate) json: Value,
    /// How long the answer may be kept by its own headers (RFC 9111); zero if they say nothing.
    pub(crate) fresh_for: Duration,
    /// When the answer was made, by the clock of the server (RFC 9110, section 6.6.1).
    pub(crate) date: Option<SystemTime>,
}

/// An answer of any status and form.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) status: http::StatusCode,
    headers: http::HeaderMap,
    /// `Null` when the body is not JSON.
    pub(crate) json: Value,
}

impl Probe {
    /// The value of a header as text; empty if the header is missing or is not text.
    pub(crate) fn header(&self, name: http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An HTTP client that is made at its first use, because making one reads all certificates that the
/// machine trusts, and most servers need one of their clients or none.
#[derive(Debug, Default)]
pub(crate) struct LazyClient(OnceLock<reqwest::Client>);

impl LazyClient {
    pub(crate) fn get(
        &self,
        make: impl FnOnce() -> reqwest::ClientBuilder,
    ) -> reqwest::Result<&reqwest::Client> {
        match self.0.get() {
            Some(client) => Ok(client),
            None => make().build().map(|made| self.0.get_or_init(|| made)),
        }
    }
}

/// An HTTP client with the bounds of this module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remote(Arc<HttpClients>);

#[derive(Debug, Default)]
struct HttpClients {
    /// For other machines, through a proxy if one is set.
    outside: LazyClient,
    /// For this machine itself, without a proxy.
    loopback: LazyClient,
}

impl Remote {
    fn client(&self, address: &Url) -> reqwest::Result<&reqwest::Client> {
        let make = || {
            reqwest::Client::builder()
                .timeout(TIMEOUT)
                // Only the server that was asked may answer, so redirects are not followed.
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("scopeward/", env!("CARGO_PKG_VERSION")))
        };
        if is_loopback(address) {
            self.0.loopback.get(|| make().no_proxy())
        } else {
            self.0.outside.get(make)
        }
    }

    /// Fetches a JSON document.
    pub(crate) async fn get(
        &self,
        url: &str,
        expected: &'static str,
    ) -> Result<JsonAnswer, RemoteError> {
        Self::send(self.request(http::Method::GET, url)?, url, expected).await
    }

    /// Sends a request, and returns the answer whatever its status and form.
    pub(crate) async fn probe(
        &self,
        method: http::Method,
        url: &str,
        headers: &[(http::HeaderName, &str)],
    ) -> Result<Probe, RemoteError> {
        let request = headers.iter().fold(self.request(method, url)?, |request, (name, value)| {
            request.header(name, *value)
        });
        let mut answer = request.send().await.map_err(|error| unreachable(url, &error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = read(&mut answer, url).await?.unwrap_or_default();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Probe { status, headers, json })
    }

    /// Fetches a JSON document with a bearer token.
    pub(crate) async fn get_with(
        &self,
        url: &str,
        token: &str,
        expected: &'static str,
    ) -> Result<JsonAnswer, RemoteError> {
        let request = self.request(http::Method::GET, url)?.bearer_auth(token);
        Self::send(request, url, expected).await
    }

    /// Posts an empty body with a bearer token, and returns the JSON answer.
    pub(crate) async fn post_with(
        &self,
        url: &str,
        token: &str,
        expected: &'static str,
    ) -> Result<JsonAnswer, RemoteError> {
        let request = self.request(http::Method::POST, url)?.bearer_auth(token);
        Self::send(request.header(http::header::CONTENT_LENGTH, 0), url, expected).await
    }

    /// Posts a form as an authenticated client (RFC 6749, section 2.3.1), and returns the JSON
    /// answer.
    pub(crate) async fn post_as(
        &self,
        url: &str,
        (id, secret): (&str, &str),
        authentication: ClientAuthentication,
        form: &[(&str, &str)],
        expected: &'static str,
    ) -> Result<JsonAnswer, RemoteError> {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let request = self.request(http::Method::POST, url)?;
        let request = match authentication {
            ClientAuthentication::Basic => {
                with_form(request.basic_auth(encode(id), Some(encode(secret))), form)
            }
            ClientAuthentication::Form => {
                let credentials = [("client_id", id), ("client_secret", secret)];
                with_form(request, &[form, &credentials].concat())
            }
        };
        Self::send(request, url, expected).await
    }

    /// Posts a form, and returns the JSON answer.
    pub(crate) async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
        expected: &'static str,
    ) -> Result<JsonAnswer, RemoteError> {
        Self::send(with_form(self.request(http::Method::POST, url)?, form), url, expected).await
    }

    fn request(
        &self,
        method: http::Method,
        url: &str,
    ) -> Result<reqwest::RequestBuilder, RemoteError> {
        let address = checked(url)?;
        let client = self.client(&address).map_err(|error| unreachable(url, &error))?;
        Ok(client.request(method, address).header(http::header::ACCEPT, "application/json"))
    }

    async fn send(
        request: reqwest::RequestBuilder,
        url: &str,
        expected: &'static str,
    ) -> Result<JsonAnswer, RemoteError> {
        let wrong = |reason: String| RemoteError::Answer { url: url.to_owned(), expected, reason };
        let mut answer = request.send().await.map_err(|error| unreachable(url, &error))?;
        if !answer.status().is_success() {
            let (url, status) = (url.to_owned(), answer.status().as_u16());
            return Err(RemoteError::Status { url, expected, status });
        }
        let kind = answer.headers().get(http::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !is_json(kind) {
            return Err(wrong(format!("its content type is {kind:?}, not JSON")));
        }
        let fresh_for = freshness(url, &answer);
        let date = answer.headers().get(http::header::DATE);
        let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let body = read(&mut answer, url).await?;
        let body =
            body.ok_or_else(|| wrong(format!("it is larger than {LARGEST_ANSWER} bytes")))?;
        let json = serde_json::from_slice(&body).map_err(|_| wrong("it is not JSON".to_owned()))?;
        Ok(JsonAnswer { json, fresh_for, date })
    }
}

fn with_form(request: reqwest::RequestBuilder, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let kind = "application/x-www-form-urlencoded";
    request.header(http::header::CONTENT_TYPE, kind).body(body)
}

/// Reads the body; `None` if it is larger than [`LARGEST_ANSWER`].
async fn read(answer: &mut reqwest::Response, url: &str) -> Result<Option<Vec<u8>>, RemoteError> {
    let mut body = vec![];
    while let Some(part) = answer.chunk().await.map_err(|error| unreachable(url, &error))? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST_ANSWER {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// Parses a URL that may be asked: `https` anywhere, or `http` on loopback.
pub(crate) fn checked(url: &str) -> Result<Url, RemoteError> {
    may_be_asked(url).ok_or_else(|| RemoteError::Address(url.to_owned()))
}

/// Whether the content type is `application/json` or ends in `+json` (RFC 6839).
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// How long the answer may be kept by its own headers (RFC 9111).
fn freshness(url: &str, answer: &reqwest::Response) -> Duration {
    let mut request = http::Request::new(());
    if let Ok(uri) = url.parse() {
        *request.uri_mut() = uri;
    }
    let mut response = http::Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    // The cache belongs to one server, and guesses no lifetime when the headers say nothing.
    let options = CacheOptions { shared: false, cache_heuristic: 0.0, ..CacheOptions::default() };
    CachePolicy::new_options(&request, &response, SystemTime::now(), options)
        .time_to_live(SystemTime::now())
}

fn unreachable(url: &str, error: &reqwest::Error) -> RemoteError {
    // The innermost cause says the most, such as "connection refused".
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let reason = if error.is_timeout() {
        format!("no answer within {} seconds", TIMEOUT.as_secs())
    } else {
        cause.to_string()
    };
    RemoteError::Unreachable { url: url.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_are_asked() {
        for good in
            ["https://as.example/x", "http://localhost:9/x", "http://127.0.0.1", "http://[::1]/"]
        {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["http://as.example", "file:///etc/passwd", "as.example", "ftp://localhost/"] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_json_content_types_are_json() {
        assert!(is_json("application/json; charset=utf-8") && is_json("application/jwk-set+json"));
        assert!(!is_json("text/html") && !is_json("") && !is_json("text/json"));
    }
}
