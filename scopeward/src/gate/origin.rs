//! Host and Origin validation, because a page of another site must not reach this server through a
//! person's browser (MCP, "Streamable HTTP", security; DNS rebinding).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{extract::Request, response::Response};
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, header, uri::Authority};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};
use url::Url;

use super::misdirected::{self, Misdirected, forbidden};
use crate::{
    http::drain,
    live::LivePolicy,
    policy::{ResourceUrl, url::is_loopback},
};

/// The hosts and origins that requests may name.
///
/// ```
/// use scopeward::{LivePolicy, Registry, gate::origin::AllowedOrigins};
/// use scopeward::policy::{agreement, diagnostic::Source};
///
/// let text = "version = 1\n[server]\nurl = \"https://mcp.example.com/mcp\"\n";
/// let checked = agreement::check(&Source::new("policy.toml", text), &Registry::new(&[]), None)?;
/// let allowed = AllowedOrigins::new(&LivePolicy::from(checked));
/// assert_eq!(allowed.hosts(), ["mcp.example.com", "mcp.example.com:443"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AllowedOrigins {
    resource: Arc<ResourceUrl>,
    /// The policy, which lists further origins.
    live: LivePolicy,
    /// The usual values of `Host`: each own host with its port, and also without it if the port is
    /// the scheme's default.
    usual: Arc<[String]>,
    /// The values of `Host` that a proxy sends in place of the resource's own.
    by_proxy: Arc<[String]>,
    log: misdirected::Log,
}

impl AllowedOrigins {
    /// Allows the resource's own host and origin, and the origins that the policy lists. A resource on
    /// loopback can also be reached by the other names of loopback, and from pages that this machine
    /// serves, such as MCP Inspector's.
    pub fn new(policy: &LivePolicy) -> Self {
        Self::with_hosts(policy, &[])
    }

    /// As [`new`](Self::new), and allows these values of `Host` as well, which a proxy sends.
    pub(crate) fn with_hosts(policy: &LivePolicy, by_proxy: &[String]) -> Self {
        let mut this = Self {
            resource: Arc::new(policy.current().resource().clone()),
            live: policy.clone(),
            usual: Arc::default(),
            by_proxy: by_proxy.into(),
            log: misdirected::Log::default(),
        };
        let port = this.resource.port();
        let without_port = this.own_names().filter(|_| port == this.default_port());
        let without_port = without_port.map(str::to_owned);
        let with_port = this.own_names().map(|name| format!("{name}:{port}"));
        this.usual = without_port.chain(with_port).collect();
        this
    }

    /// The values of `Host` that clients and proxies send, in lower case: each own host with its port,
    /// and without the port if its scheme implies that.
    pub fn hosts(&self) -> Vec<String> {
        self.usual.iter().chain(&*self.by_proxy).cloned().collect()
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
        let is_by_proxy = |host: &str| self.by_proxy.iter().any(|by| by.eq_ignore_ascii_case(host));
        if uri.authority().is_none() && host.to_str().is_ok_and(is_by_proxy) {
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
        if origin == self.resource.origin() || self.live.current().allows_origin(origin) {
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
            .allow_origin(AllowOrigin::predicate(move |origin, request| {
                is_public(request.uri.path())
                    || origin.to_str().is_ok_and(|origin| this.allows_origin(origin))
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
    /// The reason why a request is refused, after it was counted; `None` if it is allowed.
    fn refusal(&self, request: &Request) -> Option<String> {
        let headers = request.headers();
        if !self.allows_host(headers, request.uri()) {
            let expected = self.usual.first().map_or("", String::as_str);
            let message = format!(
                "the Host header is not this server's, which is `{expected}`: set `url` in the policy, or \
                 MCP_URL, to the address that clients use, or name the Host that a proxy sends in \
                 ALLOWED_HOSTS"
            );
            self.log.refused(Misdirected::Host, headers.get(header::HOST), &message);
            return Some(message);
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let is_allowed =
            |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| self.allows_origin(origin));
        if origins.all(is_allowed) || is_public(request.uri().path()) {
            return None;
        }
        let message = "the Origin header is not an allowed one: list the origins of pages that may use \
                       this server as `origins` in `[server]` of the policy";
        self.log.refused(Misdirected::Origin, headers.get(header::ORIGIN), message);
        Some(message.to_owned())
    }

    /// The answer to a request for a path at which there is nothing.
    pub(crate) fn not_found(&self) -> Response {
        let expected = format!("the MCP endpoint is at {}", self.resource);
        self.log.refused(Misdirected::Path, None, &expected);
        misdirected::not_found(&expected)
    }
}

/// Whether pages of every origin may read the answers at a path: metadata says the same to everybody,
/// and takes no credentials (RFC 8414, section 3.2; RFC 9728, section 3.1).
fn is_public(path: &str) -> bool {
    path.starts_with("/.well-known/") || path == "/oauth/jwks"
}

/// A service that can be reached only by its own hosts and from allowed origins.
///
/// ```
/// use axum::{Router, routing::get};
/// use scopeward::gate::origin::{AllowedOrigins, ValidatedHost};
/// use tower::Layer;
///
/// fn only_by_its_own_hosts(allowed: &AllowedOrigins) -> ValidatedHost<Router> {
///     allowed.layer(Router::new().route("/about", get(|| async { "Notes" })))
/// }
/// ```
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
            Some(message) => Either::Left(Box::pin(async move {
                drain::discard(request.into_body()).await;
                Ok(forbidden(&message))
            })),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{CompiledPolicy, diagnostic::Source};

    fn allowed(resource: &str) -> AllowedOrigins {
        with_hosts(resource, &[])
    }

    fn with_hosts(resource: &str, hosts: &[&str]) -> AllowedOrigins {
        let text = format!(
            "version = 1\n[server]\nurl = \"{resource}\"\norigins = [\"https://claude.ai\"]\n"
        );
        let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        AllowedOrigins::with_hosts(&LivePolicy::unserved(Arc::new(policy)), &hosts)
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
        let proxied = with_hosts("https://mcp.example.com/mcp", &["todo:3002"]);
        assert!(host(&proxied, "todo:3002") && host(&proxied, "mcp.example.com"));
        assert!(!host(&proxied, "todo") && !host(&proxied, "todo:3003"));
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
        assert!(public.allows_origin("https://claude.ai"));
        for bad in
            ["http://claude.ai", "https://claude.ai.evil.example", "https://mcp.example.com:444"]
        {
            assert!(!public.allows_origin(bad), "{bad}");
        }
    }
}
