//! The protected resource: its identifier, the addresses that follow from it, and the scopes that
//! are registered for it.

use std::fmt;

use url::{Host, Url};

/// The resource identifier (RFC 8707, section 2; RFC 9728, section 1.2): what tokens are issued
/// for and what clients connect to, in the canonical form of the MCP specification: `http` or
/// `https`, lower-case host, no trailing slash.
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

/// Why a string is not the URL of a protected resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceUrlError {
    /// Not an absolute URL.
    #[error("this is not an absolute URL ({0})")]
    Syntax(url::ParseError),
    /// Neither `https` nor loopback `http`.
    #[error("the URL must begin with https:// (http:// is for loopback only)")]
    Scheme,
    /// RFC 9728 forbids a fragment; a query or credentials have no business there.
    #[error("the URL must not have a query, a fragment or credentials")]
    Extra,
}

impl ResourceUrl {
    /// Checks `text` and brings it into canonical form.
    pub fn parse(text: &str) -> Result<Self, ResourceUrlError> {
        let url = Url::parse(text).map_err(ResourceUrlError::Syntax)?;
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

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether another spelling names this resource: a trailing slash and the case of the host do
    /// not count (MCP, "Canonical Server URI").
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

    /// Where the protected resource metadata is (RFC 9728, section 3.1).
    pub fn metadata_url(&self) -> String {
        format!("{}/.well-known/oauth-protected-resource{}", self.origin(), self.path())
    }

    /// The host as it stands in URLs: IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port, the scheme's own if none is written.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// The same resource on another port; for loopback, where `PORT` moves the whole server.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let mut url = self.url.clone();
        // Only URLs without a host refuse a port, and those do not parse as a resource.
        let _ = url.set_port(Some(port));
        Self { text: url.as_str().trim_end_matches('/').to_owned(), url }
    }

    /// The resource at another path of the same origin.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(path);
        Self { text: url.as_str().trim_end_matches('/').to_owned(), url }
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

/// Whether a URL's host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
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
    fn what_is_not_a_resource() {
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
    fn spellings_of_the_same_resource() {
        let url = ResourceUrl::parse("https://mcp.example.com/mcp").unwrap();
        for same in ["https://MCP.example.com/mcp", "https://mcp.example.com:443/mcp/"] {
            assert!(url.matches(same), "{same}");
        }
        for other in ["https://mcp.example.com/MCP", "https://mcp.example.com", "mcp"] {
            assert!(!url.matches(other), "{other}");
        }
    }

    #[test]
    fn addresses_of_a_resource_at_the_root() {
        let url = ResourceUrl::parse("https://mcp.example.com/").unwrap();
        assert_eq!(url.as_str(), "https://mcp.example.com");
        assert_eq!(url.path(), "");
        let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource";
        assert_eq!(url.metadata_url(), metadata);
    }
}
