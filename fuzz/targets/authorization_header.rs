//! The `Authorization` header gives one whole token, no token, or a refusal.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use scopeward::identity::token::bearer;

/// Reads each line of `data` as one `Authorization` header.
pub(crate) fn run(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(AUTHORIZATION, value);
        }
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    if let Ok(Some(token)) = bearer(&headers) {
        let value = values.next().expect("a header").as_bytes();
        assert!(values.next().is_none(), "one of two");
        assert!(value.len() >= 7 && value[..6].eq_ignore_ascii_case(b"bearer") && value[6] == b' ');
        assert_eq!(str::from_utf8(&value[7..]).expect("text").trim_matches(' '), token);
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!token.contains([',', '"', '\\', ';']));
    }
}
