//! The origins of pages (RFC 6454) that may use the server from a browser.

use std::fmt;

use url::Url;

use super::url::is_loopback;

/// The origin of a page: scheme, host, and port unless it is the scheme's usual one.
///
/// ```
/// use scopeward_policy::Origin;
///
/// assert_eq!(Origin::parse("https://claude.ai")?.as_str(), "https://claude.ai");
/// let error = Origin::parse("https://claude.ai/chat").unwrap_err();
/// assert_eq!(error.meant(), Some("https://claude.ai"));
/// assert!(Origin::parse("*").is_err(), "each origin is named");
/// # Ok::<(), scopeward_policy::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(Box<str>);

/// The reason why a text is not an origin that may be allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct OriginError {
    reason: &'static str,
    meant: Option<String>,
}

impl OriginError {
    /// The origin that was most likely meant, if there is one.
    pub fn meant(&self) -> Option<&str> {
        self.meant.as_deref()
    }
}

impl Origin {
    /// Parses an origin as browsers send it in the `Origin` header (RFC 6454, section 6.2).
    ///
    /// # Errors
    ///
    /// [`OriginError`] for a pattern, for `null`, for a text that browsers do not send, and for `http`
    /// except on loopback, because anybody on the way can change such a page.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let error = |reason, meant| Err(OriginError { reason, meant });
        if text.contains('*') {
            return error("each origin is named, because a pattern would let other pages in", None);
        }
        let Ok(url) = Url::parse(text) else {
            let meant = Url::parse(&format!("https://{text}")).ok();
            let meant = meant.filter(|_| text.contains('.') && !text.contains("//"));
            let meant = meant.map(|url| url.origin().ascii_serialization());
            return error("this is not an origin, such as `https://example.com`", meant);
        };
        let origin = url.origin().ascii_serialization();
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return error("http:// is for pages on loopback only", None),
            _ => return error("only pages of https:// and http:// have an origin", None),
        }
        if origin != text {
            let reason = "browsers send the origin alone: scheme, host and port, in lower case";
            return error(reason, Some(origin));
        }
        Ok(Self(origin.into()))
    }

    /// The origin as browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in [
            "https://claude.ai",
            "https://chat.example.com:8443",
            "http://localhost:6274",
            "http://127.0.0.1",
            "http://[::1]:6274",
            "https://xn--bcher-kva.example",
        ] {
            assert_eq!(Origin::parse(good).unwrap().as_str(), good);
        }
        for (wrong, meant) in [
            ("claude.ai", Some("https://claude.ai")),
            ("https://claude.ai/", Some("https://claude.ai")),
            ("https://Claude.ai", Some("https://claude.ai")),
            ("https://claude.ai:443", Some("https://claude.ai")),
            ("https://bücher.example", Some("https://xn--bcher-kva.example")),
            ("https://user@claude.ai", Some("https://claude.ai")),
            ("*", None),
            ("https://*.example.com", None),
            ("null", None),
            ("", None),
            ("http://example.com", None),
            ("file:///etc", None),
            ("chrome-extension://abc", None),
        ] {
            let error = Origin::parse(wrong).unwrap_err();
            assert_eq!(error.meant(), meant, "{wrong}: {error}");
        }
    }
}
