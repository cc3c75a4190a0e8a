//! Scopes: names that RFC 6749 allows.

use std::{borrow::Borrow, fmt};

/// A scope-token (RFC 6749, section 3.3): one or more printable ASCII characters without space,
/// `"` and `\`. Scopes are compared byte by byte, because they are case-sensitive.
///
/// ```
/// use scopeward_policy::Scope;
///
/// let scope = Scope::parse("todo:write")?;
/// assert_eq!(scope.as_str(), "todo:write");
/// assert!(Scope::parse("todo write").is_err());
/// # Ok::<(), scopeward_policy::ScopeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Box<str>);

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        check(&text).map(|()| Self(text.into()))
    }
}

fn check(text: &str) -> Result<(), ScopeError> {
    match text.chars().find(|c| !u8::try_from(*c).is_ok_and(is_scope_byte)) {
        Some(character) => Err(ScopeError::Character(character)),
        None if text.is_empty() => Err(ScopeError::Empty),
        None => Ok(()),
    }
}

/// Why a string is not a scope.
///
/// ```
/// use scopeward_policy::{Scope, ScopeError};
///
/// let error: ScopeError = Scope::parse("note read").unwrap_err();
/// assert_eq!(error, ScopeError::Character(' '));
/// assert!(!Scope::is_valid("note read"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// The string is empty.
    #[error("a scope cannot be empty")]
    Empty,
    /// A character that a scope-token cannot hold.
    #[error("{0:?} cannot be part of a scope (RFC 6749, section 3.3)")]
    Character(char),
}

impl Scope {
    /// Parses a scope.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        check(text).map(|()| Self(text.into()))
    }

    /// Whether `text` is a scope. A `const fn`, because declarations are checked at compile time.
    pub const fn is_valid(text: &str) -> bool {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            if !is_scope_byte(bytes[index]) {
                return false;
            }
            index += 1;
        }
        !bytes.is_empty()
    }

    /// The scope as it stands in tokens and in the policy.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// The level of access that a scope's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessLevel {
    Read,
    Write,
    Admin,
}

impl Scope {
    /// The level of access in the name: its last part, or its first for `admin:…`. `None` for a name
    /// without such a part.
    pub(crate) fn level(&self) -> Option<AccessLevel> {
        let mut parts = self.0.split([':', '.', '/']);
        let first = parts.next();
        match parts.next_back().or(first) {
            Some("read") => Some(AccessLevel::Read),
            Some("write") => Some(AccessLevel::Write),
            Some("admin") => Some(AccessLevel::Admin),
            _ => (first == Some("admin")).then_some(AccessLevel::Admin),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Whether a scope is about signing in (OpenID Connect Core, sections 5.4 and 11). Such a scope is the
/// provider's and no resource's.
pub(crate) fn is_of_openid(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "email" | "address" | "phone" | "offline_access")
}

/// Why a scope is none of a resource: it is about signing in, or about everything. `None` for every other
/// one.
pub(crate) fn too_broad(scope: &str) -> Option<&'static str> {
    match scope {
        "offline_access" => Some("is between the client and the authorization server"),
        of_openid if is_of_openid(of_openid) => {
            Some("is about signing in, not about this resource")
        }
        "all" | "full" | "full_access" | "full-access" => Some("is about everything"),
        wildcard if wildcard.contains('*') => Some("is about everything that it matches"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_a_part_of_the_name() {
        let level = |text| Scope::parse(text).unwrap().level();
        assert_eq!(level("todo:read"), Some(AccessLevel::Read));
        assert_eq!(level("api://x/todo.write"), Some(AccessLevel::Write));
        assert_eq!(level("todo:admin"), Some(AccessLevel::Admin));
        assert_eq!(level("admin:access"), Some(AccessLevel::Admin));
        assert_eq!(level("read"), Some(AccessLevel::Read));
        assert_eq!(level("todo:readers"), None);
    }

    #[test]
    fn every_ascii_character_is_judged_as_rfc_6749_says() {
        for byte in 0..=0x7f_u8 {
            let allowed = matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            let text = format!("a{}", char::from(byte));
            assert_eq!(Scope::parse(&text).is_ok(), allowed, "{byte:#x}");
            assert_eq!(Scope::is_valid(&text), allowed, "{byte:#x}");
        }
        assert_eq!(Scope::parse(""), Err(ScopeError::Empty));
        assert!(!Scope::is_valid(""));
        assert_eq!(Scope::parse("tödo"), Err(ScopeError::Character('ö')));
        assert!(!Scope::is_valid("tödo"));
    }
}
