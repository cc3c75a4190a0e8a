//! The clock that tokens are checked by.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time. The clock is a parameter, so that tests of expiry need not wait.
///
/// A function is a clock:
///
/// ```
/// use scopeward::identity::token::Clock;
///
/// let stopped = || 1_790_000_000;
/// assert_eq!(stopped.now(), 1_790_000_000);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Seconds since the Unix epoch.
    fn now(&self) -> u64;
}

/// The machine's clock.
///
/// ```
/// use scopeward::identity::token::{Clock, SystemClock};
///
/// assert!(SystemClock.now() > 1_700_000_000);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        // A clock before 1970 is wrong, so every token counts as expired.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |elapsed| elapsed.as_secs())
    }
}

impl<F: Fn() -> u64 + Send + Sync + 'static> Clock for F {
    fn now(&self) -> u64 {
        self()
    }
}
