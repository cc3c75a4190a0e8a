//! Random secrets, their fingerprints, and comparison in constant time.

use aws_lc_rs::{constant_time, digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A new secret of 256 random bits, as base64url.
pub(super) fn random() -> String {
    let mut bytes = [0; 32];
    // aws-lc's generator does not fail once the process has started. If the system gives no
    // randomness at all, a panic is the only safe answer, because a secret could be guessed.
    #[expect(clippy::expect_used, reason = "no secret can be made without randomness")]
    rand::fill(&mut bytes).expect("the system gives random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The SHA-256 digest of a secret, which is kept in place of the secret: enough to recognize the
/// secret, not to use it.
pub(super) fn fingerprint(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// Whether two strings are equal, in time that depends on their length alone, so that the time does
/// not tell how much of a guess was right.
pub(super) fn same(left: &str, right: &str) -> bool {
    constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
