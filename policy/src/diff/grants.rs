//! Finds the grants that suffice under one policy and not under another, over all sets of scopes.
//!
//! The policy under which the grants suffice is called *here*, and the other one *there*.
//!
//! More scopes never take access away. So a grant suffices if and only if it holds all scopes of one
//! of the smallest grants that suffice; and a grant that suffices here and not there exists if and
//! only if one of the smallest grants here does not suffice there. The search finds the smallest
//! grants by choosing, for each scope that an alternative needs, a scope that gives it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Grant, Grants};
use crate::{CompiledPolicy, Requirement, Scope, ScopeId};

/// The most grants that are listed for one rule, because nobody reads more.
const LISTED: usize = 32;
/// The most choices that the search for the list tries, because there can be exponentially many.
/// Whether there is any grant at all is always answered.
const CHOICES: usize = 2_000;

/// One of the two policies, and for each scope its givers: the scope itself, and those that imply it.
pub(super) struct ComparedPolicy<'p> {
    policy: &'p CompiledPolicy,
    givers: HashMap<ScopeId, Vec<&'p Scope>>,
}

impl<'p> ComparedPolicy<'p> {
    pub(super) fn new(policy: &'p CompiledPolicy) -> Self {
        let mut givers: HashMap<ScopeId, Vec<&Scope>> = HashMap::new();
        for giver in policy.scopes() {
            let implied = policy.implied_by(giver).chain([giver]);
            for id in implied.filter_map(|scope| policy.scope_id(scope.name().as_str())) {
                givers.entry(id).or_default().push(giver.name());
            }
        }
        Self { policy, givers }
    }

    fn givers(&self, scope: &str) -> BTreeSet<&'p Scope> {
        let id = self.policy.scope_id(scope);
        id.and_then(|id| self.givers.get(&id)).into_iter().flatten().copied().collect()
    }
}

/// The scopes that have the same givers under both policies.
pub(super) fn with_same_givers<'p>(
    one: &ComparedPolicy<'p>,
    other: &ComparedPolicy<'p>,
) -> HashSet<&'p str> {
    let names = one.policy.scopes().iter().map(|scope| scope.name().as_str());
    names.filter(|name| one.givers(name) == other.givers(name)).collect()
}

/// Looks for grants that suffice under `here` and not under `there`.
pub(super) struct GrantComparison<'c, 'p> {
    here: &'c ComparedPolicy<'p>,
    there: &'p CompiledPolicy,
    same_scopes: &'c HashSet<&'p str>,
}

impl<'c, 'p> GrantComparison<'c, 'p> {
    pub(super) fn new(
        here: &'c ComparedPolicy<'p>,
        there: &ComparedPolicy<'p>,
        same_scopes: &'c HashSet<&'p str>,
    ) -> Self {
        Self { here, there: there.policy, same_scopes }
    }

    /// The smallest grants that meet `ours` here and do not meet `theirs` there. `None` stands for a
    /// policy without a rule, under which no grant suffices.
    pub(super) fn only(&self, ours: Option<&Requirement>, theirs: Option<&Requirement>) -> Grants {
        let Some(ours) = ours else { return Grants::default() };
        if theirs.is_some_and(|theirs| self.is_the_same(ours, theirs)) {
            return Grants::default();
        }
        let needed = Needed { ours, theirs };
        let mut search =
            GrantSearch { comparison: self, needed, found: BTreeSet::new(), choices_left: CHOICES };
        match ours {
            Requirement::Authenticated => search.try_grant(&[]),
            Requirement::AnyOf(alternatives) => {
                for all in alternatives {
                    search.choose(all, &mut vec![]);
                }
            }
        }
        let is_cut = search.is_over();
        let mut found = search.found;
        if found.is_empty() && is_cut {
            // Too many choices to list. To find a single grant takes far fewer of them.
            found.extend(self.witness(needed));
        }
        let is_cut = is_cut && !found.is_empty();
        Grants { smallest: found.into_iter().collect(), is_cut }
    }

    /// Whether both have the same alternatives of scopes with the same givers, so that no search is
    /// needed.
    fn is_the_same(&self, ours: &Requirement, theirs: &Requirement) -> bool {
        let named = |policy: &'p CompiledPolicy, all: &[ScopeId]| -> BTreeSet<&'p str> {
            all.iter().map(|id| policy.scope(*id).name().as_str()).collect()
        };
        match (ours, theirs) {
            (_, Requirement::Authenticated) => true,
            (Requirement::Authenticated, _) => false,
            (Requirement::AnyOf(ours), Requirement::AnyOf(theirs)) => {
                ours.len() == theirs.len()
                    && ours.iter().zip(theirs).all(|(ours, theirs)| {
                        let ours = named(self.here.policy, ours);
                        ours == named(self.there, theirs)
                            && ours.iter().all(|scope| self.same_scopes.contains(scope))
                    })
            }
        }
    }

    /// One grant that suffices here and not there, if there is any.
    ///
    /// Of the givers of a scope only those are tried that give the least *there*, because a grant
    /// that gives less there suffices there less often.
    fn witness(&self, needed: Needed<'_>) -> Option<Grant> {
        let least = |scope: ScopeId| -> Vec<&'p Scope> {
            let givers = self.here.givers.get(&scope).map_or(&[][..], Vec::as_slice);
            let given = |giver: &Scope| self.there.hold([giver.as_str()]);
            let is_least = |index: usize, giver: &Scope| {
                let mine = given(giver);
                !givers.iter().enumerate().any(|(other_index, other)| {
                    let theirs = given(other);
                    theirs.is_subset(&mine) && (theirs != mine || other_index < index)
                })
            };
            let least = givers.iter().enumerate().filter(|(index, giver)| is_least(*index, giver));
            least.map(|(_, giver)| *giver).collect()
        };
        for all in needed.ours.alternatives() {
            let choices: Vec<Vec<&Scope>> = all.iter().map(|scope| least(*scope)).collect();
            let mut grant = vec![];
            if self.descend(needed, &choices, &mut grant) {
                return Some(self.shrink(needed, grant));
            }
        }
        None
    }

    /// Adds one scope of each of `choices` to `grant`, and says whether it can be done without a grant
    /// that suffices there.
    fn descend(
        &self,
        needed: Needed<'_>,
        choices: &[Vec<&'p Scope>],
        grant: &mut Vec<&'p Scope>,
    ) -> bool {
        // The grant already suffices there, and more scopes do not change that.
        if suffices(self.there, needed.theirs, grant) {
            return false;
        }
        let Some((first, rest)) = choices.split_first() else { return true };
        for giver in first {
            grant.push(giver);
            if self.descend(needed, rest, grant) {
                return true;
            }
            grant.pop();
        }
        false
    }

    /// Removes the scopes without which the grant still suffices here.
    fn shrink(&self, needed: Needed<'_>, mut grant: Vec<&Scope>) -> Grant {
        let mut index = 0;
        while index < grant.len() {
            let scope = grant.remove(index);
            if !suffices(self.here.policy, Some(needed.ours), &grant) {
                grant.insert(index, scope);
                index += 1;
            }
        }
        Grant(grant.into_iter().cloned().collect())
    }
}

/// The requirements of the rules of two policies.
#[derive(Clone, Copy)]
struct Needed<'q> {
    /// Here.
    ours: &'q Requirement,
    /// There; `None` if there is no rule.
    theirs: Option<&'q Requirement>,
}

/// The search for the list of grants, until it has tried [`CHOICES`] or found [`LISTED`].
struct GrantSearch<'s, 'c, 'p> {
    comparison: &'s GrantComparison<'c, 'p>,
    needed: Needed<'s>,
    found: BTreeSet<Grant>,
    choices_left: usize,
}

impl<'p> GrantSearch<'_, '_, 'p> {
    fn is_over(&self) -> bool {
        self.choices_left == 0 || self.found.len() >= LISTED
    }

    /// Adds a giver for each scope of an alternative that the grant does not give yet.
    fn choose(&mut self, alternative: &[ScopeId], grant: &mut Vec<&'p Scope>) {
        if self.is_over() {
            return;
        }
        self.choices_left -= 1;
        let comparison = self.comparison;
        if suffices(comparison.there, self.needed.theirs, grant) {
            return;
        }
        let Some((first, rest)) = alternative.split_first() else {
            let grant = grant.clone();
            self.try_grant(&grant);
            return;
        };
        let held = comparison.here.policy.hold(grant.iter().map(|scope| scope.as_str()));
        if held.contains(*first) {
            return self.choose(rest, grant);
        }
        for giver in comparison.here.givers.get(first).into_iter().flatten() {
            grant.push(giver);
            self.choose(rest, grant);
            grant.pop();
        }
    }

    /// Keeps the grant if it is one of the smallest that suffice here, and does not suffice there.
    fn try_grant(&mut self, grant: &[&Scope]) {
        let comparison = self.comparison;
        if suffices(comparison.there, self.needed.theirs, grant) {
            return;
        }
        let is_smallest = (0..grant.len()).all(|left_out| {
            let mut less = grant.to_vec();
            less.remove(left_out);
            !suffices(comparison.here.policy, Some(self.needed.ours), &less)
        });
        if is_smallest {
            self.found.insert(Grant(grant.iter().map(|scope| (*scope).clone()).collect()));
        }
    }
}

/// Whether a token with these scopes is enough, by the decision of the policy.
fn suffices(policy: &CompiledPolicy, needed: Option<&Requirement>, grant: &[&Scope]) -> bool {
    needed.is_some_and(|needed| {
        needed.is_met_by(&policy.hold(grant.iter().map(|scope| scope.as_str())))
    })
}
