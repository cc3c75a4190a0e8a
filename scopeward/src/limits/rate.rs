//! Rate limits: a bucket for each caller or address, which is refilled all the time (GCRA, by
//! `governor`).

use std::{fmt, hash::Hash, num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};

/// How many seconds' worth of requests may come at once, so that a short burst is not refused.
const BURST: u32 = 10;

/// A rate limit for each `K`, or no limit.
pub(crate) struct RateLimiter<K: Hash + Eq + Clone>(Option<Limiter<K>>);

struct Limiter<K: Hash + Eq + Clone> {
    buckets: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// Allows each `K` this many requests a second; 0 means no limit.
    pub(crate) fn per_second(rate: u32) -> Self {
        Self(NonZeroU32::new(rate).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1));
            let quota = Quota::per_second(rate).allow_burst(burst);
            Limiter { buckets: governor::RateLimiter::keyed(quota), clock: DefaultClock::default() }
        }))
    }

    /// Admits one request of `one`, or says how long `one` has to wait.
    pub(crate) fn admit(&self, one: &K) -> Result<(), Duration> {
        let Some(Limiter { buckets, clock }) = &self.0 else { return Ok(()) };
        buckets.check_key(one).map_err(|not_until| not_until.wait_time_from(clock.now()))
    }

    /// Forgets everyone whose bucket is full again, so that memory does not grow. Called now and
    /// then.
    pub(crate) fn tidy(&self) {
        if let Some(Limiter { buckets, .. }) = &self.0 {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("is_limited", &self.0.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_bucket() {
        let rate = RateLimiter::per_second(2);
        for _ in 0..20 {
            assert_eq!(rate.admit(&1_u64), Ok(()));
        }
        let wait = rate.admit(&1).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
        assert_eq!(rate.admit(&2), Ok(()));
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let rate = RateLimiter::per_second(0);
        assert!((0..100_000).all(|_| rate.admit(&1_u64).is_ok()));
    }
}
