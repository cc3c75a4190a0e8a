//! Refusals that come again and again are answered late.
//!
//! A refusal costs the server more than the client, who sends the same bytes each time. So a caller or
//! an address has a number of refusals a second that are answered at once, and waits for each further
//! one. Nothing but its own connection is held meanwhile.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Holder, RateLimiter};

/// How many refusals a second are answered at once. Ten seconds' worth of them may come together.
const AT_ONCE: u32 = 20;
/// How long every further refusal is held back at the least.
const DELAY: Duration = Duration::from_millis(750);
/// The delays differ by up to this many milliseconds, so that refusals which came together do not come
/// together again.
const SPREAD: u64 = 500;

/// Who is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Refused {
    Caller(u64),
    Address(IpAddr),
}

/// The refusals of each caller and of each address.
#[derive(Debug)]
pub(crate) struct Patience {
    refusals: RateLimiter<Refused>,
    /// The number of delays so far.
    delays: AtomicU64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { refusals: RateLimiter::per_second(AT_ONCE), delays: AtomicU64::new(0) }
    }
}

impl Patience {
    /// How long a refusal is held back, if its caller was refused too often; without a caller, its
    /// address.
    pub(crate) fn delay(&self, holder: Holder) -> Option<Duration> {
        let caller = holder.caller.map(Refused::Caller);
        let refused = caller.or(holder.address.map(Refused::Address))?;
        self.refusals.admit(&refused).err()?;
        // A step that has no factor in common with the spread, so that neighbours are far apart.
        let step = self.delays.fetch_add(1, Ordering::Relaxed).wrapping_mul(211) % SPREAD;
        Some(DELAY + Duration::from_millis(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_beyond_the_rate_come_late() {
        let patience = Patience::default();
        let one = Holder { caller: Some(1), address: Some([192, 0, 2, 1].into()) };
        let refusals = AT_ONCE * 10;
        assert!((0..refusals).all(|_| patience.delay(one).is_none()));
        assert!((0..refusals).any(|_| patience.delay(one) >= Some(DELAY)));
        // Another caller at the same address is not held back.
        assert_eq!(patience.delay(Holder { caller: Some(2), ..one }), None);
        assert_eq!(patience.delay(Holder { caller: None, ..one }), None);
        assert_eq!(patience.delay(Holder::default()), None);
    }
}
