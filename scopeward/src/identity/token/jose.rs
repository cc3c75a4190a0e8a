//! The header of a signed token (RFC 7515, section 4): what of it matters here, and nothing else.
//!
//! Keys, and addresses of keys, that a token brings itself (`jwk`, `jku`, `x5c`, `x5u`) are never
//! looked at: whose key it is, the issuer says (RFC 8725, section 3.10).

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, de::Error};

use super::claims::Text;

/// A parameter that stands twice makes it unreadable (RFC 7515, section 4).
#[derive(Deserialize)]
pub(super) struct JoseHeader<'t> {
    pub(super) alg: Algorithm,
    #[serde(borrow)]
    pub(super) typ: Option<Text<'t>>,
    #[serde(borrow)]
    pub(super) kid: Option<Text<'t>>,
    /// What must be understood (section 4.1.11): nothing of it is.
    #[serde(default, rename = "crit")]
    _crit: Absent,
    /// Encrypted (RFC 7516).
    #[serde(default, rename = "enc")]
    _enc: Absent,
    /// Compressed (RFC 7516).
    #[serde(default, rename = "zip")]
    _zip: Absent,
    /// Not encoded (RFC 7797).
    #[serde(default, rename = "b64")]
    _b64: Absent,
}

/// A parameter that no token of ours has.
#[derive(Default)]
struct Absent;

impl<'de> Deserialize<'de> for Absent {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("such tokens are not read here"))
    }
}
