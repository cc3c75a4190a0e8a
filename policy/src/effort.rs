//! A bound on the steps of one run: of a lint, a comparison of two policies, or an explanation.

use std::cell::Cell;

/// The steps that a run may still spend. A run counts its steps where its work could grow faster
/// than the policy, so that the bound does not depend on the machine.
#[derive(Debug)]
pub(crate) struct Effort {
    steps_left: Cell<usize>,
}

impl Effort {
    /// The steps of one run of proofs: a few tenths of a second. Proofs about policies that people
    /// write take some thousands.
    pub(crate) const PROOFS: usize = 50_000_000;

    pub(crate) fn new(steps: usize) -> Self {
        Self { steps_left: Cell::new(steps) }
    }

    /// Takes steps from the bound. `false` if not as many are left; then none is.
    pub(crate) fn spend(&self, steps: usize) -> bool {
        let left = self.steps_left.get().checked_sub(steps);
        self.steps_left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// How many steps are left.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.steps_left.get()
    }
}
