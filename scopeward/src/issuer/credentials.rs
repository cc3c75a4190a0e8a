//! Random strings, and comparing them without telling how much was right.

use aws_lc_rs::{constant_time, digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// 256 random bits, base64url.
pub(super) fn random() -> String {
    let mut bytes = [0; 32];
    // aws-lc's generator does not fail once the process has started; if the system gave no
    // randomness at all, stopping is the only safe answer.
    #[expect(clippy::expect_used, reason = "no secret can be made without randomness")]
    rand::fill(&mut bytes).expect("the system gives random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is kept of a secret: enough to recognise it, not to use it.
pub(super) fn fingerprint(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// Whether two strings are equal, in time that depends on their length only.
pub(super) fn same(left: &str, right: &str) -> bool {
    constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
