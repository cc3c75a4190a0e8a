//! The scopes that `[scopes]` defines.

use std::ops::Range;

use super::{Scope, ScopeSet};

/// One scope that `[scopes]` defines.
#[derive(Debug)]
pub struct ScopeInfo {
    pub(super) name: Scope,
    pub(super) title: String,
    pub(super) step_up: bool,
    /// The scope itself and every scope that it implies.
    pub(super) closure: ScopeSet,
    pub(super) span: Range<usize>,
}

impl ScopeInfo {
    /// The scope's name.
    pub fn name(&self) -> &Scope {
        &self.name
    }

    /// The title of the scope: the use that it allows, in the words of the consent page.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether clients ask for the scope only when an operation needs it, and not at first sign-in.
    pub fn is_step_up(&self) -> bool {
        self.step_up
    }

    /// Whether the scope, or a scope that it implies, is among `needed`.
    pub(crate) fn gives_any(&self, needed: &ScopeSet) -> bool {
        self.closure.intersects(needed)
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}
