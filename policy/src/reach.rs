//! Reachability: which rules a caller can meet at all, given the registered scopes. Lists and the
//! startup check ask it.

use super::{CompiledPolicy, Requirement, Rule, Scope, ScopeId, ScopeSet, When};

impl CompiledPolicy {
    /// Whether some set of registered scopes meets the rule. If none does, nobody can use what the rule
    /// is about.
    pub fn is_reachable(&self, rule: &Rule) -> bool {
        rule.requirement.is_met_by(&self.reachable)
    }

    /// Whether some set of registered scopes meets what is needed under this condition.
    pub(crate) fn is_reachable_when(&self, when: &When) -> bool {
        when.requirement.is_met_by(&self.reachable)
    }

    /// Whether every caller who meets the rule holds `scope`.
    pub(crate) fn always_gives(&self, rule: &Rule, scope: &str) -> bool {
        let alternatives = rule.requirement.alternatives();
        self.scope_id(scope).is_some_and(|scope| {
            let gives = |id: &ScopeId| self.scope(*id).closure.contains(scope);
            !alternatives.is_empty() && alternatives.iter().all(|all| all.iter().any(gives))
        })
    }

    /// The scopes of a requirement that no registered scope gives, so that nobody can hold them.
    pub(crate) fn unregistered_of(&self, requirement: &Requirement) -> Vec<&Scope> {
        let mut ids: Vec<ScopeId> = requirement.alternatives().iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !self.reachable.contains(*id));
        ids.into_iter().map(|id| &self.scope(id).name).collect()
    }

    /// The scopes that at least one rule asks for, with or without a condition.
    pub(crate) fn needed_scopes(&self) -> ScopeSet {
        let mut needed = ScopeSet::default();
        for (_, _, rule) in self.rules() {
            let conditional = rule.when.iter().map(|when| &when.requirement);
            for requirement in std::iter::once(&rule.requirement).chain(conditional) {
                for scope in requirement.alternatives().iter().flatten() {
                    needed.insert(*scope);
                }
            }
        }
        needed
    }
}
