//! How many there are at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of places. Clones are the same places.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: AtomicUsize,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct ConcurrencyPermit(Arc<Inner>);

impl ConcurrencyLimit {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: AtomicUsize::new(0) }))
    }

    /// A place, if one is free.
    pub(crate) fn take(&self) -> Option<ConcurrencyPermit> {
        // Taken first and looked at afterwards: of two who want the last one, one gets it.
        let before = self.0.taken.fetch_add(1, Ordering::Relaxed);
        let held = ConcurrencyPermit(Arc::clone(&self.0));
        (before < self.0.most).then_some(held)
    }

    /// How many are taken.
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
    fn a_place_is_free_again() {
        let places = ConcurrencyLimit::new(1);
        let held = places.take();
        assert!(held.is_some() && places.take().is_none());
        assert_eq!(places.taken(), 1);
        drop(held);
        assert!(places.take().is_some());
    }
}
