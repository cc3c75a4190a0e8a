//! A limit on how many requests or connections exist at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A limit on how many permits are held at a time. Clones share one limit.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: AtomicUsize,
}

/// A permit, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ConcurrencyPermit(Arc<Inner>);

impl ConcurrencyLimit {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: AtomicUsize::new(0) }))
    }

    /// Takes a permit, if one is free.
    pub(crate) fn take(&self) -> Option<ConcurrencyPermit> {
        // The counter is raised before it is compared, so that only one of two callers gets the
        // last permit.
        let before = self.0.taken.fetch_add(1, Ordering::Relaxed);
        let held = ConcurrencyPermit(Arc::clone(&self.0));
        (before < self.0.most).then_some(held)
    }

    /// The number of permits that are held.
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_permit_is_free_again() {
        let limit = ConcurrencyLimit::new(1);
        let held = limit.take();
        assert!(held.is_some() && limit.take().is_none());
        assert_eq!(limit.taken(), 1);
        drop(held);
        assert!(limit.take().is_some());
    }
}
