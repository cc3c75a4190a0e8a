//! Counts how often a rule allowed and denied.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many decisions about one tool, resource or prompt allowed and denied.
///
/// ```
/// use scopeward_policy::DecisionCounts;
///
/// let counts = DecisionCounts::default();
/// counts.count_allowed();
/// counts.count_denied();
/// assert_eq!((counts.allowed(), counts.denied()), (1, 1));
/// ```
#[derive(Debug, Default)]
pub struct DecisionCounts {
    allowed: AtomicU64,
    denied: AtomicU64,
}

impl DecisionCounts {
    /// Counts a use that was allowed.
    pub fn count_allowed(&self) {
        self.allowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a use that was denied.
    pub fn count_denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    /// How many uses were allowed.
    pub fn allowed(&self) -> u64 {
        self.allowed.load(Ordering::Relaxed)
    }

    /// How many uses were denied.
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }
}
