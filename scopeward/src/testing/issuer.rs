//! The issuer of a test's tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Map, Value};

use crate::identity::token::{ClaimRules, IssuerRules, TokenTypes, Validator, VerificationKeys};

/// The name of the issuer. Nothing is asked there, because `.invalid` is nobody's (RFC 2606).
const NAME: &str = "https://issuer.invalid";
/// How long a token is valid, in seconds. A test takes less.
const LIFETIME: u64 = 60 * 60;

/// An issuer whose key lives as long as the test.
pub(crate) struct TestIssuer {
    resource: String,
    private: EncodingKey,
    public: JwkSet,
}

impl TestIssuer {
    /// An issuer of tokens for this resource; `None` if no key can be generated.
    pub(crate) fn new(resource: String) -> Option<Self> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).ok()?;
        let private = EncodingKey::from_ec_der(document.as_ref());
        let public = Jwk::from_encoding_key(&private, Algorithm::ES256).ok()?;
        Some(Self { resource, private, public: JwkSet { keys: vec![public] } })
    }

    pub(crate) fn validator(&self) -> Validator {
        let rules = IssuerRules::new(
            vec![NAME.to_owned()],
            vec![self.resource.clone()],
            self.resource.clone(),
            TokenTypes::AccessToken,
            ClaimRules::default(),
        );
        Validator::given(rules, VerificationKeys::new(&self.public))
    }

    /// Signs an access token (RFC 9068) with these claims and those that every token has.
    pub(crate) fn sign(&self, mut claims: Map<String, Value>) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        for (name, value) in [
            ("iss", Value::from(NAME)),
            ("aud", Value::from(&*self.resource)),
            ("iat", Value::from(now)),
            ("exp", Value::from(now + LIFETIME)),
        ] {
            claims.entry(name).or_insert(value);
        }
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        encode(&header, &claims, &self.private).ok()
    }
}
