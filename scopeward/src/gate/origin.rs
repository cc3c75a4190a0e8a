//! Host and Origin validation, because a page of another site must not reach this server through a
//! person's browser (MCP, "Streamable HTTP", security; DNS rebinding).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};
use url::Url;

use crate::{
    http::drain,
    policy::{ResourceUrl, url::is_loopback},
};

/// The hosts and origins that requests may name.
#[derive(Debug, Clone)]
pub struct AllowedOrigins {
    resource: Arc<ResourceUrl>,
    /// The usual values of `Host`: each own host with its port, and also without it if the port is
    /// the scheme's default.
    usual: Arc<[String]>,
}

impl AllowedOrigins {
    /// Allows the resource's own host and origin. A resource on loopback can also be reached by the
    /// other names of loopback, and from pages that this machine serves, such as MCP Inspector's.
    pub fn new(resource: ResourceUrl) -> Self {
        let mut this = Self { resource: Arc::new(resource), usual: Arc::default() };
        let without_port = this.own_names().filter(|_| this.resource.port() == this.default_port());
        this.usual = this.hosts().into_iter().chain(without_port.map(str::to_owned)).collect();
        this
    }

    /// The own hosts with their port, for rmcp's own check, which runs after this one.
    pub fn hosts(&self) -> Vec<String> {
        let port = self.resource.port();
        self.own_names().map(|name| format!("{name}:{port}")).collect()
    }

    /// The resource's own host, and on loopback the other names of loopback.
    fn own_names(&self) -> impl Iterator<Item = &str> {
        let loopback: &[&str] =
            if self.resource.is_loopback() { &["localhost", "127.0.0.1", "[::1]"] } else { &[] };
        loopback.iter().copied().chain([self.resource.host()])
    }

    fn allows_host(&self, headers: &HeaderMap, uri: &http::Uri) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        // Nearly every request writes one of the usual values, so most need no parsing.
        if uri.authority().is_none() && self.usual.iter().any(|usual| **usual == *host) {
            return true;
        }
        let allowed = |authority: &Authority| {
            authority.port_u16().unwrap_or(self.default_port()) == self.resource.port()
                && self.is_own_host(authority.host())
                && !authority.as_str().contains('@')
        };
        let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        host.as_ref().is_some_and(allowed) && uri.authority().is_none_or(allowed)
    }

    fn default_port(&self) -> u16 {
        if self.resource.origin().starts_with("https:") { 443 } else { 80 }
    }

    fn is_own_host(&self, host: &str) -> bool {
        self.own_names().any(|name| host.eq_ignore_ascii_case(name))
    }

    fn allows_origin(&self, origin: &str) -> bool {
        if origin == self.resource.origin() {
            return true;
        }
        self.resource.is_loopback()
            && Url::parse(origin).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && is_loopback(&url)
                    && url.origin().ascii_serialization() == origin
            })
    }

    /// Makes a CORS layer for the allowed origins, with the methods and headers that a client in a
    /// browser needs to sign in and to call tools.
    pub(crate) fn cors(&self) -> CorsLayer {
        let this = self.clone();
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| {
                origin.to_str().is_ok_and(|origin| this.allows_origin(origin))
            }))
            .allow_methods([http::Method::GET, http::Method::POST, http::Method::DELETE])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([
                header::WWW_AUTHENTICATE,
                http::HeaderName::from_static("mcp-session-id"),
            ])
    }
}

/// Refuses, with 403, a request for another host or from a page of another origin. A request
/// without `Origin` is accepted, because it does not come from a page.
impl<S> Layer<S> for AllowedOrigins {
    type Service = ValidatedHost<S>;

    fn layer(&self, inner: S) -> ValidatedHost<S> {
        ValidatedHost { allowed: self.clone(), inner }
    }
}

impl AllowedOrigins {
    /// The reason why a request is refused; `None` if it is allowed.
    fn refusal(&self, request: &Request) -> Option<&'static str> {
        if !self.allows_host(request.headers(), request.uri()) {
            return Some("the Host header is not this server's");
        }
        let mut origins = request.headers().get_all(header::ORIGIN).iter();
        let is_allowed =
            |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| self.allows_origin(origin));
        (!origins.all(is_allowed)).then_some("the Origin header is not an allowed one")
    }
}

/// A service that can be reached only by its own hosts and from allowed origins.
#[derive(Debug, Clone)]
pub struct ValidatedHost<S> {
    allowed: AllowedOrigins,
    inner: S,
}

impl<S> Service<Request> for ValidatedHost<S>
where
    S: Service<Request, Response = Response>,
    S::Error: 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<RefusedFuture<S::Error>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.allowed.refusal(&request) {
            Some(message) => {
                Either::Left(Box::pin(async move { Ok(forbidden(request, message).await) }))
            }
            None => Either::Right(self.inner.call(request)),
        }
    }
}

/// The answer to a refused request, as a future.
type RefusedFuture<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

/// A layer that applies CORS only to requests from pages, which have an `Origin` header. Nearly all
/// requests have none and skip the work. Their answers have no `Vary: Origin`, which does no harm,
/// because calls are POST and their answers are not cached.
#[derive(Debug, Clone)]
pub(crate) struct BrowserAnswersLayer(pub(crate) AllowedOrigins);

impl<S: Clone> Layer<S> for BrowserAnswersLayer {
    type Service = BrowserAnswers<S>;

    fn layer(&self, inner: S) -> BrowserAnswers<S> {
        BrowserAnswers { inner, cors: Arc::new(self.0.cors()) }
    }
}

/// A service that applies CORS to the requests that come from pages.
#[derive(Debug, Clone)]
pub(crate) struct BrowserAnswers<S> {
    inner: S,
    cors: Arc<CorsLayer>,
}

impl<S> Service<Request> for BrowserAnswers<S>
where
    S: Service<Request, Response = Response> + Clone,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, <Cors<S> as Service<Request>>::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.headers().contains_key(header::ORIGIN) {
            // The service that was polled ready is the one to call.
            let clone = self.inner.clone();
            let ready = std::mem::replace(&mut self.inner, clone);
            Either::Right(self.cors.layer(ready).call(request))
        } else {
            Either::Left(self.inner.call(request))
        }
    }
}

async fn forbidden(request: Request, message: &'static str) -> Response {
    drain::discard(request.into_body()).await;
    let body = serde_json::json!({
        "jsonrpc": "2.0",
        "error": { "code": -32600, "message": message },
    });
    (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(resource: &str) -> AllowedOrigins {
        AllowedOrigins::new(ResourceUrl::parse(resource).unwrap())
    }

    fn host(allowed: &AllowedOrigins, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, http::HeaderValue::from_static(host));
        allowed.allows_host(&headers, &http::Uri::from_static("/mcp"))
    }

    #[test]
    fn hosts() {
        let local = allowed("http://localhost:3002/mcp");
        for good in ["localhost:3002", "LOCALHOST:3002", "127.0.0.1:3002", "[::1]:3002"] {
            assert!(host(&local, good), "{good}");
        }
        for bad in [
            "localhost",
            "localhost:3003",
            "evil.example:3002",
            "localhost.:3002",
            "a@localhost:3002",
        ] {
            assert!(!host(&local, bad), "{bad}");
        }
        let public = allowed("https://mcp.example.com/mcp");
        assert!(host(&public, "mcp.example.com") && host(&public, "mcp.example.com:443"));
        assert!(!host(&public, "localhost") && !host(&public, "mcp.example.com:80"));
    }

    #[test]
    fn origins() {
        let local = allowed("http://localhost:3002/mcp");
        for good in ["http://localhost:3002", "http://localhost:6274", "http://127.0.0.1:1"] {
            assert!(local.allows_origin(good), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://evil.example",
            "http://localhost.evil.example",
            "file://",
            "http://localhost:3002/",
            "http://u@localhost:3002",
        ] {
            assert!(!local.allows_origin(bad), "{bad}");
        }
        let public = allowed("https://mcp.example.com/mcp");
        assert!(public.allows_origin("https://mcp.example.com"));
        for bad in
            ["http://mcp.example.com", "https://mcp.example.com:444", "http://localhost:6274"]
        {
            assert!(!public.allows_origin(bad), "{bad}");
        }
    }
}
