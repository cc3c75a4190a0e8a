//! Compares the rules of one tool, resource or prompt, with their conditions.
//!
//! A `when` asks for more while its condition holds. So a condition that holds more often narrows
//! access, and one that holds less often widens it. The comparison asks for each alternative of each
//! condition (see [`formula`](super::formula)) which grants suffice when exactly the parts of that
//! alternative hold. No other sets of parts need a question: a grant that is refused is refused by
//! one requirement, and with fewer parts no other rule asks for more.
//!
//! Where a part is only in one of the conditions, nobody knows whether it holds when another part
//! does: `args.n > 3` may have become `args.n > 5`. Access that is only gained unless such a part
//! holds, while access is lost when it does, *cannot be told*.

use std::collections::BTreeSet;

use smallvec::smallvec;

use super::{
    Grants,
    formula::{Formula, Holding, Parts},
    grants::GrantComparison,
};
use crate::{CompiledPolicy, Requirement, Rule};

/// The most alternatives that the requirement of a call may have, because each further condition
/// multiplies them. Further conditions are then left out, so that more grants count as gained.
const MOST_ALTERNATIVES: usize = 256;
/// The most pairs of alternatives that are looked at to tell a direction.
const MOST_PAIRS: usize = 1_000;
/// The most pairs of an old and a new condition that are looked at to show them as one that changed.
/// Further ones are shown as two.
const MOST_ALIKE: usize = 20_000;

/// The change of one rule: for every call, or under a condition.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    /// The condition under the new policy, or under the only one that has it.
    pub(super) when: Option<String>,
    /// The condition under the old policy that became `when`.
    pub(super) was_when: Option<String>,
    pub(super) old: Option<Requirement>,
    pub(super) new: Option<Requirement>,
    pub(super) gained: Grants,
    pub(super) lost: Grants,
    pub(super) is_gain_unsure: bool,
    pub(super) is_loss_unsure: bool,
}

impl Change {
    fn is_change(&self) -> bool {
        !self.gained.is_empty() || !self.lost.is_empty()
    }
}

/// What finds the gained and the lost grants of two policies.
pub(super) struct Comparison<'c, 'p> {
    pub(super) gains: GrantComparison<'c, 'p>,
    pub(super) losses: GrantComparison<'c, 'p>,
}

impl Comparison<'_, '_> {
    /// Every change between two rules; `None` for a policy without a rule.
    pub(super) fn rules(&self, old: Option<&Rule>, new: Option<&Rule>) -> Vec<Change> {
        let mut parts = Parts::default();
        let (old, new) = (Side::new(old, &mut parts), Side::new(new, &mut parts));
        let base = self.under(&Change::default(), &old, &new, None);
        let mut conditions: Vec<Compared> = vec![];
        let mut known = BTreeSet::new();
        for formula in old.formulas().chain(new.formulas()) {
            if known.insert(formula) {
                conditions.push(self.condition(formula, &old, &new));
            }
        }
        self.tell(&mut conditions, &old, &new);
        pair(&mut conditions);
        conditions.sort_by(|one, other| one.change.when.cmp(&other.change.when));
        // A change for every call is not repeated for each condition.
        let is_repetition = |change: &Change| {
            base.is_change() && (&base.gained, &base.lost) == (&change.gained, &change.lost)
        };
        let conditions = conditions.into_iter().map(|compared| compared.change);
        let conditions = conditions.filter(|change| change.is_change() && !is_repetition(change));
        let conditions: Vec<Change> = conditions.collect();
        let base = base.is_change().then_some(base);
        base.into_iter().chain(conditions).collect()
    }

    /// The change of who is answered more because of an optional scope: who may use it and holds the
    /// scope. Where a policy does not define the scope, nobody holds it.
    pub(super) fn optional(
        &self,
        (old_policy, old): (&CompiledPolicy, Option<&Rule>),
        (new_policy, new): (&CompiledPolicy, Option<&Rule>),
        scope: &str,
    ) -> Option<Change> {
        let needs = |policy: &CompiledPolicy, rule: Option<&Rule>| {
            let holds = Requirement::AnyOf(smallvec![smallvec![policy.scope_id(scope)?]]);
            Some(rule?.requirement.and(&holds))
        };
        let (old, new) = (needs(old_policy, old), needs(new_policy, new));
        let gained = self.gains.only(new.as_ref(), old.as_ref());
        let lost = self.losses.only(old.as_ref(), new.as_ref());
        let change = Change { old, new, gained, lost, ..Change::default() };
        change.is_change().then_some(change)
    }

    /// The change for calls that need what the rules need and, with a formula, what they add to it.
    fn under(
        &self,
        change: &Change,
        old: &Side<'_>,
        new: &Side<'_>,
        formula: Option<&Formula>,
    ) -> Change {
        let (was, is) = (old.own(formula), new.own(formula));
        let mut change = Change { old: was, new: is, ..change.clone() };
        let nothing = Holding::new();
        let holding: Vec<&Holding> =
            formula.map_or(vec![&nothing], |formula| formula.alternatives().collect());
        for holding in holding {
            change.gained.add(self.gained(change.old.as_ref(), new, holding));
            change.lost.add(self.lost(change.new.as_ref(), old, holding));
        }
        change
    }

    fn condition(&self, formula: &Formula, old: &Side<'_>, new: &Side<'_>) -> Compared {
        let (was, is) = (old.text(formula), new.text(formula));
        let when = is.or(was).map(str::to_owned);
        let change = Change { when, ..Change::default() };
        let change = self.under(&change, old, new, Some(formula));
        let (in_old, in_new) = (was.is_some(), is.is_some());
        Compared { formula: formula.clone(), in_old, in_new, change }
    }

    /// The grants that suffice now when these parts hold, and did not meet `was`.
    fn gained(&self, was: Option<&Requirement>, new: &Side<'_>, holding: &Holding) -> Grants {
        self.gains.only(new.needs(holding).as_ref(), was)
    }

    fn lost(&self, is: Option<&Requirement>, old: &Side<'_>, holding: &Holding) -> Grants {
        self.losses.only(old.needs(holding).as_ref(), is)
    }

    /// Finds gains and losses that may be one and the same change of a condition's text.
    fn tell(&self, conditions: &mut [Compared], old: &Side<'_>, new: &Side<'_>) {
        let (old_parts, new_parts) = (old.parts(), new.parts());
        let mut gains: Vec<(usize, &Holding)> = vec![];
        let mut losses: Vec<(usize, &Holding)> = vec![];
        for (index, compared) in conditions.iter().enumerate() {
            for holding in compared.formula.alternatives() {
                if !self.gained(compared.change.old.as_ref(), new, holding).is_empty() {
                    gains.push((index, holding));
                }
                if !self.lost(compared.change.new.as_ref(), old, holding).is_empty() {
                    losses.push((index, holding));
                }
            }
        }
        let is_too_much = gains.len().saturating_mul(losses.len()) > MOST_PAIRS;
        // Two alternatives whose parts the two policies both have are independent changes.
        let is_related = |gained: &Holding, lost: &Holding| {
            !lost.is_subset(&old_parts) || !gained.is_subset(&new_parts)
        };
        let is_gain_unsure = |(index, gained): &(usize, &Holding)| {
            let was = conditions[*index].change.old.as_ref();
            losses.iter().filter(|(_, lost)| is_related(gained, lost)).any(|(_, lost)| {
                is_too_much || self.gained(was, new, &(*gained | *lost)).is_empty()
            })
        };
        let is_loss_unsure = |(index, lost): &(usize, &Holding)| {
            let is = conditions[*index].change.new.as_ref();
            gains
                .iter()
                .filter(|(_, gained)| is_related(gained, lost))
                .any(|(_, gained)| is_too_much || self.lost(is, old, &(*gained | *lost)).is_empty())
        };
        let sure = |all: &[(usize, &Holding)], is_unsure: &dyn Fn(&(usize, &Holding)) -> bool| {
            all.iter().filter(|one| !is_unsure(one)).map(|(index, _)| *index).collect()
        };
        let sure_gains: BTreeSet<usize> = sure(&gains, &is_gain_unsure);
        let sure_losses: BTreeSet<usize> = sure(&losses, &is_loss_unsure);
        for (index, compared) in conditions.iter_mut().enumerate() {
            let change = &mut compared.change;
            change.is_gain_unsure = !change.gained.is_empty() && !sure_gains.contains(&index);
            change.is_loss_unsure = !change.lost.is_empty() && !sure_losses.contains(&index);
        }
    }
}

/// Shows a condition of the old policy and one of the new policy as one that changed, if they look
/// like it.
fn pair(conditions: &mut Vec<Compared>) {
    type Alike = fn(&Compared, &Compared) -> bool;
    let same_needs: Alike = |old, new| old.change.old == new.change.new;
    let comparable: Alike =
        |old, new| old.formula.implies(&new.formula) || new.formula.implies(&old.formula);
    let shared: Alike = |old, new| !old.formula.parts().is_disjoint(&new.formula.parts());
    let rounds: [&[Alike]; 4] =
        [&[same_needs, comparable], &[same_needs, shared], &[same_needs], &[comparable]];
    let mut steps_left = MOST_ALIKE;
    for alike in rounds {
        while let Some((old, new)) = find_pair(conditions, alike, &mut steps_left) {
            let gone = conditions[old].change.clone();
            let kept = &mut conditions[new];
            kept.in_old = true;
            let change = &mut kept.change;
            change.is_gain_unsure = either_unsure(
                (&gone.gained, gone.is_gain_unsure),
                (&change.gained, change.is_gain_unsure),
            );
            change.is_loss_unsure = either_unsure(
                (&gone.lost, gone.is_loss_unsure),
                (&change.lost, change.is_loss_unsure),
            );
            change.gained.add(gone.gained);
            change.lost.add(gone.lost);
            change.was_when = gone.when;
            change.old = gone.old;
            conditions.remove(old);
        }
    }
}

/// A condition of the old policy only, and one of the new policy only, for which all of `alike` hold.
fn find_pair(
    conditions: &[Compared],
    alike: &[fn(&Compared, &Compared) -> bool],
    steps_left: &mut usize,
) -> Option<(usize, usize)> {
    let only = |in_old: bool| {
        let all = conditions.iter().enumerate();
        all.filter(move |(_, one)| (one.in_old, one.in_new) == (in_old, !in_old))
    };
    only(true).find_map(|(old, was)| {
        let mut news = only(false);
        let found = news.find(|(_, is)| {
            let before = *steps_left;
            *steps_left = before.saturating_sub(1);
            before > 0 && alike.iter().all(|alike| alike(was, is))
        });
        found.map(|(new, _)| (old, new))
    })
}

/// Whether the grants of both together are unsure: those that are there are.
fn either_unsure(one: (&Grants, bool), other: (&Grants, bool)) -> bool {
    let both = [one, other];
    let mut some = both.iter().filter(|(grants, _)| !grants.is_empty()).peekable();
    some.peek().is_some() && some.all(|(_, is_unsure)| *is_unsure)
}

/// One condition, and the change under it.
struct Compared {
    formula: Formula,
    in_old: bool,
    in_new: bool,
    change: Change,
}

/// A rule under one of the policies.
struct Side<'r> {
    rule: Option<&'r Rule>,
    /// The formula of each condition of the rule, in its order.
    formulas: Vec<Formula>,
}

impl<'r> Side<'r> {
    fn new(rule: Option<&'r Rule>, parts: &mut Parts) -> Self {
        let when = rule.map_or(&[][..], |rule| &rule.when);
        let formulas = when.iter().map(|when| Formula::of(&when.condition, parts)).collect();
        Self { rule, formulas }
    }

    fn formulas(&self) -> impl Iterator<Item = &Formula> {
        self.formulas.iter()
    }

    fn parts(&self) -> Holding {
        self.formulas.iter().flat_map(Formula::parts).collect()
    }

    /// The text of a condition, if the rule has it.
    fn text(&self, formula: &Formula) -> Option<&'r str> {
        let index = self.formulas.iter().position(|one| one == formula)?;
        Some(self.rule?.when[index].condition.as_str())
    }

    /// The requirement of the rule, with what it adds under exactly this condition.
    fn own(&self, formula: Option<&Formula>) -> Option<Requirement> {
        self.with(|one| Some(one) == formula)
    }

    /// The requirement of a call when exactly these parts hold.
    fn needs(&self, holding: &Holding) -> Option<Requirement> {
        self.with(|one| one.is_met(holding))
    }

    fn with(&self, is_added: impl Fn(&Formula) -> bool) -> Option<Requirement> {
        let rule = self.rule?;
        let added = rule.when.iter().zip(&self.formulas).filter(|(_, one)| is_added(one));
        Some(added.fold(rule.requirement.clone(), |all, (when, _)| {
            let more = when.requirement.alternatives().len().max(1);
            if all.alternatives().len().max(1).saturating_mul(more) > MOST_ALTERNATIVES {
                return all;
            }
            all.and(&when.requirement)
        }))
    }
}
