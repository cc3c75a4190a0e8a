//! Only a token that the issuer signed is accepted.

use std::sync::OnceLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use scopeward::identity::token::{TokenTypes, Validator, VerificationKeys};
use serde_json::json;

struct World {
    validator: Validator,
    good: String,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let key = EncodingKey::from_ec_der(pair.expect("a key").as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
        jwk.common.key_id = Some("ec".to_owned());
        let keys = VerificationKeys::parse(
            &serde_json::to_string(&JwkSet { keys: vec![jwk] }).expect("a text"),
        )
        .expect("a key set");
        let validator = Validator::new(
            "https://i.example",
            "https://r.example/mcp",
            keys,
            TokenTypes::AccessTokenOrPlain,
        )
        .with_clock(|| 2_000_000_000);
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("ec".to_owned());
        let claims = json!({
            "iss": "https://i.example", "aud": "https://r.example/mcp", "sub": "ada",
            "exp": 2_000_000_060, "scope": "a:read",
        });
        let good = encode(&header, &claims, &key).expect("a token");
        assert!(validator.validate(&good).is_ok());
        World { validator, good }
    })
}

/// Replaces a part of a good token by `data`. The first byte of `data` chooses the part, and most
/// of its values choose the whole token.
pub(crate) fn run(data: &[u8]) {
    let World { validator, good } = world();
    let Some((which, rest)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(rest) else { return };
    let mut parts: Vec<&str> = good.split('.').collect();
    let token = match which % 8 {
        0..3 => {
            parts[usize::from(which % 8)] = text;
            parts.join(".")
        }
        // Changes one byte of the good token: the first byte of `rest` is its index, the second its
        // new value.
        3 => {
            let [at, byte, ..] = rest else { return };
            let mut bytes = good.clone().into_bytes();
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *byte & 0x7f;
            String::from_utf8(bytes).expect("ASCII")
        }
        _ => text.to_owned(),
    };
    if let Ok(accepted) = validator.validate(&token) {
        assert_eq!((&*token, accepted.subject()), (&**good, "ada"), "accepted");
    }
}
