//! Rate limits: a bucket for each caller or address, which is refilled all the time (GCRA, by
//! `governor`).

use std::{
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, InsufficientCapacity, Quota,
    clock::{Clock, DefaultClock},
};

/// How many seconds' worth of requests may come at once, so that a short burst is not refused.
const BURST: u32 = 10;

/// How long a caller is told to wait that asks for more at once than ever fits.
const LONG: Duration = Duration::from_mins(1);
/// How many admissions at the least are between two times at which full buckets are forgotten.
const TIDY_AFTER: usize = 10_000;

/// A rate limit for each `K`, or no limit.
///
/// A bucket that is full again is forgotten, so that the memory grows with those who came of late and
/// not with all who ever came.
pub(crate) struct RateLimiter<K: Hash + Eq + Clone>(Option<Limiter<K>>);

struct Limiter<K: Hash + Eq + Clone> {
    buckets: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
    /// How many admissions may come before full buckets are forgotten. Each admission makes at most
    /// one bucket, so that the work of forgetting is paid by the admissions before it.
    until_tidy: AtomicUsize,
}

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// Allows each `K` this many requests a second; 0 means no limit.
    pub(crate) fn per_second(rate: u32) -> Self {
        Self(NonZeroU32::new(rate).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1));
            let quota = Quota::per_second(rate).allow_burst(burst);
            Limiter {
                buckets: governor::RateLimiter::keyed(quota),
                clock: DefaultClock::default(),
                until_tidy: AtomicUsize::new(TIDY_AFTER),
            }
        }))
    }

    /// Admits one request of `one`, or says how long `one` has to wait.
    pub(crate) fn admit(&self, one: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.count();
        let Limiter { buckets, clock, .. } = limiter;
        buckets.check_key(one).map_err(|not_until| not_until.wait_time_from(clock.now()))
    }

    /// Admits `count` more requests of `one` at once, or none of them and says how long `one` has to
    /// wait.
    pub(crate) fn admit_all(&self, one: &K, count: u32) -> Result<(), Duration> {
        let (Some(limiter), Some(count)) = (&self.0, NonZeroU32::new(count)) else { return Ok(()) };
        limiter.count();
        let Limiter { buckets, clock, .. } = limiter;
        match buckets.check_key_n(one, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(clock.now())),
            // So many never fit, however long the caller waits.
            Err(InsufficientCapacity(_)) => Err(LONG),
        }
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Counts one admission, and now and then forgets everyone whose bucket is full again.
    fn count(&self) {
        let before = self.until_tidy.fetch_sub(1, Ordering::Relaxed);
        // Only one thread sees 1. The others go on below zero, and so far above until it is set.
        if before == 1 {
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
            self.until_tidy.store(self.buckets.len().max(TIDY_AFTER), Ordering::Relaxed);
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
    fn a_batch_is_admitted_as_a_whole_or_not_at_all() {
        let rate = RateLimiter::per_second(2);
        assert_eq!(rate.admit_all(&1_u64, 19), Ok(()));
        assert!(rate.admit_all(&1, 2).is_err());
        assert_eq!(rate.admit(&1), Ok(()));
        assert_eq!(rate.admit_all(&2, 21), Err(LONG));
        assert_eq!(rate.admit_all(&2, 0), Ok(()));
    }

    #[test]
    fn a_million_callers_are_forgotten() {
        let rate = RateLimiter::per_second(1_000_000);
        for caller in 0..1_000_000_u64 {
            assert_eq!(rate.admit(&caller), Ok(()));
        }
        let buckets = rate.0.as_ref().unwrap().buckets.len();
        assert!(buckets < 100_000, "{buckets}");
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let rate = RateLimiter::per_second(0);
        assert!((0..100_000).all(|_| rate.admit(&1_u64).is_ok()));
    }
}
