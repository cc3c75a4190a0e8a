//! Scopes on the command line, which are separated by spaces as in a token's `scope`.

/// The signs with which people separate scopes instead. Each of them may be part of a scope as well
/// (RFC 6749, section 3.3).
const SEPARATORS: [char; 4] = [',', ';', '|', '+'];

/// The scopes that `word` seems to join with another sign than a space; `None` if it is known itself,
/// or if none of its parts is.
pub(super) fn joined<'a>(word: &'a str, is_known: impl Fn(&str) -> bool) -> Option<Vec<&'a str>> {
    if is_known(word) || !word.contains(SEPARATORS) {
        return None;
    }
    let parts: Vec<&str> = word.split(SEPARATORS).filter(|part| !part.is_empty()).collect();
    parts.iter().any(|part| is_known(part)).then_some(parts)
}

/// The error for `option` with a text in which `word` joins scopes: what to write in place of it.
pub(super) fn advice(
    word: &str,
    (option, text): (&str, &str),
    is_known: impl Fn(&str) -> bool,
) -> String {
    let words = text.split_whitespace();
    let apart = words.flat_map(|word| joined(word, &is_known).unwrap_or_else(|| vec![word]));
    let apart = apart.collect::<Vec<_>>().join(" ");
    format!(
        "`{word}` is one scope, which `[scopes]` does not define\n  = help: write a space between \
         two scopes, and no other sign: {option} \"{apart}\""
    )
}

#[cfg(test)]
mod tests {
    use super::{advice, joined};

    #[test]
    fn scopes_that_are_joined_by_another_sign_are_told_from_scopes_that_have_the_sign() {
        let known = |name: &str| ["a:read", "a:write", "b,c"].contains(&name);
        for word in ["a:read,a:write", "a:read;a:write", "a:read|a:write", "a:read+a:write"] {
            assert_eq!(joined(word, known), Some(vec!["a:read", "a:write"]), "{word}");
        }
        assert_eq!(joined("a:read,", known), Some(vec!["a:read"]));
        assert_eq!(joined("a:read,a:wrte", known), Some(vec!["a:read", "a:wrte"]));
        for word in ["b,c", "a:read", "x,y", "", ",", "x"] {
            assert_eq!(joined(word, known), None, "{word}");
        }
        let said = advice("a:read,", ("--scopes", "a:read, a:write x"), known);
        assert!(said.ends_with("no other sign: --scopes \"a:read a:write x\""), "{said}");
    }
}
