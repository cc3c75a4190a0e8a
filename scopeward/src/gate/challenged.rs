//! Notices a client that was challenged, and comes back for the same with the same grant: it does
//! not know step-up, or did not ask for the new scope, and would go on for ever.

use std::{fmt, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use moka::sync::Cache;

use crate::{identity::Principal, policy::Scope};

/// A challenge is remembered for so long; so many are.
const REMEMBERED: Duration = Duration::from_mins(10);
const MOST: u64 = 10_000;

/// Who was challenged for what, with which grant.
pub(super) struct ChallengeMemory(Cache<[u8; 32], ()>);

impl Default for ChallengeMemory {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build())
    }
}

impl ChallengeMemory {
    /// Whether this caller was challenged for this operation before with this very grant. If so
    /// that is forgotten: it is told once, and challenged again the next time.
    pub(super) fn is_repeated(&self, caller: &Principal, operation: &str) -> bool {
        let key = key(caller, operation);
        let was_challenged = self.0.remove(&key).is_some();
        if !was_challenged {
            self.0.insert(key, ());
        }
        was_challenged
    }
}

/// Not the token: a refreshed one with the same scopes is the same grant.
fn key(caller: &Principal, operation: &str) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    let id = caller.id();
    let parts = [&*id, caller.client().unwrap_or_default(), operation];
    // With its length before it, no part can be taken for two. The scopes are sorted.
    for part in parts.into_iter().chain(caller.granted().iter().map(Scope::as_str)) {
        digest.update(&part.len().to_le_bytes());
        digest.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(digest.finish().as_ref());
    key
}

impl fmt::Debug for ChallengeMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeMemory").finish_non_exhaustive()
    }
}
