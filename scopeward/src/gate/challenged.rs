//! Notices a client that was challenged and repeats the same operation with the same grant. Such a
//! client does not know step-up, or did not ask for the new scope, and would go on for ever.

use std::{fmt, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use moka::sync::Cache;

use crate::{identity::Principal, policy::Scope};

/// How long a challenge is remembered: 10 minutes. An operation that is repeated later is
/// challenged anew.
const REMEMBERED: Duration = Duration::from_mins(10);

/// At most this many challenges are remembered, so that callers cannot fill the memory.
const MAX_CHALLENGES: u64 = 10_000;

/// The recent challenges: which caller was challenged for which operation, with which grant. Clones
/// share them.
#[derive(Clone)]
pub(super) struct ChallengeMemory(Cache<[u8; 32], ()>);

impl Default for ChallengeMemory {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_CHALLENGES).time_to_live(REMEMBERED).build())
    }
}

impl ChallengeMemory {
    /// Returns whether this caller was already challenged for this operation with this very grant,
    /// and remembers the challenge if not. A repeated challenge is forgotten, so that the caller is
    /// told in plain words once and challenged again the next time.
    pub(super) fn is_repeated(&self, caller: &Principal, operation: &str) -> bool {
        let key = key(caller, operation);
        let was_challenged = self.0.remove(&key).is_some();
        if !was_challenged {
            self.0.insert(key, ());
        }
        was_challenged
    }
}

/// The digest of caller, client, operation and granted scopes. The token is left out, because a
/// refreshed token with the same scopes is the same grant.
fn key(caller: &Principal, operation: &str) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    let id = caller.id();
    let parts = [&*id, caller.client().unwrap_or_default(), operation];
    // Each part has its length before it, so that two different lists of parts never give the same
    // bytes. The scopes are sorted, so that equal grants give equal bytes.
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
