//! The `Authorization` header (RFC 6750, section 2.1): the only place a token is taken from.

use http::{HeaderMap, header::AUTHORIZATION};

/// Longer tokens are refused unread. Providers stay far below it.
const LONGEST: usize = 16 * 1024;

/// Why a request's credentials cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// Two `Authorization` headers: which one counts would be a guess.
    #[error("the request has more than one Authorization header")]
    Repeated,
    /// The scheme is Bearer, and what follows is not a token.
    #[error("the Authorization header does not hold one bearer token")]
    Malformed,
}

/// The bearer token of a request; `None` when it brings none.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(BearerError::Repeated);
    }
    let value = value.to_str().map_err(|_| BearerError::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_matches(' ');
    if token.len() > LONGEST || !is_b64token(token) {
        return Err(BearerError::Malformed);
    }
    Ok(Some(token))
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<String>, BearerError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, http::HeaderValue::from_static(value));
        }
        bearer(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn what_is_a_bearer_token() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Basic dTpw"]), Ok(None));
        assert_eq!(read(&["Bearer a.b-c_d"]), Ok(Some("a.b-c_d".into())));
        assert_eq!(read(&["bEARER  a=="]), Ok(Some("a==".into())));
        for bad in ["Bearer", "Bearer ", "Bearer a,", "Bearer a b", "Bearer =", "Bearer a=b"] {
            assert_eq!(read(&[bad]), Err(BearerError::Malformed), "{bad}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(BearerError::Repeated));
        assert_eq!(read(&["Bearer a", "Basic b"]), Err(BearerError::Repeated));
    }
}
