//! The heartbeat of a thread or a task that works in the background, so that its end is noticed.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A watcher that was silent for so long hangs, or has ended.
const LATE: Duration = Duration::from_secs(10);

/// When a watcher last looked. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeat(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The first beat; unset while nothing is watched.
    begun: OnceLock<Instant>,
    /// Milliseconds from the first beat to the last one.
    last: AtomicU64,
}

impl Heartbeat {
    /// A heartbeat whose first beat is now.
    pub(crate) fn begun() -> Self {
        let heartbeat = Self::default();
        heartbeat.beat();
        heartbeat
    }

    /// Notes that the watcher has looked now.
    pub(crate) fn beat(&self) {
        let begun = self.0.begun.get_or_init(Instant::now);
        let since = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(since, Ordering::Relaxed);
    }

    /// The time since the last beat; `None` if nothing is watched.
    pub(crate) fn age(&self) -> Option<Duration> {
        let begun = self.0.begun.get()?;
        let last = Duration::from_millis(self.0.last.load(Ordering::Relaxed));
        Some(begun.elapsed().saturating_sub(last))
    }

    /// Whether the watcher hangs, or has ended.
    pub(crate) fn is_late(&self) -> bool {
        self.age().is_some_and(|age| age >= LATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_that_never_began_is_not_late() {
        let heartbeat = Heartbeat::default();
        assert_eq!((heartbeat.age(), heartbeat.is_late()), (None, false));
        heartbeat.beat();
        assert!(heartbeat.age().is_some() && !heartbeat.is_late());
    }
}
