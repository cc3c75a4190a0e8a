//! Whether everybody who meets one requirement meets another: proved, not sampled.

use super::{CompiledPolicy, Requirement, ScopeId, ScopeInfo};

impl CompiledPolicy {
    /// Whether every set of granted scopes that meets `rule` also meets `other`; if not, one that
    /// does not: the smallest counterexample there is.
    ///
    /// Exact, over all sets of granted scopes: the sets that meet a rule are just those that give
    /// all scopes of one of its alternatives, so each of them gives what that alternative, granted
    /// by itself, gives. An alternative that meets `other` therefore stands for all sets that
    /// hold it, and one that does not is a counterexample.
    pub(crate) fn entails(
        &self,
        rule: &Requirement,
        other: &Requirement,
    ) -> Result<(), Vec<&ScopeInfo>> {
        let given = |all: &[ScopeId]| {
            let granted = all.iter().map(|id| self.scope(*id).name().as_str());
            self.hold(granted)
        };
        let nothing: &[ScopeId] = &[];
        let alternatives: Vec<&[ScopeId]> = match rule {
            Requirement::Authenticated => vec![nothing],
            Requirement::AnyOf(alternatives) => alternatives.iter().map(|all| &**all).collect(),
        };
        let counterexample = alternatives
            .into_iter()
            .filter(|all| !other.is_met_by(&given(all)))
            .min_by_key(|all| all.len());
        match counterexample {
            None => Ok(()),
            Some(all) => Err(all.iter().map(|id| self.scope(*id)).collect()),
        }
    }
}
