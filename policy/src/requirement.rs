//! Requirements: the compiled form of a rule, which says which sets of scopes suffice.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::{ScopeId, ScopeSet};

/// The scopes of one alternative: together they suffice.
pub(crate) type Alternative = SmallVec<[ScopeId; 4]>;

/// A requirement: which sets of scopes suffice. One alternative of up to four scopes, as most rules
/// have, is stored in the requirement itself, so that a decision follows no pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Everybody meets it, with or without a token.
    Anonymous,
    /// Any authenticated caller meets it.
    Authenticated,
    /// A caller who holds every scope of at least one alternative meets it. INVARIANT: there is an
    /// alternative, and none is empty, because the manifest refuses both.
    AnyOf(SmallVec<[Alternative; 1]>),
}

impl Requirement {
    /// Whether a caller who holds `held` meets the requirement.
    pub(crate) fn is_met_by(&self, held: &ScopeSet) -> bool {
        match self {
            Self::Anonymous => true,
            Self::Authenticated => !held.is_anonymous(),
            Self::AnyOf(alternatives) => {
                alternatives.iter().any(|all| all.iter().all(|scope| held.contains(*scope)))
            }
        }
    }

    /// Whether no scope is needed.
    pub(crate) fn needs_no_scope(&self) -> bool {
        matches!(self, Self::Anonymous | Self::Authenticated)
    }

    /// The alternatives; none if no scope is needed.
    pub(crate) fn alternatives(&self) -> &[Alternative] {
        match self {
            Self::Anonymous | Self::Authenticated => &[],
            Self::AnyOf(alternatives) => alternatives,
        }
    }

    /// The alternative that needs the fewest further scopes; among equals, the first as written.
    pub(super) fn nearest(&self, held: &ScopeSet) -> &[ScopeId] {
        self.alternatives()
            .iter()
            .min_by_key(|all| all.iter().filter(|scope| !held.contains(**scope)).count())
            .map_or(&[], |all| all)
    }

    /// The requirement that is met if both are.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let is_open = |one: &Self| *one == Self::Anonymous;
        // Who meets any requirement but that of everybody has a token.
        if is_open(self) || self.needs_no_scope() && !is_open(other) {
            return other.clone();
        }
        let (Self::AnyOf(ones), Self::AnyOf(others)) = (self, other) else { return self.clone() };
        let mut both = SmallVec::<[Alternative; 1]>::new();
        let mut known = HashSet::new();
        for one in ones {
            let mut named = ScopeSet::default();
            one.iter().for_each(|scope| named.insert(*scope));
            for other in others {
                let more = other.iter().filter(|scope| !named.contains(**scope));
                let all: Alternative = one.iter().chain(more).copied().collect();
                if known.insert(all.clone()) {
                    both.push(all);
                }
            }
        }
        Self::AnyOf(both)
    }
}
