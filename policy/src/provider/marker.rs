//! The mark that tells an issuer's access tokens from its other tokens.

use std::fmt;

/// The mark of an issuer's access tokens, besides their `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// No mark.
    None,
    /// A claim with this value.
    Is(&'static str, &'static str),
    /// At least one of these claims.
    HasOne(&'static [&'static str]),
}

/// Says what an access token of the issuer must have.
impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("any"),
            Self::Is(name, value) => write!(f, "its {name} must be {value}"),
            Self::HasOne(names) => write!(f, "it must have {}", names.join(" or ")),
        }
    }
}
