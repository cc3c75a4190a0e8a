//! Finds the grants that suffice under one policy and not under another, over all sets of scopes.
//!
//! The policy under which the grants suffice is called *here*, and the other one *there*.
//!
//! More scopes never take access away. So a grant suffices if and only if it holds all scopes of one
//! of the smallest grants that suffice; and a grant that suffices here and not there exists if and
//! only if one of the smallest grants here does not suffice there. The search finds the smallest
//! grants by choosing, for each scope that an alternative needs, a scope that gives it.

use std::collections::{BTreeSet, HashSet};

use super::{Grant, Grants};
use crate::{CompiledPolicy, Requirement, Scope, ScopeId, ScopeSet, effort::Effort};

/// The most grants that are listed for one rule, because nobody reads more.
const LISTED: usize = 32;
/// The most choices that the search for the list tries, because there can be exponentially many.
const CHOICES: usize = 2_000;
/// The most choices that the search for a single grant tries. If it finds none by then, nobody knows
/// whether there is one, and it counts as found.
const WITNESS_CHOICES: usize = 100_000;

/// The most steps of one comparison of two policies: some tenths of a second. A step looks at one
/// scope or one alternative.
pub(super) const STEPS: usize = 20_000_000;

/// One of the two policies, and for each scope its givers: the scope itself, and those that imply it.
pub(super) struct ComparedPolicy<'p> {
    policy: &'p CompiledPolicy,
    givers: Vec<ScopeSet>,
}

impl<'p> ComparedPolicy<'p> {
    pub(super) fn new(policy: &'p CompiledPolicy) -> Self {
        let mut givers = vec![ScopeSet::default(); policy.scopes().len()];
        for giver in policy.scopes() {
            let Some(id) = policy.scope_id(giver.name().as_str()) else { continue };
            for given in giver.closure.iter() {
                if let Some(givers) = givers.get_mut(given.index()) {
                    givers.insert(id);
                }
            }
        }
        Self { policy, givers }
    }

    /// The scopes that give this one, in the order of the file.
    fn givers(&self, scope: ScopeId) -> impl Iterator<Item = &'p Scope> {
        let givers = self.givers.get(scope.index());
        givers.into_iter().flat_map(ScopeSet::iter).map(|giver| self.policy.scope(giver).name())
    }
}

/// The scopes that have the same givers under both policies.
pub(super) fn with_same_givers<'p>(
    one: &ComparedPolicy<'p>,
    other: &ComparedPolicy<'p>,
) -> HashSet<&'p str> {
    // The number that each scope of the one policy has in the other.
    let names = || one.policy.scopes().iter().map(|scope| scope.name().as_str());
    let numbers: Vec<Option<ScopeId>> = names().map(|name| other.policy.scope_id(name)).collect();
    let has_same = |(name, givers): &(&str, &ScopeSet)| {
        let theirs = other.policy.scope_id(name).and_then(|id| other.givers.get(id.index()));
        theirs.is_some_and(|theirs| {
            givers.len() == theirs.len()
                && givers.iter().all(|giver| {
                    numbers
                        .get(giver.index())
                        .copied()
                        .flatten()
                        .is_some_and(|id| theirs.contains(id))
                })
        })
    };
    names().zip(&one.givers).filter(has_same).map(|(name, _)| name).collect()
}

/// Looks for grants that suffice under `here` and not under `there`.
pub(super) struct GrantComparison<'c, 'p> {
    here: &'c ComparedPolicy<'p>,
    there: &'p CompiledPolicy,
    same_scopes: &'c HashSet<&'p str>,
    /// The steps that the whole comparison may still take.
    effort: &'c Effort,
}

impl<'c, 'p> GrantComparison<'c, 'p> {
    pub(super) fn new(
        here: &'c ComparedPolicy<'p>,
        there: &ComparedPolicy<'p>,
        same_scopes: &'c HashSet<&'p str>,
        effort: &'c Effort,
    ) -> Self {
        Self { here, there: there.policy, same_scopes, effort }
    }

    /// The smallest grants that meet `ours` here and do not meet `theirs` there. `None` stands for a
    /// policy without a rule, under which no grant suffices.
    pub(super) fn only(&self, ours: Option<&Requirement>, theirs: Option<&Requirement>) -> Grants {
        let Some(ours) = ours else { return Grants::default() };
        let anonymous = *ours == Requirement::Anonymous && theirs != Some(&Requirement::Anonymous);
        if theirs.is_some_and(|theirs| self.is_the_same(ours, theirs)) {
            return Grants { anonymous, ..Grants::default() };
        }
        let needed = Needed { ours, theirs };
        let mut search =
            GrantSearch { comparison: self, needed, found: BTreeSet::new(), choices_left: CHOICES };
        match ours {
            Requirement::Anonymous | Requirement::Authenticated => search.try_grant(&[]),
            Requirement::AnyOf(alternatives) => {
                for all in alternatives {
                    search.choose(all, &mut vec![]);
                }
            }
        }
        let mut is_cut = search.is_over();
        let mut found = search.found;
        if found.is_empty() && is_cut {
            // Too many choices to list. To find a single grant takes far fewer of them.
            // A search that is too large counts as a difference, because nobody knows that there is
            // none.
            if let Ok(witness) = self.witness(needed) {
                is_cut = witness.is_some();
                found.extend(witness);
            }
        }
        Grants { smallest: found.into_iter().collect(), is_cut, anonymous }
    }

    /// Whether a token with these scopes is enough here or there. An error if that would take more
    /// steps than are left.
    fn suffices(
        &self,
        policy: &CompiledPolicy,
        needed: Option<&Requirement>,
        grant: &[&Scope],
    ) -> Result<bool, TooLarge> {
        let Some(needed) = needed else { return Ok(false) };
        let steps = 4 + grant.len() * 4 + needed.alternatives().len();
        if !self.effort.spend(steps) {
            return Err(TooLarge);
        }
        Ok(needed.is_met_by(&policy.hold(grant.iter().map(|scope| scope.as_str()))))
    }

    /// Whether both have the same alternatives of scopes with the same givers, so that no search is
    /// needed.
    fn is_the_same(&self, ours: &Requirement, theirs: &Requirement) -> bool {
        let named = |policy: &'p CompiledPolicy, all: &[ScopeId]| -> BTreeSet<&'p str> {
            all.iter().map(|id| policy.scope(*id).name().as_str()).collect()
        };
        match (ours, theirs) {
            (_, Requirement::Anonymous | Requirement::Authenticated) => true,
            (Requirement::Anonymous | Requirement::Authenticated, _) => false,
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
    fn witness(&self, needed: Needed<'_>) -> Result<Option<Grant>, TooLarge> {
        let mut steps_left = WITNESS_CHOICES;
        for all in needed.ours.alternatives() {
            let choices: Result<Vec<Vec<&Scope>>, TooLarge> =
                all.iter().map(|scope| self.least_givers(*scope)).collect();
            let mut grant = vec![];
            if self.descend(needed, &choices?, &mut grant, &mut steps_left)? {
                return self.shrink(needed, grant).map(Some);
            }
        }
        Ok(None)
    }

    /// The givers of a scope, without those that give all that another one gives there.
    fn least_givers(&self, scope: ScopeId) -> Result<Vec<&'p Scope>, TooLarge> {
        let givers: Vec<(&Scope, ScopeSet)> = self
            .here
            .givers(scope)
            .map(|giver| (giver, self.there.hold([giver.as_str()])))
            .collect();
        let words = givers.first().map_or(0, |(_, given)| given.words());
        if !self.effort.spend(givers.len().saturating_mul(givers.len()).saturating_mul(1 + words)) {
            return Err(TooLarge);
        }
        let is_least = |index: usize, mine: &ScopeSet| {
            !givers.iter().enumerate().any(|(other, (_, theirs))| {
                theirs.is_subset(mine) && (theirs != mine || other < index)
            })
        };
        let least = givers.iter().enumerate().filter(|(index, (_, mine))| is_least(*index, mine));
        Ok(least.map(|(_, (giver, _))| *giver).collect())
    }

    /// Adds one scope of each of `choices` to `grant`, and says whether it can be done without a grant
    /// that suffices there.
    fn descend(
        &self,
        needed: Needed<'_>,
        choices: &[Vec<&'p Scope>],
        grant: &mut Vec<&'p Scope>,
        steps_left: &mut usize,
    ) -> Result<bool, TooLarge> {
        *steps_left = steps_left.checked_sub(1).ok_or(TooLarge)?;
        // The grant already suffices there, and more scopes do not change that.
        if self.suffices(self.there, needed.theirs, grant)? {
            return Ok(false);
        }
        let Some((first, rest)) = choices.split_first() else { return Ok(true) };
        for giver in first {
            grant.push(giver);
            if self.descend(needed, rest, grant, steps_left)? {
                return Ok(true);
            }
            grant.pop();
        }
        Ok(false)
    }

    /// Removes the scopes without which the grant still suffices here.
    fn shrink(&self, needed: Needed<'_>, mut grant: Vec<&Scope>) -> Result<Grant, TooLarge> {
        let mut index = 0;
        while index < grant.len() {
            let scope = grant.remove(index);
            if !self.suffices(self.here.policy, Some(needed.ours), &grant)? {
                grant.insert(index, scope);
                index += 1;
            }
        }
        Ok(Grant(grant.into_iter().cloned().collect()))
    }
}

/// The error of a search that would take more steps than it may.
#[derive(Debug, Clone, Copy)]
struct TooLarge;

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
        match comparison.suffices(comparison.there, self.needed.theirs, grant) {
            Ok(false) => {}
            Ok(true) => return,
            Err(TooLarge) => {
                self.choices_left = 0;
                return;
            }
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
        for giver in comparison.here.givers(*first) {
            if self.is_over() {
                return;
            }
            grant.push(giver);
            self.choose(rest, grant);
            grant.pop();
        }
    }

    /// Keeps the grant if it is one of the smallest that suffice here, and does not suffice there.
    fn try_grant(&mut self, grant: &[&Scope]) {
        match self.is_smallest(grant) {
            Ok(true) => {
                self.found.insert(Grant(grant.iter().map(|scope| (*scope).clone()).collect()));
            }
            Ok(false) => {}
            Err(TooLarge) => self.choices_left = 0,
        }
    }

    fn is_smallest(&self, grant: &[&Scope]) -> Result<bool, TooLarge> {
        let comparison = self.comparison;
        if comparison.suffices(comparison.there, self.needed.theirs, grant)? {
            return Ok(false);
        }
        for left_out in 0..grant.len() {
            let mut less = grant.to_vec();
            less.remove(left_out);
            if comparison.suffices(comparison.here.policy, Some(self.needed.ours), &less)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
