//! Tests with many threads: keys, revocations and policies change at random while requests are
//! checked.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use serde_json::json;

use super::{
    ClaimRules, IssuerRules, RemoteKeys, Revocation, RevocationTarget, Revocations, TokenError,
    TokenTypes, Validator, VerificationKeys,
};
use crate::{
    identity::Principal,
    live::LivePolicy,
    policy::{CheckedPolicy, CompiledPolicy, Operation, diagnostic::Source},
};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://mcp.example/mcp";

/// A signing key whose `kid` is always the same, as of a provider that rotates its keys without
/// giving them new names.
struct Key {
    private: EncodingKey,
    published: JwkSet,
}

impl Key {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let private = EncodingKey::from_ec_der(pair.as_ref());
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k".to_owned());
        Self { private, published: JwkSet { keys: vec![jwk] } }
    }

    fn token(&self, subject: &str) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k".to_owned());
        header.typ = Some("at+jwt".to_owned());
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": u32::MAX,
            "scope": "a:read" });
        encode(&header, &claims, &self.private).unwrap()
    }
}

fn validator(keys: RemoteKeys) -> Validator {
    let issuer = IssuerRules::new(
        vec![ISSUER.to_owned()],
        vec![AUDIENCE.to_owned()],
        AUDIENCE.to_owned(),
        TokenTypes::AccessToken,
        ClaimRules::default(),
    );
    Validator::none().or_signed(issuer, keys)
}

/// A token is accepted only by the keys that are current when it is checked, whatever was cached
/// before and whatever other threads cache at the same time.
#[test]
fn no_token_outlives_its_key() {
    const ROUNDS: u64 = 2_000;
    let keys = [Key::new(), Key::new()];
    let tokens = [keys[0].token("ada"), keys[1].token("ada")];
    let remote = RemoteKeys::standing(VerificationKeys::new(&keys[0].published));
    let validator = validator(remote.clone());
    // Odd while the keys are being replaced. Half of it is the number of the replacement.
    let epoch = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let checked = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    for (number, token) in tokens.iter().enumerate() {
                        let before = epoch.load(Ordering::SeqCst);
                        let outcome = validator.validate(token);
                        let after = epoch.load(Ordering::SeqCst);
                        if before != after || before % 2 == 1 {
                            continue;
                        }
                        checked.fetch_add(1, Ordering::Relaxed);
                        if (before / 2) % 2 == number as u64 {
                            assert!(outcome.is_ok(), "{outcome:?}");
                        } else {
                            assert_eq!(outcome.err(), Some(TokenError::Signature));
                        }
                    }
                }
            });
        }
        for round in 1..=ROUNDS {
            epoch.fetch_add(1, Ordering::SeqCst);
            let next = &keys[usize::from(round % 2 == 1)];
            remote.replace(VerificationKeys::new(&next.published));
            epoch.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            if round % 50 == 0 {
                // Long enough for a cached token to be read from the cache.
                thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(checked.load(Ordering::Relaxed) > 100, "too few were looked at to show anything");
}

/// As soon as a subject is revoked, no thread sees a token of that subject accepted.
#[test]
fn a_revoked_subject_is_never_accepted_again() {
    let key = Key::new();
    let revocations = Revocations::default();
    let remote = RemoteKeys::standing(VerificationKeys::new(&key.published));
    let validator = validator(remote).with_revocations(revocations.clone());
    let tokens: Vec<String> = (0..50).map(|n| key.token(&format!("user-{n}"))).collect();
    let revoked_until = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while revoked_until.load(Ordering::SeqCst) < 50 {
                    let sure = revoked_until.load(Ordering::SeqCst);
                    for (number, token) in tokens.iter().enumerate() {
                        let outcome = validator.validate(token);
                        if (number as u64) < sure {
                            assert_eq!(outcome.err(), Some(TokenError::Revoked));
                        } else if let Err(error) = outcome {
                            assert_eq!(error, TokenError::Revoked);
                        }
                    }
                }
            });
        }
        let mut revoked = vec![];
        for number in 0..50_u64 {
            let whom = RevocationTarget::Subject(format!("user-{number}"));
            revoked.push(Revocation { whom, issuer: None, issued_before: None, reason: None });
            revocations.replace(&revoked);
            revoked_until.store(number + 1, Ordering::SeqCst);
            thread::sleep(std::time::Duration::from_millis(1));
        }
    });
}

/// One policy decides a request from start to end, even if the policy is replaced meanwhile.
#[test]
fn a_request_has_one_policy() {
    let policy = |read: &str, write: &str| {
        let text = format!(
            "version = 1\n[server]\nurl = \"{AUDIENCE}\"\nprovider = \"oidc\"\nissuer = \
             \"{ISSUER}\"\n[scopes]\n\"a:read\" = \"R\"\n\"a:write\" = \"W\"\n[tools]\none = \
             {{ {read} = \"a\" }}\nother = {{ {write} = \"a\" }}\n"
        );
        CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap()
    };
    let key = Key::new();
    let remote = RemoteKeys::standing(VerificationKeys::new(&key.published));
    let token = validator(remote).validate(&key.token("ada")).unwrap();
    // Under each of the two policies, the caller may use exactly one of the tools.
    let live = LivePolicy::from(CheckedPolicy::unchecked(policy("read", "write")));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let caller = Principal::new(token.clone(), live.current());
                    let one = caller.may(Operation::tool("one")).is_allow();
                    thread::yield_now();
                    let other = caller.may(Operation::tool("other")).is_allow();
                    assert_ne!(one, other, "decided by two policies");
                }
            });
        }
        for round in 0..500 {
            let (read, write) = if round % 2 == 0 { ("write", "read") } else { ("read", "write") };
            live.replace(CheckedPolicy::unchecked(policy(read, write))).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
    });
}
