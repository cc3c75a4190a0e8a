//! The people who were told in words to sign in once more, by the address of their client.
//!
//! A client that cannot step up is told to disconnect and to connect again. Its new sign-in begins with
//! a request without a token, of which nothing is known but the address. So the challenge to an address
//! that was told lately asks for what was missing as well; else the page that opens would not offer it.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    http::Peer,
    policy::{CompiledPolicy, Scope},
};

/// How long an address is remembered: ten minutes, in which a person who was told has signed in.
const REMEMBERED: Duration = Duration::from_mins(10);
/// At most this many addresses are remembered. While there are more, nobody new is.
const MOST: usize = 1_000;

/// The addresses whose people were told. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// How many addresses are remembered. Read without the lock, because most of the time it is 0.
    count: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, Missing>>,
}

struct Missing {
    scopes: Vec<Scope>,
    at: Instant,
}

impl Told {
    /// Notes that somebody at this address was told that these scopes are missing.
    pub(super) fn note(&self, address: Option<IpAddr>, missing: &[Scope], now: Instant) {
        let Some(address) = address else { return };
        let mut all = self.0.by_address.lock();
        if all.len() >= MOST {
            all.retain(|_, told| now.saturating_duration_since(told.at) < REMEMBERED);
        }
        if all.len() < MOST || all.contains_key(&address) {
            all.insert(address, Missing { scopes: missing.to_vec(), at: now });
        }
        self.0.count.store(all.len(), Ordering::Relaxed);
    }

    /// The scopes that were missing at this address lately, as far as the policy can still give it.
    pub(super) fn missing(
        &self,
        peer: Option<Peer>,
        policy: &CompiledPolicy,
        now: Instant,
    ) -> Vec<Scope> {
        if self.0.count.load(Ordering::Relaxed) == 0 {
            return vec![];
        }
        let Some(address) = peer.map(Peer::network) else { return vec![] };
        let all = self.0.by_address.lock();
        let lately =
            all.get(&address).filter(|told| now.saturating_duration_since(told.at) < REMEMBERED);
        let scopes = lately.into_iter().flat_map(|told| &told.scopes);
        scopes.filter(|scope| policy.is_registered(scope)).cloned().collect()
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::diagnostic::Source;

    #[test]
    fn an_address_is_remembered_for_a_while_and_their_number_is_bounded() {
        let policy = CompiledPolicy::compile(Source::new(
            "policy.toml",
            "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n",
        ))
        .unwrap();
        let (told, begun) = (Told::default(), Instant::now());
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let scopes = ["a:read", "a:gone"].map(|scope| Scope::parse(scope).unwrap());
        let missing = |number: u32, after: Duration| {
            told.missing(Some(Peer::from(address(number))), &policy, begun + after).len()
        };
        assert_eq!(missing(1, Duration::ZERO), 0);
        told.note(Some(address(1)), &scopes, begun);
        assert_eq!(missing(1, Duration::ZERO), 1, "the scope that the policy knows");
        assert_eq!((missing(2, Duration::ZERO), missing(1, REMEMBERED)), (0, 0));
        for number in 2..100_000 {
            told.note(Some(address(number)), &scopes, begun);
        }
        assert_eq!(told.0.by_address.lock().len(), MOST);
        assert_eq!(missing(1, Duration::ZERO), 1, "nobody pushes it out");
        told.note(Some(address(7_000_000)), &scopes, begun + REMEMBERED);
        assert_eq!(told.0.by_address.lock().len(), 1, "the old ones make room");
    }
}
