//! The grammar of a scope (scope-token, RFC 6749), for error messages at the right span.
//!
//! The rule that counts is `scopeward::policy::Scope`. The expansion applies it to every declared
//! scope at compile time, so that a difference between the two cannot let a bad scope through.

/// The first character of `scope` that RFC 6749, section 3.3, does not allow.
pub(crate) fn forbidden_character(scope: &str) -> Option<char> {
    scope.chars().find(|c| !matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e'))
}

#[cfg(test)]
mod tests {
    use super::forbidden_character;

    #[test]
    fn the_grammar_of_rfc_6749() {
        assert_eq!(forbidden_character("todo:write"), None);
        assert_eq!(forbidden_character("https://x.example/~a!"), None);
        for bad in [' ', '"', '\\', '\t', '\u{7f}', 'é', '\u{200b}'] {
            assert_eq!(forbidden_character(&format!("todo{bad}")), Some(bad));
        }
    }
}
