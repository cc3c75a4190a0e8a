//! One scope of a policy's vocabulary.

use std::ops::Range;

use super::{Scope, ScopeSet};

/// One scope of the vocabulary.
#[derive(Debug)]
pub struct ScopeInfo {
    pub(super) name: Scope,
    pub(super) title: String,
    pub(super) step_up: bool,
    /// The scope itself and all that it implies.
    pub(super) closure: ScopeSet,
    pub(super) span: Range<usize>,
}

impl ScopeInfo {
    /// The scope.
    pub fn name(&self) -> &Scope {
        &self.name
    }

    /// What it allows, as the consent page says it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether it is asked for only when a tool needs it, not at first sign-in.
    pub fn is_step_up(&self) -> bool {
        self.step_up
    }

    /// Whether the scope, or something that it implies, is among `needed`.
    pub(crate) fn gives_any(&self, needed: &ScopeSet) -> bool {
        self.closure.intersects(needed)
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}
