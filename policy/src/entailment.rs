//! Proves whether every caller who meets one requirement meets another.

use super::{CompiledPolicy, Requirement, ScopeId, ScopeInfo};

impl CompiledPolicy {
    /// Whether every set of granted scopes that meets `rule` also meets `other`. The error is the
    /// smallest set that meets `rule` and not `other`.
    ///
    /// The answer is exact, although only the alternatives of `rule` are tried: a set meets `rule` if
    /// and only if it gives all scopes of some alternative, and more scopes never take access away. So
    /// an alternative that meets `other` proves it for every set that gives that alternative, and an
    /// alternative that does not is itself a counterexample.
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
