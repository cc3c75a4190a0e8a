//! Who could ever meet a rule, and what it gives: asked by lists and by the startup check, of the
//! decision's own sets.

use smallvec::smallvec;

use super::{CompiledPolicy, Requirement, Rule, Scope, ScopeId, ScopeSet, When};

impl CompiledPolicy {
    /// Whether some set of registered scopes meets the rule; if not, nobody can ever call it.
    pub fn is_reachable(&self, rule: &Rule) -> bool {
        rule.requirement.is_met_by(&self.reachable)
    }

    /// Whether some set of registered scopes is enough for a call that meets this condition.
    pub(crate) fn is_reachable_when(&self, when: &When) -> bool {
        when.requirement.is_met_by(&self.reachable)
    }

    /// Whether every caller who meets the rule holds `scope`.
    pub(crate) fn always_gives(&self, rule: &Rule, scope: &str) -> bool {
        self.scope_id(scope).is_some_and(|scope| {
            let needed = Requirement::AnyOf(smallvec![smallvec![scope]]);
            self.entails(&rule.requirement, &needed).is_ok()
        })
    }

    /// The scopes of a requirement that nobody can hold, because no registered scope gives them.
    pub(crate) fn unregistered_of(&self, requirement: &Requirement) -> Vec<&Scope> {
        let mut ids: Vec<ScopeId> = requirement.alternatives().iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !self.reachable.contains(*id));
        ids.into_iter().map(|id| &self.scope(id).name).collect()
    }

    /// All scopes that some rule asks for.
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
