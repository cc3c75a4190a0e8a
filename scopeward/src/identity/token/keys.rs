//! The issuer's public keys, each tied to the one algorithm that it may verify.

use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{
        AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse,
    },
};

use super::TokenError;

/// The shortest RSA modulus, in bytes, because RSA keys below 2048 bits are not allowed (RFC 7518,
/// section 3.3).
const SHORTEST_RSA_MODULUS: usize = 256;

/// The error of a text that is no JWK Set.
///
/// ```
/// use scopeward::identity::token::{KeySetError, VerificationKeys};
///
/// let error: KeySetError = VerificationKeys::parse("{}").unwrap_err();
/// assert!(error.to_string().starts_with("not a JWK Set (RFC 7517, section 5)"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK Set (RFC 7517, section 5): {0}")]
pub struct KeySetError(String);

/// The keys of a JWK Set (RFC 7517) that can verify access tokens.
///
/// A key verifies one algorithm, which follows from its type: RSA `RS256`, P-256 `ES256`, Ed25519
/// `EdDSA`. The algorithm in a token's header only has to agree (RFC 8725, section 3.1). Keys that
/// are for encryption, too short, symmetric or of another type are left out.
#[derive(Debug, Clone)]
pub struct VerificationKeys {
    all: Vec<VerificationKey>,
    generation: Generation,
}

/// The number of one reading of an issuer's keys, which no other reading has. A token that was
/// verified with the keys of one generation is verified again with those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl Generation {
    pub(super) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Debug, Clone)]
pub(super) struct VerificationKey {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl VerificationKeys {
    /// Takes the usable keys of a JWK Set, as an issuer publishes it.
    ///
    /// ```
    /// use scopeward::identity::token::VerificationKeys;
    ///
    /// let keys = VerificationKeys::parse(r#"{ "keys": [{
    ///     "kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig",
    ///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    /// }] }"#)?;
    /// assert_eq!(keys.len(), 1);
    /// # Ok::<(), scopeward::identity::token::KeySetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeySetError`] for a text that is no JWK Set (RFC 7517, section 5).
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        let set = serde_json::from_str(text).map_err(|error| KeySetError(error.to_string()))?;
        Ok(Self::new(&set))
    }

    /// Takes the usable keys of a JWK Set.
    pub(crate) fn new(set: &JwkSet) -> Self {
        let all = set.keys.iter().filter_map(VerificationKey::new).collect();
        Self { all, generation: Generation::next() }
    }

    /// The number of usable keys.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The algorithm that each key verifies.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.all.iter().map(|key| key.algorithm)
    }

    /// Whether there is no usable key, so that every token is refused.
    ///
    /// ```
    /// use scopeward::identity::token::VerificationKeys;
    ///
    /// assert!(VerificationKeys::parse(r#"{ "keys": [] }"#)?.is_empty());
    /// # Ok::<(), scopeward::identity::token::KeySetError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// Finds the key that a token names. Without `kid`, exactly one key must have the token's
    /// algorithm.
    pub(super) fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerificationKey, TokenError> {
        let named = self.all.iter().filter(|key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => true,
        });
        let mut named = named.peekable();
        if named.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = named.filter(|key| key.algorithm == algorithm);
        let key = fitting.next().ok_or(TokenError::Algorithm)?;
        if fitting.next().is_some() {
            return Err(TokenError::UnknownKey);
        }
        Ok(key)
    }
}

impl VerificationKey {
    fn new(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let may_verify =
            common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let (algorithm, named) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            _ => return None,
        };
        let algorithm_agrees = common.key_algorithm.is_none_or(|name| name == named);
        if !for_signatures || !may_verify || !algorithm_agrees || !is_long_enough(jwk) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: common.key_id.clone(), algorithm, key })
    }
}

fn is_long_enough(jwk: &Jwk) -> bool {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let AlgorithmParameters::RSA(rsa) = &jwk.algorithm else {
        return true;
    };
    let Ok(modulus) = URL_SAFE_NO_PAD.decode(&rsa.n) else {
        return false;
    };
    modulus.iter().skip_while(|byte| **byte == 0).count() >= SHORTEST_RSA_MODULUS
}
