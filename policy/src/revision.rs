//! The revision of a policy: a digest of its text.

use std::fmt;

use sha2::{Digest, Sha256};

/// A digest of a policy's text, by which a decision can be traced to the policy that made it.
///
/// ```
/// use scopeward_policy::Revision;
///
/// let revision = Revision::of("version = 1\n");
/// assert_eq!(revision.as_str().len(), 12);
/// assert_ne!(revision, Revision::of("version = 1 # reviewed\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// The revision of a policy with this text.
    pub fn of(text: &str) -> Self {
        let mut digest = [0; 8];
        digest[2..].copy_from_slice(&Sha256::digest(text)[..6]);
        Self(format!("{:012x}", u64::from_be_bytes(digest)))
    }
}

impl Revision {
    /// The first 6 bytes of the SHA-256 of the text, in hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
