//! The issuer's public keys, each tied to the one algorithm that it may verify.

use std::sync::atomic::{AtomicU64, Ordering};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse},
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
/// A key verifies the algorithm that it names (`alg`). A key that names none verifies those of its
/// type: RSA `RS256`, `RS384`, `RS512`, `PS256`, `PS384` and `PS512`; P-256 `ES256`; P-384 `ES384`;
/// Ed25519 `EdDSA`. The algorithm in a token's header has to agree (RFC 8725, section 3.1). Keys that
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
    /// The algorithms that the key verifies: one, unless an RSA key names none.
    algorithms: &'static [Algorithm],
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

    /// The identifiers of the keys that have one.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter_map(|key| key.id.as_deref())
    }

    /// The algorithms that the keys verify.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.all.iter().flat_map(|key| key.algorithms).copied()
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

    /// Finds the keys that can have signed a token: those that it names, or all keys if it names
    /// none, as far as they verify its algorithm. There is at least one.
    pub(super) fn find<'k>(
        &'k self,
        id: Option<&'k str>,
        algorithm: Algorithm,
    ) -> Result<impl Iterator<Item = &'k VerificationKey>, TokenError> {
        let named = move |key: &&VerificationKey| id.is_none_or(|id| key.id.as_deref() == Some(id));
        let fitting = move |key: &&VerificationKey| key.algorithms.contains(&algorithm);
        if !self.all.iter().any(|key| named(&key)) {
            return Err(TokenError::UnknownKey);
        }
        let mut found = self.all.iter().filter(named).filter(fitting).peekable();
        match found.peek() {
            Some(_) => Ok(found),
            None => Err(TokenError::Algorithm(name_of(algorithm))),
        }
    }
}

impl VerificationKey {
    fn new(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let may_verify =
            common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let of_type: &'static [Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => OF_RSA,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                &[Algorithm::ES256]
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                &[Algorithm::ES384]
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => return None,
        };
        let algorithms = match common.key_algorithm {
            None => of_type,
            Some(named) => {
                let named = named.to_string();
                let place = of_type.iter().position(|one| name_of(*one) == named)?;
                &of_type[place..=place]
            }
        };
        if !for_signatures || !may_verify || !is_long_enough(jwk) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: common.key_id.clone(), algorithms, key })
    }
}

/// The algorithms of RSA keys that name none. All of them are signatures by the private key, so that
/// none can be passed off as another.
const OF_RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// The name of an algorithm in tokens and keys.
fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "HS256",
        Algorithm::HS384 => "HS384",
        Algorithm::HS512 => "HS512",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::PS384 => "PS384",
        Algorithm::PS512 => "PS512",
        Algorithm::EdDSA => "EdDSA",
        _ => "another",
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
