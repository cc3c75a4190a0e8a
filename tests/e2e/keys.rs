//! The keys with which the tests sign tokens of other issuers.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair,
    },
};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{Jwk, JwkSet},
};
use scopeward::identity::token::VerificationKeys;

/// The keys that a gate verifies tokens with.
pub(crate) fn verification_keys(published: &JwkSet) -> VerificationKeys {
    VerificationKeys::parse(&serde_json::to_string(published).unwrap()).unwrap()
}

pub(crate) struct Keys {
    pub(crate) rsa: EncodingKey,
    pub(crate) other_rsa: EncodingKey,
    pub(crate) ec: EncodingKey,
    pub(crate) ed: EncodingKey,
    pub(crate) published: JwkSet,
}

/// The keys of all tests. They are made once, because an RSA key takes a long time to make.
pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let random = SystemRandom::new();
        let rsa = |size| {
            let pair = KeyPair::generate(size).unwrap();
            let document: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
            // jsonwebtoken takes PKCS #1. PKCS #8 is the same with a header of 26 bytes.
            EncodingKey::from_rsa_der(&document.as_ref()[26..])
        };
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8v1(&random).unwrap();
        let (rsa, other_rsa) = (rsa(KeySize::Rsa2048), rsa(KeySize::Rsa2048));
        let (ec, ed) =
            (EncodingKey::from_ec_der(ec.as_ref()), EncodingKey::from_ed_der(ed.as_ref()));
        let publish = |key: &EncodingKey, algorithm, id: &str| {
            let mut key = Jwk::from_encoding_key(key, algorithm).unwrap();
            key.common.key_id = Some(id.to_owned());
            key
        };
        let mut encryption = publish(&ec, Algorithm::ES256, "encryption");
        encryption.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Encryption);
        let published = JwkSet {
            keys: vec![
                publish(&rsa, Algorithm::RS256, "rsa"),
                publish(&ec, Algorithm::ES256, "ec"),
                publish(&ed, Algorithm::EdDSA, "ed"),
                encryption,
            ],
        };
        Keys { rsa, other_rsa, ec, ed, published }
    })
}

/// A P-384 key, and the same for verification.
pub(crate) fn p384(id: &str) -> (EncodingKey, Jwk) {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
    let key = EncodingKey::from_ec_der(pair.as_ref());
    let mut public = Jwk::from_encoding_key(&key, Algorithm::ES384).unwrap();
    public.common.key_id = Some(id.to_owned());
    (key, public)
}
