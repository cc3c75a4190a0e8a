//! The time to validate a token, new or cached: `cargo bench --package bench --bench token`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use std::sync::LazyLock;

use bench::issuer::{ALGORITHMS, Issuer, Subject};
use divan::{Bencher, black_box};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use scopeward::identity::token::{TokenTypes, Validator};

fn main() {
    divan::main();
}

const ISSUER: &str = "https://acme.scalekit.dev";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const SCOPE: &str = "todo:read todo:write";

static KEYS: LazyLock<Issuer> = LazyLock::new(|| Issuer::new().expect("keys"));

/// The names of the keys, one for each algorithm.
const NAMES: [&str; 3] = ["rsa", "ec", "ed"];

fn algorithm(name: &str) -> Algorithm {
    ALGORITHMS.iter().find(|(_, known)| *known == name).expect("a known name").0
}

fn token(name: &str, subject: usize) -> String {
    let subject = format!("usr_{subject}");
    let to = Subject { name: &subject, audience: RESOURCE, scope: SCOPE };
    KEYS.token(algorithm(name), ISSUER, &to).expect("a token")
}

fn validator() -> Validator {
    Validator::new(ISSUER, RESOURCE, KEYS.verification_keys(), TokenTypes::AccessToken)
}

/// The number of different tokens. Each is validated once, so that a processor's branch prediction
/// for one token does not speed up the next.
const SEEN: u32 = 2_000;

fn tokens(name: &str) -> Vec<String> {
    (0..SEEN as usize).map(|subject| token(name, subject)).collect()
}

/// The lower bound: verifies only the signature.
#[divan::bench(args = NAMES, sample_count = SEEN, sample_size = 1)]
fn bare_signature(bencher: Bencher<'_, '_>, name: &str) {
    let tokens = tokens(name);
    let id = Some(name.to_owned());
    let jwk = KEYS.keys().keys.iter().find(|key| key.common.key_id == id).expect("a key");
    let key = DecodingKey::from_jwk(jwk).expect("a key");
    let check = |token: &str| {
        let (message, signature) = token.rsplit_once('.').expect("a JWT");
        crypto::verify(signature, message.as_bytes(), &key, algorithm(name))
    };
    assert!(check(&tokens[0]).is_ok_and(|is_right| is_right));
    let mut next = tokens.iter().cycle();
    bencher
        .with_inputs(|| next.next().map_or("", String::as_str))
        .bench_local_values(|token| check(black_box(token)));
}

/// Validates tokens that are not in the cache.
#[divan::bench(args = NAMES, sample_count = SEEN, sample_size = 1)]
fn first_sight(bencher: Bencher<'_, '_>, name: &str) {
    let validator = validator();
    let tokens = tokens(name);
    let mut next = tokens.iter().cycle();
    // The sample count is the number of tokens, so each token is validated once.
    bencher
        .with_inputs(|| next.next().map_or("", String::as_str))
        .bench_local_values(|token| validator.validate(black_box(token)));
    assert!(validator.validate(&tokens[0]).is_ok());
}

/// Looks a cached token up by the headers of its request, as the gate does.
#[divan::bench(args = NAMES, threads = [1, 2])]
fn cached(bencher: Bencher<'_, '_>, name: &str) {
    let validator = validator();
    let token = token(name, 0);
    let mut headers = http::HeaderMap::new();
    headers
        .insert(http::header::AUTHORIZATION, format!("Bearer {token}").parse().expect("a header"));
    assert!(validator.recall(&headers).is_none(), "it was not seen yet");
    assert!(validator.validate(&token).is_ok());
    let recall = || validator.recall(black_box(&headers));
    assert!(matches!(recall(), Some(Ok(_))));
    bencher.bench(recall);
}
