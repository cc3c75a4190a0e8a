//! The URL of the protected resource (RFC 9728), and the addresses that follow from it.

use std::fmt;

use url::{Host, Url};

/// The resource identifier (RFC 8707, section 2; RFC 9728, section 1.2): the URL that clients connect
/// to and tokens are issued for. It has the canonical form of the MCP specification: `http` or
/// `https`, a lower-case host, no trailing slash.
///
/// ```
/// use scopeward_policy::ResourceUrl;
///
/// let url = ResourceUrl::parse("http://LOCALHOST:3002/mcp/")?;
/// assert_eq!(url.as_str(), "http://localhost:3002/mcp");
/// assert_eq!(
///     url.metadata_url(),
///     "http://localhost:3002/.well-known/oauth-protected-resource/mcp"
/// );
/// assert!(ResourceUrl::parse("http://example.com/mcp").is_err(), "https, except on loopback");
/// # Ok::<(), scopeward_policy::ResourceUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUrl {
    text: String,
    url: Url,
}

/// The reason why a string is not the URL of a protected resource.
///
/// ```
/// use scopeward_policy::{ResourceUrl, ResourceUrlError};
///
/// let error = ResourceUrl::parse("http://mcp.example.com/mcp").unwrap_err();
/// assert_eq!(error, ResourceUrlError::Scheme);
/// let url = ResourceUrl::parse("https://mcp.example.com/mcp")?;
/// assert!(url.matches("https://MCP.example.com/mcp/") && !url.is_loopback());
/// assert_eq!((url.host(), url.port(), url.path()), ("mcp.example.com", 443, "/mcp"));
/// assert_eq!(url.origin(), "https://mcp.example.com");
/// let other = url.with_port(8443).with_path("/notes");
/// assert_eq!(other.as_str(), "https://mcp.example.com:8443/notes");
/// # Ok::<(), ResourceUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceUrlError {
    /// The text is not an absolute URL.
    #[error("this is not an absolute URL ({0})")]
    Syntax(String),
    /// The scheme is neither `https` nor, on loopback, `http`.
    #[error("the URL must begin with https:// (http:// is for loopback only)")]
    Scheme,
    /// The URL has a fragment, which RFC 9728 forbids, or a query or credentials, which would reach
    /// every client in the metadata.
    #[error("the URL must not have a query, a fragment or credentials")]
    Extra,
    /// The path of the URL cannot be that of a server.
    #[error("a server cannot have the path `{path}`: {why}")]
    #[non_exhaustive]
    Path {
        /// The path.
        path: String,
        /// The reason.
        why: &'static str,
    },
}

impl ResourceUrl {
    /// Parses a URL into its canonical form.
    pub fn parse(text: &str) -> Result<Self, ResourceUrlError> {
        let url = Url::parse(text).map_err(|error| ResourceUrlError::Syntax(error.to_string()))?;
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || has_credentials {
            return Err(ResourceUrlError::Extra);
        }
        match url.scheme() {
            "https" if url.host().is_some() => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(ResourceUrlError::Scheme),
        }
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url })
    }

    /// Checks that a server can serve at the path of this URL. Other servers, such as issuers, may
    /// have other paths.
    ///
    /// ```
    /// use scopeward_policy::ResourceUrl;
    ///
    /// assert!(ResourceUrl::parse("http://localhost:3002/mcp")?.check_path().is_ok());
    /// assert!(ResourceUrl::parse("http://localhost:3002/:mcp")?.check_path().is_err());
    /// # Ok::<(), scopeward_policy::ResourceUrlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResourceUrlError::Path`] if a segment begins with `:` or `*`, which routers read as a pattern,
    /// or if the path is one of the authorization server's.
    pub fn check_path(&self) -> Result<(), ResourceUrlError> {
        let path = self.path();
        let is_of = |folder: &str| {
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let why = if path.split('/').any(|part| part.starts_with([':', '*'])) {
            "no part of it may begin with `:` or `*`, because routers read that as a pattern"
        } else if is_of("/.well-known") {
            "below `/.well-known` stands the metadata that clients look for"
        } else if is_of("/oauth") {
            "below `/oauth` stands the sign-in of the embedded issuer"
        } else {
            return Ok(());
        };
        Err(ResourceUrlError::Path { path: path.to_owned(), why })
    }

    /// The URL in canonical form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `other` is a spelling of this URL. Spellings may differ in a trailing slash and in the
    /// case of the host (MCP, "Canonical Server URI").
    pub fn matches(&self, other: &str) -> bool {
        Self::parse(other).is_ok_and(|other| other.text == self.text)
    }

    /// Scheme, host and port: `http://localhost:3002`.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The path, without a trailing slash; empty at the root.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// The URL of the protected resource metadata (RFC 9728, section 3.1).
    pub fn metadata_url(&self) -> String {
        format!("{}/.well-known/oauth-protected-resource{}", self.origin(), self.path())
    }

    /// The host as URLs write it, with IPv6 addresses in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port; the scheme's default unless written.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// The same URL on another port, because `PORT` moves a server on loopback.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let mut url = self.url.clone();
        // Cannot fail: only URLs without a host refuse a port, and `parse` refuses those.
        let _ = url.set_port(Some(port));
        Self { text: url.as_str().trim_end_matches('/').to_owned(), url }
    }

    /// The URL of another path of the same origin.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(path);
        Self { text: url.as_str().trim_end_matches('/').to_owned(), url }
    }

    /// Whether the host is this machine, so that no other machine can reach the URL.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

/// Whether a URL's host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`. For scopeward, whose
/// URLs are parsed by the same crate; not a public API.
#[doc(hidden)]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL, if a server may ask it: `https` anywhere, or `http` on loopback. For scopeward, which asks
/// no other; not a public API.
#[doc(hidden)]
pub fn may_be_asked(url: &str) -> Option<Url> {
    let parsed = Url::parse(url).ok()?;
    let is_safe = match parsed.scheme() {
        "https" => parsed.has_host(),
        "http" => is_loopback(&parsed),
        _ => false,
    };
    is_safe.then_some(parsed)
}

impl fmt::Display for ResourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_name_a_resource_are_refused() {
        for (text, error) in [
            ("http://mcp.example.com/mcp", ResourceUrlError::Scheme),
            ("http://localhost.example.com/mcp", ResourceUrlError::Scheme),
            ("ftp://localhost/mcp", ResourceUrlError::Scheme),
            ("https://u@mcp.example.com/mcp", ResourceUrlError::Extra),
            ("https://mcp.example.com/mcp?x=1", ResourceUrlError::Extra),
            ("https://mcp.example.com/mcp#x", ResourceUrlError::Extra),
        ] {
            assert_eq!(ResourceUrl::parse(text), Err(error), "{text}");
        }
        assert!(matches!(ResourceUrl::parse("mcp.example.com"), Err(ResourceUrlError::Syntax(_))));
    }

    #[test]
    fn paths_that_no_server_can_have_are_told() {
        for bad in [
            "/:mcp",
            "/*",
            "/*mcp",
            "/a/:b/c",
            "/a/*",
            "/.well-known",
            "/.well-known/x",
            "/oauth",
            "/oauth/token",
            "/x/../oauth/jwks",
            "/./:x",
            "/:",
            "/{x}/:y",
            "/a\\*b",
        ] {
            let url = ResourceUrl::parse(&format!("http://localhost:3002{bad}")).unwrap();
            assert!(matches!(url.check_path(), Err(ResourceUrlError::Path { .. })), "{bad}");
        }
        for good in ["", "/", "/mcp", "/a:b/c*", "/{x}", "/ü x", "//mcp", "/%3Amcp", "/oauth2/x"] {
            let url = ResourceUrl::parse(&format!("http://localhost:3002{good}")).unwrap();
            assert_eq!(url.check_path(), Ok(()), "{good}");
        }
    }

    #[test]
    fn spellings_of_one_url_match_and_other_urls_do_not() {
        let url = ResourceUrl::parse("https://mcp.example.com/mcp").unwrap();
        for same in ["https://MCP.example.com/mcp", "https://mcp.example.com:443/mcp/"] {
            assert!(url.matches(same), "{same}");
        }
        for other in ["https://mcp.example.com/MCP", "https://mcp.example.com", "mcp"] {
            assert!(!url.matches(other), "{other}");
        }
    }

    #[test]
    fn a_server_at_the_root_has_no_path() {
        let url = ResourceUrl::parse("https://mcp.example.com/").unwrap();
        assert_eq!(url.as_str(), "https://mcp.example.com");
        assert_eq!(url.path(), "");
        let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource";
        assert_eq!(url.metadata_url(), metadata);
    }
}
