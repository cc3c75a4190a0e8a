//! How an issuer marks its access tokens, so that no other token of it is taken for one.

use std::fmt;

/// What tells access tokens from an issuer's other tokens, besides their `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Marker {
    /// Nothing.
    None,
    /// A claim with this value.
    Is(&'static str, &'static str),
    /// At least one of these claims.
    HasOne(&'static [&'static str]),
}

/// What an access token of the issuer has.
impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("any"),
            Self::Is(name, value) => write!(f, "its {name} must be {value}"),
            Self::HasOne(names) => write!(f, "it must have {}", names.join(" or ")),
        }
    }
}
