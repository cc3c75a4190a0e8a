//! The header of a signed token (RFC 7515, section 4), as far as validation needs it.
//!
//! Keys, and addresses of keys, that a token brings itself (`jwk`, `jku`, `x5c`, `x5u`) are never
//! read, because only the issuer says which keys are its own (RFC 8725, section 3.10).

use std::str::FromStr;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, de::Error};

use super::{TokenError, claims::Text};

/// The registered algorithms (RFC 7518, RFC 8812, RFC 9864 and later) for which there is no code here.
const NOT_TAKEN: &[&str] =
    &["ES512", "ES256K", "Ed448", "ESB256", "ESB384", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"];

/// The header of a token. A parameter that appears twice makes it unreadable (RFC 7515, section 4).
#[derive(Deserialize)]
pub(super) struct JoseHeader<'t> {
    #[serde(borrow)]
    alg: Text<'t>,
    #[serde(borrow)]
    pub(super) typ: Option<Text<'t>>,
    #[serde(borrow)]
    pub(super) kid: Option<Text<'t>>,
    /// The extensions that a reader must understand (section 4.1.11). None of them is supported.
    #[serde(default, rename = "crit")]
    _crit: Absent,
    /// The encryption of an encrypted token (RFC 7516).
    #[serde(default, rename = "enc")]
    _enc: Absent,
    /// The compression of an encrypted token (RFC 7516).
    #[serde(default, rename = "zip")]
    _zip: Absent,
    /// The mark of a payload that is not encoded (RFC 7797).
    #[serde(default, rename = "b64")]
    _b64: Absent,
}

impl JoseHeader<'_> {
    /// The algorithm that the token names.
    pub(super) fn algorithm(&self) -> Result<Algorithm, TokenError> {
        // The fully specified name of EdDSA with this curve (RFC 9864, section 2.2).
        if self.alg.0 == "Ed25519" {
            return Ok(Algorithm::EdDSA);
        }
        Algorithm::from_str(&self.alg.0).map_err(|_| {
            match NOT_TAKEN.iter().find(|name| **name == self.alg.0) {
                Some(name) => TokenError::NotTaken(name),
                None => TokenError::Malformed,
            }
        })
    }
}

/// A parameter that must be absent, because tokens with it are not supported.
#[derive(Default)]
struct Absent;

impl<'de> Deserialize<'de> for Absent {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("tokens with this parameter are not supported"))
    }
}
