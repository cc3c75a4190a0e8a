//! Conditions as alternatives of parts, so that two of them can be compared by when they hold.
//!
//! A condition that cannot be evaluated counts as met. With that, `&&` is met if and only if all its
//! operands are, and `||` if and only if one of them is, because an operand of CEL that is an error
//! decides nothing. So a condition is met if and only if all parts of one of its alternatives are,
//! where a *part* is what stands between `&&` and `||`. Nothing is assumed about a part: it may hold
//! or not, whatever the others do.

use std::collections::{BTreeSet, HashMap};

use cel::common::ast::{Expr, IdedExpr};

use crate::condition::Condition;

/// The most alternatives that a condition is split into, because `&&` of `||` multiplies them. A
/// condition with more is one part.
const MOST_ALTERNATIVES: usize = 64;

/// Parts that hold together, by their numbers in [`Parts`].
pub(super) type Holding = BTreeSet<usize>;

/// Every part of the conditions that are compared. Two parts are the same if only whitespace and
/// parentheses differ.
#[derive(Debug, Default)]
pub(super) struct Parts(HashMap<String, usize>);

impl Parts {
    fn number(&mut self, part: &IdedExpr) -> usize {
        let mut part = part.clone();
        forget_places(&mut part);
        let shape = format!("{:?}", part.expr);
        let next = self.0.len();
        *self.0.entry(shape).or_insert(next)
    }
}

/// The alternatives of a condition. INVARIANT: none contains another, so that conditions that are met
/// by the same calls are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Formula(BTreeSet<Holding>);

impl Formula {
    pub(super) fn of(condition: &Condition, parts: &mut Parts) -> Self {
        let whole = condition.expression();
        let alternatives = alternatives(whole, parts)
            .unwrap_or_else(|| BTreeSet::from([Holding::from([parts.number(whole)])]));
        Self(alternatives)
    }

    /// The smallest sets of parts with which the condition is met.
    pub(super) fn alternatives(&self) -> impl Iterator<Item = &Holding> {
        self.0.iter()
    }

    /// Whether the condition is met when exactly these parts hold.
    pub(super) fn is_met(&self, holding: &Holding) -> bool {
        self.0.iter().any(|all| all.is_subset(holding))
    }

    /// Whether the other condition is met whenever this one is.
    pub(super) fn implies(&self, other: &Self) -> bool {
        self.0.iter().all(|all| other.is_met(all))
    }

    pub(super) fn parts(&self) -> Holding {
        self.0.iter().flatten().copied().collect()
    }
}

/// The alternatives of an expression; `None` if there are too many.
fn alternatives(expression: &IdedExpr, parts: &mut Parts) -> Option<BTreeSet<Holding>> {
    let found = match &expression.expr {
        Expr::Call(call) if call.func_name == "_||_" => {
            let mut all = BTreeSet::new();
            for operand in &call.args {
                all.extend(alternatives(operand, parts)?);
            }
            all
        }
        Expr::Call(call) if call.func_name == "_&&_" => {
            let mut all = BTreeSet::from([Holding::new()]);
            for operand in &call.args {
                let more = alternatives(operand, parts)?;
                let each = all.iter().flat_map(|one| more.iter().map(move |other| one | other));
                all = smallest(&each.collect());
                if all.len() > MOST_ALTERNATIVES {
                    return None;
                }
            }
            all
        }
        _ => BTreeSet::from([Holding::from([parts.number(expression)])]),
    };
    let found = smallest(&found);
    (found.len() <= MOST_ALTERNATIVES).then_some(found)
}

/// The alternatives that contain no other one.
fn smallest(alternatives: &BTreeSet<Holding>) -> BTreeSet<Holding> {
    let contains_other =
        |one: &Holding| alternatives.iter().any(|other| other != one && other.is_subset(one));
    alternatives.iter().filter(|one| !contains_other(one)).cloned().collect()
}

/// Removes the numbers by which CEL finds the places of parts in the text, because the same part has
/// other numbers in another condition.
fn forget_places(part: &mut IdedExpr) {
    part.id = 0;
    match &mut part.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| forget_places(target));
            call.args.iter_mut().for_each(forget_places);
        }
        Expr::Select(select) => forget_places(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(forget_places),
        Expr::Comprehension(each) => {
            for part in [
                &mut each.iter_range,
                &mut each.accu_init,
                &mut each.loop_cond,
                &mut each.loop_step,
                &mut each.result,
            ] {
                forget_places(part);
            }
        }
        // A condition makes no objects, and the others have no parts. An object that kept its numbers
        // would only be a part of its own.
        Expr::Literal(_) | Expr::Ident(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}
