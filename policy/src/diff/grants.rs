//! Which grants suffice under one policy and not under another: exact, over all sets of scopes.
//!
//! Whether a grant suffices is monotone: more scopes never take anything away. So the grants that
//! suffice for a tool are those that hold one of the smallest ones; and there is a grant that
//! suffices here and not there if and only if one of the smallest here does not suffice there.
//! The smallest are found by choosing, for each scope that an alternative needs, a scope that
//! gives it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Grant, Grants};
use crate::{CompiledPolicy, Requirement, Scope, ScopeId};

/// So many of the smallest grants are listed for one tool.
const LISTED: usize = 32;
/// So many choices are tried for the list; whether there is any grant at all is always answered.
const CHOICES: usize = 2_000;

/// A policy, and for each of its scopes those that give it: itself, and those that imply it.
pub(super) struct Side<'p> {
    policy: &'p CompiledPolicy,
    givers: HashMap<ScopeId, Vec<&'p Scope>>,
}

impl<'p> Side<'p> {
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

/// The scopes of `one` that the same scopes give under `other`.
pub(super) fn alike<'p>(one: &Side<'p>, other: &Side<'p>) -> HashSet<&'p str> {
    let names = one.policy.scopes().iter().map(|scope| scope.name().as_str());
    names.filter(|name| one.givers(name) == other.givers(name)).collect()
}

/// Looks for grants that suffice under `here` and not under `there`.
pub(super) struct Comparison<'c, 'p> {
    here: &'c Side<'p>,
    there: &'p CompiledPolicy,
    alike: &'c HashSet<&'p str>,
}

impl<'c, 'p> Comparison<'c, 'p> {
    pub(super) fn new(here: &'c Side<'p>, there: &Side<'p>, alike: &'c HashSet<&'p str>) -> Self {
        Self { here, there: there.policy, alike }
    }

    /// The smallest grants that suffice here and not there, for what needs this here and there; it
    /// needs nothing where nobody can have it.
    pub(super) fn only(&self, ours: Option<&Requirement>, theirs: Option<&Requirement>) -> Grants {
        let Some(ours) = ours else { return Grants::default() };
        if theirs.is_some_and(|theirs| self.is_the_same(ours, theirs)) {
            return Grants::default();
        }
        let question = Question { ours, theirs };
        let mut search =
            Search { comparison: self, question, found: BTreeSet::new(), left: CHOICES };
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
            // Too many choices to list. The question itself needs far fewer of them.
            found.extend(self.witness(question));
        }
        let is_cut = is_cut && !found.is_empty();
        Grants { smallest: found.into_iter().collect(), is_cut }
    }

    /// The same alternatives, of scopes that mean the same: nothing to look for.
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
                            && ours.iter().all(|scope| self.alike.contains(scope))
                    })
            }
        }
    }

    /// One grant that suffices here and not there, if there is any. Of the scopes that give a
    /// needed one only those are tried that give the least *there*: with less of it a grant that
    /// does not suffice there only suffices less.
    fn witness(&self, question: Question<'_>) -> Option<Grant> {
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
        for all in question.ours.alternatives() {
            let choices: Vec<Vec<&Scope>> = all.iter().map(|scope| least(*scope)).collect();
            let mut grant = vec![];
            if self.descend(question, &choices, &mut grant) {
                return Some(self.shrink(question, grant));
            }
        }
        None
    }

    fn descend(
        &self,
        question: Question<'_>,
        choices: &[Vec<&'p Scope>],
        grant: &mut Vec<&'p Scope>,
    ) -> bool {
        // It suffices there already, and more would not change that.
        if suffices(self.there, question.theirs, grant) {
            return false;
        }
        let Some((first, rest)) = choices.split_first() else { return true };
        for giver in first {
            grant.push(giver);
            if self.descend(question, rest, grant) {
                return true;
            }
            grant.pop();
        }
        false
    }

    /// Takes away what is not needed to suffice here.
    fn shrink(&self, question: Question<'_>, mut grant: Vec<&Scope>) -> Grant {
        let mut index = 0;
        while index < grant.len() {
            let scope = grant.remove(index);
            if !suffices(self.here.policy, Some(question.ours), &grant) {
                grant.insert(index, scope);
                index += 1;
            }
        }
        Grant(grant.into_iter().cloned().collect())
    }
}

/// What is needed on both sides.
#[derive(Clone, Copy)]
struct Question<'q> {
    ours: &'q Requirement,
    theirs: Option<&'q Requirement>,
}

/// Tries choices for the list, as long as there are not too many.
struct Search<'s, 'c, 'p> {
    comparison: &'s Comparison<'c, 'p>,
    question: Question<'s>,
    found: BTreeSet<Grant>,
    left: usize,
}

impl<'p> Search<'_, '_, 'p> {
    fn is_over(&self) -> bool {
        self.left == 0 || self.found.len() >= LISTED
    }

    /// Chooses a giver for each scope of an alternative that the grant does not give yet.
    fn choose(&mut self, needed: &[ScopeId], grant: &mut Vec<&'p Scope>) {
        if self.is_over() {
            return;
        }
        self.left -= 1;
        let comparison = self.comparison;
        if suffices(comparison.there, self.question.theirs, grant) {
            return;
        }
        let Some((first, rest)) = needed.split_first() else {
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
        if suffices(comparison.there, self.question.theirs, grant) {
            return;
        }
        let is_smallest = (0..grant.len()).all(|left_out| {
            let mut less = grant.to_vec();
            less.remove(left_out);
            !suffices(comparison.here.policy, Some(self.question.ours), &less)
        });
        if is_smallest {
            self.found.insert(Grant(grant.iter().map(|scope| (*scope).clone()).collect()));
        }
    }
}

/// Whether a token with these scopes is enough: the policy's own decision.
fn suffices(policy: &CompiledPolicy, needed: Option<&Requirement>, grant: &[&Scope]) -> bool {
    needed.is_some_and(|needed| {
        needed.is_met_by(&policy.hold(grant.iter().map(|scope| scope.as_str())))
    })
}
