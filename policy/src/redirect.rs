//! Checks redirect URIs: where an authorization server sends people back to after they signed in.

use url::Url;

use crate::url::is_loopback;

/// Whether a client may register this redirect URI (OAuth 2.1, section 2.3; RFC 8252, section 7): it
/// is https, http on loopback, or an app's own scheme, without fragment and credentials.
///
/// ```
/// use scopeward_policy::redirect::{is_one_of, is_redirect_uri};
///
/// assert!(is_redirect_uri("http://127.0.0.1:7777/callback"));
/// assert!(!is_redirect_uri("http://example.com/callback"));
/// let registered = ["http://127.0.0.1:7777/callback".to_owned()];
/// assert!(is_one_of(&registered, "http://127.0.0.1:49152/callback"), "the port may differ");
/// ```
pub fn is_redirect_uri(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(&url),
        // These schemes are not an app's own, because the browser itself handles them.
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" | "ftp" | "ws" | "wss"
        | "view-source" => false,
        _ => true,
    }
}

/// Whether a request's redirect URI is a registered one, byte by byte. Only the port of a loopback URI
/// may differ, because a native app learns its port when it listens (RFC 8252, section 7.3).
pub fn is_one_of(registered: &[String], uri: &str) -> bool {
    registered.iter().any(|one| one == uri || (same_but_port(one, uri).is_some_and(|same| same)))
}

/// Whether two http URIs on loopback differ in nothing but their ports.
fn same_but_port(registered: &str, uri: &str) -> Option<bool> {
    let (mut left, mut right) = (Url::parse(registered).ok()?, Url::parse(uri).ok()?);
    // The URI must be in its normal form, so that no other spelling of it passes.
    if right.as_str() != uri || left.scheme() != "http" || !is_loopback(&left) {
        return Some(false);
    }
    left.set_port(None).ok()?;
    right.set_port(None).ok()?;
    Some(left == right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_that_may_be_registered() {
        for good in [
            "https://app.example/callback",
            "http://localhost:6274/oauth/callback",
            "http://127.0.0.1/cb",
            "http://[::1]:9/cb",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "http://app.example/callback",
            "http://localhost.evil.example/cb",
            "https://app.example/cb#x",
            "https://user@app.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "/callback",
            "",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
    }

    #[test]
    fn redirect_uris_match_exactly_but_for_a_loopback_port() {
        let registered =
            ["http://127.0.0.1:5000/cb".to_owned(), "https://app.example/cb".to_owned()];
        for good in
            ["http://127.0.0.1:5000/cb", "http://127.0.0.1:6001/cb", "https://app.example/cb"]
        {
            assert!(is_one_of(&registered, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:5000/cb/",
            "http://127.0.0.1:5000/cb?x=1",
            "http://localhost:5000/cb",
            "http://127.0.0.1:5000/%63b",
            "http://127.0.0.1:5000/a/../cb",
            "http://u@127.0.0.1:5000/cb",
            "https://app.example:444/cb",
            "https://app.example/cb/x",
            "https://app.example.evil.example/cb",
            "http://app.example/cb",
        ] {
            assert!(!is_one_of(&registered, bad), "{bad}");
        }
    }
}
