//! Who could ever meet a rule, and what it gives: asked by lists and by the startup check, of the
//! decision's own sets.

use super::{CompiledPolicy, Rule, Scope, ScopeId};

impl CompiledPolicy {
    /// Whether some set of registered scopes meets the rule; if not, nobody can ever call it.
    pub(crate) fn is_reachable(&self, rule: &Rule) -> bool {
        rule.requirement.is_met_by(&self.hold(self.registered_scopes().map(|s| s.name.as_str())))
    }

    /// Whether every caller who meets the rule holds `scope`.
    pub(crate) fn always_gives(&self, rule: &Rule, scope: &str) -> bool {
        let Some(scope) = self.scope_id(scope) else {
            return false;
        };
        let alternatives = rule.requirement.alternatives();
        !alternatives.is_empty()
            && alternatives
                .iter()
                .all(|all| all.iter().any(|id| self.scope(*id).closure.contains(scope)))
    }

    /// The scopes of a rule that nobody can hold, because no registered scope gives them.
    pub(crate) fn unregistered_of(&self, rule: &Rule) -> Vec<&Scope> {
        let reachable = self.hold(self.registered_scopes().map(|scope| scope.name.as_str()));
        let mut ids: Vec<ScopeId> =
            rule.requirement.alternatives().iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !reachable.contains(*id));
        ids.into_iter().map(|id| &self.scope(id).name).collect()
    }

    /// Whether `scope`, or something that it implies, is part of the rule.
    pub(crate) fn gains_from(&self, rule: &Rule, scope: &Scope) -> bool {
        let Some(id) = self.scope_id(scope.as_str()) else {
            return false;
        };
        let given = &self.scope(id).closure;
        rule.requirement.alternatives().iter().flatten().any(|needed| given.contains(*needed))
    }
}
