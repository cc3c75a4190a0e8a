//! Which sets of scopes suffice.

use smallvec::SmallVec;

use super::{ScopeId, ScopeSet};

/// Scopes that suffice together.
pub(crate) type Alternative = SmallVec<[ScopeId; 4]>;

/// Which sets of scopes suffice. What most rules say (one alternative, a scope or two) stands in the
/// rule itself: a decision reads nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Any authenticated caller.
    Authenticated,
    /// Every scope of at least one alternative. INVARIANT: there is an alternative, and none is
    /// empty; the manifest refuses both.
    AnyOf(SmallVec<[Alternative; 1]>),
}

impl Requirement {
    /// Whether `held` suffices: the rule of this crate in one line.
    pub(crate) fn is_met_by(&self, held: &ScopeSet) -> bool {
        match self {
            Self::Authenticated => true,
            Self::AnyOf(alternatives) => {
                alternatives.iter().any(|all| all.iter().all(|scope| held.contains(*scope)))
            }
        }
    }

    pub(crate) fn alternatives(&self) -> &[Alternative] {
        match self {
            Self::Authenticated => &[],
            Self::AnyOf(alternatives) => alternatives,
        }
    }

    /// The alternative that needs the fewest further scopes; of equals, the first as written.
    pub(super) fn nearest(&self, held: &ScopeSet) -> &[ScopeId] {
        self.alternatives()
            .iter()
            .min_by_key(|all| all.iter().filter(|scope| !held.contains(**scope)).count())
            .map_or(&[], |all| all)
    }

    /// What both need.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = SmallVec::<[Alternative; 1]>::new();
        match (self, other) {
            (Self::Authenticated, rest) | (rest, Self::Authenticated) => return rest.clone(),
            (Self::AnyOf(ones), Self::AnyOf(others)) => {
                for one in ones {
                    for other in others {
                        let more = other.iter().filter(|scope| !one.contains(scope));
                        let all: Alternative = one.iter().chain(more).copied().collect();
                        if !both.contains(&all) {
                            both.push(all);
                        }
                    }
                }
            }
        }
        Self::AnyOf(both)
    }
}
