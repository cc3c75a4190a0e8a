//! Notices a client that was challenged and comes back with the same grant. Such a client does not
//! know step-up, or its token cannot grow, and would be challenged for ever.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    fmt,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::identity::Principal;

/// How long a challenge is remembered: one hour. A person who said no then, with a client that knows
/// step-up, is asked anew later.
const REMEMBERED: Duration = Duration::from_hours(1);

/// At most this many clients are remembered, so that callers cannot fill the memory. The one that was
/// challenged first is forgotten first.
const MAX_CLIENTS: usize = 10_000;

/// The clients that were challenged, each with its grant. Clones share them.
#[derive(Clone, Default)]
pub(super) struct ChallengeMemory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// How many clients are remembered. Read without the lock, because most of the time it is 0.
    count: AtomicUsize,
    table: Mutex<Table>,
    /// Keyed, so that nobody can aim at the numbers of another client.
    hasher: RandomState,
}

#[derive(Default)]
struct Table {
    by_client: HashMap<Key, Challenged>,
    /// The challenges in the order in which they were sent.
    order: VecDeque<(Key, Instant)>,
}

/// A client of a caller: the number of the caller, and the hash of the client's identifier.
type Key = (u64, u64);

struct Challenged {
    /// The hash of the granted scopes. The token is left out, because a refreshed token with the same
    /// scopes is the same grant.
    grant: u64,
    at: Instant,
}

impl ChallengeMemory {
    /// Notes a request of a caller, whatever it asks for: a client that has another grant than the one
    /// with which it was challenged can step up.
    pub(super) fn see(&self, caller: &Principal) {
        if self.0.count.load(Ordering::Relaxed) > 0 {
            self.forget_other_grant(caller);
        }
    }

    fn forget_other_grant(&self, caller: &Principal) {
        let key = self.key(caller);
        let mut table = self.0.table.lock();
        if table.by_client.get(&key).is_some_and(|known| known.grant != self.grant(caller)) {
            table.by_client.remove(&key);
            self.0.count.store(table.by_client.len(), Ordering::Relaxed);
        }
    }

    /// Returns whether this client was challenged with this very grant before its request began, and
    /// remembers the challenge if not. A request that began earlier was sent beside the challenged one,
    /// so it says nothing about the client.
    pub(super) fn came_back(&self, caller: &Principal, began: Instant) -> bool {
        let (key, grant) = (self.key(caller), self.grant(caller));
        let now = Instant::now();
        let mut table = self.0.table.lock();
        if let Some(known) = table.by_client.get(&key)
            && known.grant == grant
            && now.saturating_duration_since(known.at) < REMEMBERED
        {
            return known.at < began;
        }
        table.remember(key, Challenged { grant, at: now });
        self.0.count.store(table.by_client.len(), Ordering::Relaxed);
        false
    }

    fn key(&self, caller: &Principal) -> Key {
        (caller.number(), self.0.hasher.hash_one(caller.client()))
    }

    /// The scopes of a token are sorted, so that equal grants have equal numbers.
    fn grant(&self, caller: &Principal) -> u64 {
        self.0.hasher.hash_one(caller.granted())
    }
}

impl Table {
    fn remember(&mut self, key: Key, challenged: Challenged) {
        let now = challenged.at;
        self.order.push_back((key, now));
        self.by_client.insert(key, challenged);
        while let Some((oldest, at)) = self.order.front().copied() {
            let is_current = self.by_client.get(&oldest).is_some_and(|known| known.at == at);
            let is_old = now.saturating_duration_since(at) >= REMEMBERED;
            if is_current && !is_old && self.order.len() <= MAX_CLIENTS {
                break;
            }
            if is_current {
                self.by_client.remove(&oldest);
            }
            self.order.pop_front();
        }
    }
}

impl fmt::Debug for ChallengeMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeMemory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flood of clients, one of which changes its grant all the time, stays within the bound.
    #[test]
    fn the_memory_is_bounded() {
        let mut table = Table::default();
        for number in 0..100_000 {
            let at = Instant::now();
            table.remember((0, number), Challenged { grant: 0, at });
            table.remember((1, 1), Challenged { grant: number, at });
            assert!(table.order.len() <= MAX_CLIENTS && table.by_client.len() <= MAX_CLIENTS);
        }
        assert!(table.by_client.contains_key(&(0, 99_999)), "the newest is known");
        assert!(!table.by_client.contains_key(&(0, 0)), "the oldest is forgotten");
    }
}
