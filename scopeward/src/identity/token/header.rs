//! The `Authorization` header (RFC 6750, section 2.1), which is the only place that a token is read
//! from.

use http::{HeaderMap, header::AUTHORIZATION};

/// Why a request's credentials cannot be read.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
/// use scopeward::identity::token::{BearerError, bearer};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(bearer(&headers), Ok(None));
/// headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer e30.e30.c2ln"));
/// assert_eq!(bearer(&headers), Ok(Some("e30.e30.c2ln")));
/// headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer another"));
/// assert_eq!(bearer(&headers), Err(BearerError::Repeated));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// The request has two `Authorization` headers, and choosing one would be a guess.
    #[error("the request has more than one Authorization header")]
    Repeated,
    /// The scheme is Bearer, but it is not followed by one token; or the header is not text.
    #[error("the Authorization header does not hold one bearer token")]
    Malformed,
}

/// Reads the bearer token of a request; `None` if the request has none.
///
/// ```
/// use http::HeaderMap;
/// use scopeward::identity::token::bearer;
///
/// fn has_token(headers: &HeaderMap) -> bool {
///     bearer(headers).is_ok_and(|token| token.is_some())
/// }
/// ```
///
/// # Errors
///
/// [`BearerError::Repeated`] if the request has two `Authorization` headers.
/// [`BearerError::Malformed`] if the header is not text, or if `Bearer` is not followed by one
/// token.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, BearerError> {
    let Some(token) = unchecked(headers)? else { return Ok(None) };
    if !is_b64token(token) {
        return Err(BearerError::Malformed);
    }
    str::from_utf8(token).map(Some).map_err(|_| BearerError::Malformed)
}

/// The bytes after `Bearer`, whose form is not checked; `None` if there is no header or another
/// scheme.
pub(super) fn unchecked(headers: &HeaderMap) -> Result<Option<&[u8]>, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(BearerError::Repeated);
    }
    let value = value.as_bytes();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    let is_text = || value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return if is_text() { Ok(None) } else { Err(BearerError::Malformed) };
    }
    Ok(Some(trim_spaces(token)))
}

fn trim_spaces(text: &[u8]) -> &[u8] {
    let is_space = |byte: &&u8| **byte == b' ';
    let start = text.iter().take_while(is_space).count();
    let end = text[start..].iter().rev().take_while(is_space).count();
    &text[start..text.len() - end]
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
pub(super) fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &token[..token.len() - padding];
    // No early return, so that the compiler can vectorize the loop, because tokens are long.
    let allowed = |byte: u8| {
        (byte | 0x20).wrapping_sub(b'a') < 26
            || byte.wrapping_sub(b'0') < 10
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    !body.is_empty() && body.iter().fold(true, |all, byte| all & allowed(*byte))
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
    fn only_a_well_formed_header_gives_a_token() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Basic dTpw"]), Ok(None));
        assert_eq!(read(&["Bearer a.b-c_d"]), Ok(Some("a.b-c_d".into())));
        assert_eq!(read(&["bEARER  a=="]), Ok(Some("a==".into())));
        for bad in
            ["Bearer", "Bearer ", "Bearer \ta", "Bearer a,", "Bearer a b", "Bearer =", "Bearer a=b"]
        {
            assert_eq!(read(&[bad]), Err(BearerError::Malformed), "{bad}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err(BearerError::Repeated));
        assert_eq!(read(&["Bearer a", "Basic b"]), Err(BearerError::Repeated));
    }
}
