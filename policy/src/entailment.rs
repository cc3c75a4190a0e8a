//! Proves whether every caller who meets some requirements meets another one.
//!
//! The proofs count their steps, because in general they take exponential time (with several
//! requirements) or quadratic time (with one). A proof that takes too many steps is not made, and
//! counts as failed.

use std::collections::HashMap;

use super::{CompiledPolicy, Requirement, ScopeId, ScopeInfo, ScopeSet};
use crate::{effort::Effort, requirement::Alternative};

/// Why there is no proof.
#[derive(Debug)]
pub(crate) enum Unproved<'p> {
    /// A small set of granted scopes that meets the requirements and not the other one.
    Counterexample(Vec<&'p ScopeInfo>),
    /// A caller without a token meets the requirements, and not the other one.
    Anonymous,
    /// The proof would take more steps than the run may spend.
    TooLarge,
}

/// Up to this many combinations of alternatives are all tried, so that the counterexample is the
/// smallest one.
const MOST_COMBINATIONS: usize = 256;

impl CompiledPolicy {
    /// Whether every set of granted scopes that meets `rule` also meets `other`. The counterexample
    /// is the smallest set that meets `rule` and not `other`.
    ///
    /// The answer is exact, although only the alternatives of `rule` are tried: a set meets `rule` if
    /// and only if it gives all scopes of some alternative, and more scopes never take access away. So
    /// an alternative that meets `other` proves it for every set that gives that alternative, and an
    /// alternative that does not is itself a counterexample.
    pub(crate) fn entails(
        &self,
        rule: &Requirement,
        other: &Requirement,
        effort: &Effort,
    ) -> Result<(), Unproved<'_>> {
        self.entails_indexed(rule, &IndexedRequirement::new(other), effort)
    }

    fn entails_indexed(
        &self,
        rule: &Requirement,
        other: &IndexedRequirement<'_>,
        effort: &Effort,
    ) -> Result<(), Unproved<'_>> {
        if *rule == Requirement::Anonymous && *other.requirement != Requirement::Anonymous {
            return Err(Unproved::Anonymous);
        }
        let mut counterexample: Option<&[ScopeId]> = None;
        for all in alternatives(rule) {
            let held = self.given_by(all, effort).ok_or(Unproved::TooLarge)?;
            let is_met = other.is_met_by(&held, effort).ok_or(Unproved::TooLarge)?;
            if !is_met && counterexample.is_none_or(|least| all.len() < least.len()) {
                counterexample = Some(all);
            }
        }
        match counterexample {
            None => Ok(()),
            Some(all) => Err(self.counterexample(all)),
        }
    }

    /// Whether every set of granted scopes that meets all of `clauses` also meets `other`.
    ///
    /// The alternatives of the clauses are not multiplied out, because six conditions with eight
    /// alternatives each have millions of combinations. A set does not meet `other` if and only if it
    /// lacks at least one scope of each alternative of `other`. So the proof chooses the scopes to
    /// lack, and asks of one clause after the other whether it can be met without them.
    pub(crate) fn entails_together(
        &self,
        clauses: &[&Requirement],
        other: &IndexedRequirement<'_>,
        effort: &Effort,
    ) -> Result<(), Unproved<'_>> {
        // A caller who meets any other clause has a token, and so meets those that everybody meets.
        let own = clauses.iter().copied().filter(|clause| **clause != Requirement::Anonymous);
        let own: Vec<&Requirement> = own.collect();
        let clauses = if own.is_empty() { &[&Requirement::Anonymous][..] } else { &own };
        // Most often one of the clauses proves it alone.
        for clause in clauses {
            match self.entails_indexed(clause, other, effort) {
                Ok(()) => return Ok(()),
                Err(unproved) if clauses.len() == 1 => return Err(unproved),
                Err(Unproved::TooLarge) => return Err(Unproved::TooLarge),
                Err(Unproved::Counterexample(_) | Unproved::Anonymous) => {}
            }
        }
        let counts = clauses.iter().map(|clause| clause.alternatives().len().max(1));
        if counts.fold(1, usize::saturating_mul) <= MOST_COMBINATIONS {
            let together = clauses.iter().fold(Requirement::Authenticated, |all, one| all.and(one));
            return self.entails_indexed(&together, other, effort);
        }
        let lacking = ScopeSet::default();
        let mut without = Without { policy: self, lacking, clauses: vec![], effort };
        for clause in clauses {
            let mut given = vec![];
            for all in alternatives(clause) {
                let held = self.given_by(all, effort).ok_or(Unproved::TooLarge)?;
                given.push((all, held));
            }
            without.clauses.push(given);
        }
        let mut alternatives: Vec<&[ScopeId]> = alternatives(other.requirement).collect();
        // The shortest first, because they leave the least choice.
        alternatives.sort_by_key(|all| all.len());
        without.search(&alternatives)
    }

    /// The scopes that a caller holds who was granted all of these.
    pub(crate) fn given_by(&self, all: &[ScopeId], effort: &Effort) -> Option<ScopeSet> {
        let mut held = ScopeSet::default();
        for id in all {
            let closure = &self.scope(*id).closure;
            if !effort.spend(1 + closure.words()) {
                return None;
            }
            held.extend(closure);
        }
        Some(held)
    }

    fn counterexample(&self, all: &[ScopeId]) -> Unproved<'_> {
        Unproved::Counterexample(all.iter().map(|id| self.scope(*id)).collect())
    }
}

/// The alternatives of a requirement; one without any scope if it needs none.
fn alternatives(requirement: &Requirement) -> impl Iterator<Item = &[ScopeId]> {
    let nothing: Option<&[ScopeId]> = match requirement {
        Requirement::Anonymous | Requirement::Authenticated => Some(&[]),
        Requirement::AnyOf(_) => None,
    };
    nothing.into_iter().chain(requirement.alternatives().iter().map(|all| &**all))
}

/// The search for a set of scopes that meets all clauses and lacks some scopes.
struct Without<'p, 'c> {
    policy: &'p CompiledPolicy,
    /// The alternatives of each clause that lack all scopes chosen so far, with the scopes that each
    /// gives.
    clauses: Vec<Vec<(&'c [ScopeId], ScopeSet)>>,
    /// The scopes that were chosen.
    lacking: ScopeSet,
    effort: &'c Effort,
}

impl<'p> Without<'p, '_> {
    /// Chooses a scope to lack of each of these alternatives, in all ways. `Ok` if no choice leaves
    /// an alternative of each clause.
    fn search(&self, others: &[&[ScopeId]]) -> Result<(), Unproved<'p>> {
        // An alternative that lacks a chosen scope already needs no choice.
        let is_open = |all: &&[ScopeId]| !all.iter().any(|scope| self.lacking.contains(*scope));
        if !self.effort.spend(others.iter().map(|all| all.len()).sum()) {
            return Err(Unproved::TooLarge);
        }
        let Some(place) = others.iter().position(is_open) else {
            return Err(self.policy.counterexample(&self.small()));
        };
        let (first, rest) = (others[place], &others[place + 1..]);
        for scope in first {
            let mut clauses = Vec::with_capacity(self.clauses.len());
            for clause in &self.clauses {
                if !self.effort.spend(1 + clause.len()) {
                    return Err(Unproved::TooLarge);
                }
                let left = clause.iter().filter(|(_, held)| !held.contains(*scope)).cloned();
                let left: Vec<_> = left.collect();
                if left.is_empty() {
                    break;
                }
                clauses.push(left);
            }
            if clauses.len() == self.clauses.len() {
                let mut lacking = self.lacking.clone();
                lacking.insert(*scope);
                let (policy, effort) = (self.policy, self.effort);
                Without { policy, clauses, lacking, effort }.search(rest)?;
            }
        }
        Ok(())
    }

    /// A small set of scopes with an alternative of each clause: of each the one that adds fewest.
    fn small(&self) -> Alternative {
        let mut all = Alternative::new();
        let mut clauses: Vec<_> = self.clauses.iter().collect();
        clauses.sort_by_key(|clause| clause.len());
        for clause in clauses {
            let more = |one: &[ScopeId]| one.iter().filter(|scope| !all.contains(scope)).count();
            let least = clause.iter().map(|(one, _)| *one).min_by_key(|one| more(one));
            for scope in least.into_iter().flatten() {
                if !all.contains(scope) {
                    all.push(*scope);
                }
            }
        }
        all
    }
}

/// A requirement whose alternatives are found by the scopes that a caller holds, so that it need not
/// be asked alternative by alternative.
pub(crate) struct IndexedRequirement<'r> {
    requirement: &'r Requirement,
    /// The scopes that suffice alone.
    alone: ScopeSet,
    /// The number of the first alternative of each scope that suffices alone.
    first_alone: HashMap<ScopeId, usize>,
    /// The alternatives of several scopes with their numbers, by the scope that the fewest of them
    /// have.
    several: HashMap<ScopeId, Vec<(usize, &'r [ScopeId])>>,
}

impl<'r> IndexedRequirement<'r> {
    pub(crate) fn new(requirement: &'r Requirement) -> Self {
        let all = requirement.alternatives();
        let mut index = Self {
            requirement,
            alone: ScopeSet::default(),
            first_alone: HashMap::new(),
            several: HashMap::new(),
        };
        let mut uses: HashMap<ScopeId, usize> = HashMap::new();
        for scope in all.iter().filter(|all| all.len() > 1).flatten() {
            *uses.entry(*scope).or_default() += 1;
        }
        for (number, all) in all.iter().enumerate() {
            match all.as_slice() {
                [one] => {
                    index.alone.insert(*one);
                    index.first_alone.entry(*one).or_insert(number);
                }
                several => {
                    let rarest = several.iter().min_by_key(|scope| uses.get(scope));
                    if let Some(rarest) = rarest {
                        index.several.entry(*rarest).or_default().push((number, several));
                    }
                }
            }
        }
        index
    }

    /// Whether a caller who holds these scopes meets the requirement. `None` if that takes too many
    /// steps.
    fn is_met_by(&self, held: &ScopeSet, effort: &Effort) -> Option<bool> {
        if !effort.spend(1 + held.words()) {
            return None;
        }
        // These are the scopes of a token.
        let is_always_met = self.requirement.needs_no_scope();
        if is_always_met || self.alone.intersects(held) {
            return Some(true);
        }
        if self.several.is_empty() {
            return Some(false);
        }
        for scope in held.iter() {
            for (_, all) in self.several.get(&scope).into_iter().flatten() {
                if !effort.spend(all.len()) {
                    return None;
                }
                if all.iter().all(|scope| held.contains(*scope)) {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    /// The numbers of the alternatives that a caller who holds these scopes meets, in their order; of
    /// equal alternatives of one scope only the first. `None` if that takes too many steps.
    pub(crate) fn met_by(&self, held: &ScopeSet, effort: &Effort) -> Option<Vec<usize>> {
        let mut met = vec![];
        for scope in held.iter() {
            let several = self.several.get(&scope).map_or(&[][..], Vec::as_slice);
            let steps = several.iter().map(|(_, all)| all.len()).sum::<usize>();
            if !effort.spend(1 + steps) {
                return None;
            }
            met.extend(self.first_alone.get(&scope));
            let is_met = |all: &[ScopeId]| all.iter().all(|scope| held.contains(*scope));
            met.extend(several.iter().filter(|(_, all)| is_met(all)).map(|(number, _)| *number));
        }
        met.sort_unstable();
        Some(met)
    }
}
