//! Checks the tests and invariants of a policy against its decisions.

use std::ops::Range;

use super::suggest::in_backticks;
use crate::{
    Assertions, Case, CompiledPolicy, Decision, Feature, Invariant, Located, Operation, Registry,
    Requirement, Rule, Scope, ScopeInfo, Selection,
    diagnostic::{Diagnostic, Kind, Source},
};

/// A `[[test]]` that failed.
pub(super) const FAILED_TEST: Kind =
    Kind::new("SW006", "failed-test", "A `[[test]]` expects another decision than the rules make.");

/// An `[[invariant]]` that does not hold.
pub(super) const BROKEN_INVARIANT: Kind = Kind::new(
    "SW007",
    "broken-invariant",
    "An `[[invariant]]` of the policy does not hold for every set of scopes.",
);

/// A test or an invariant, and each way in which the policy breaks it.
#[derive(Debug)]
pub struct Verified {
    /// Whether it is an invariant; otherwise it is a test.
    pub is_invariant: bool,
    /// The name; if there is none, the scopes of the test or the place of the invariant.
    pub name: String,
    /// Empty if it holds.
    pub failures: Vec<Diagnostic>,
}

/// Runs every test and proves every invariant of `assertions`: the tests first, each in the order of
/// `source`, the file that they are from.
pub fn verify(
    source: &Source,
    assertions: &Assertions,
    policy: &CompiledPolicy,
    registry: &Registry,
) -> Vec<Verified> {
    let tests = assertions.cases.iter().map(|one| {
        let scopes: Vec<&str> = one.scopes.iter().map(Scope::as_str).collect();
        let unnamed = || match scopes.as_slice() {
            [] => "no scopes".to_owned(),
            some => some.join(" "),
        };
        Verified {
            is_invariant: false,
            name: one.name.clone().unwrap_or_else(unnamed),
            failures: case(one, policy),
        }
    });
    let invariants = assertions.invariants.iter().map(|one| {
        let (line, _) = source.position(one.at.start);
        let unnamed = || format!("the invariant at {}:{line}", source.path());
        Verified {
            is_invariant: true,
            name: one.name.clone().unwrap_or_else(unnamed),
            failures: invariant(one, policy, registry),
        }
    });
    tests.chain(invariants).collect()
}

/// Each decision that a test expects otherwise.
pub(super) fn case(case: &Case, policy: &CompiledPolicy) -> Vec<Diagnostic> {
    let granted = case.scopes.iter().map(Scope::as_str);
    let held = policy.hold(granted.clone());
    let who = describe_caller(granted);
    let mut failures = vec![];
    for (feature, tried, can) in &case.tried {
        let (name, verb) = (&tried.value, feature.verb());
        let failed = |message: String| Diagnostic::new(FAILED_TEST, tried.span.clone(), message);
        let failure = match (policy.decide(Operation::new(*feature, name), &held), can) {
            (Decision::Allow(_), true) | (Decision::Deny(_), false) => continue,
            (Decision::Unknown, _) => failed(format!("the policy has no rule for `{name}`"))
                .help("correct the name, or take it out of the test"),
            (Decision::Allow(rule), false) => failed(format!("{who} can {verb} `{name}`"))
                .note(rule_note(policy, name, rule))
                .help(format!("correct the rule, or move the {feature} to `can`")),
            (Decision::Deny(denial), true) => {
                let missing = in_backticks(denial.missing(&held).map(Scope::as_str));
                failed(format!("{who} cannot {verb} `{name}`: {missing} is missing"))
                    .note(rule_note(policy, name, denial.rule()))
                    .help(format!("correct the rule, or move the {feature} to `cannot`"))
            }
        };
        failures.push(match &case.name {
            Some(name) => {
                failure.context(case.scopes_at.clone(), format!("in the test \"{name}\""))
            }
            None => failure.context(case.scopes_at.clone(), "the scopes of this test"),
        });
    }
    failures
}

/// Each rule for which an invariant does not hold, with a counterexample.
pub(super) fn invariant(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    registry: &Registry,
) -> Vec<Diagnostic> {
    let (selected, mut failures) = select(invariant, policy, registry);
    if selected.is_empty() && failures.is_empty() {
        failures.push(selects_nothing(invariant));
    }
    for one in &selected {
        failures.extend(lacks_needed(invariant, policy, one));
        failures.extend(enough_is_refused(invariant, policy, one));
    }
    failures
}

/// A tool, resource or prompt that an invariant is about.
struct Selected<'p> {
    feature: Feature,
    name: &'p str,
    rule: &'p Rule,
}

/// The rules that an invariant is about, and a failure for each name that has no rule.
fn select<'p>(
    invariant: &'p Invariant,
    policy: &'p CompiledPolicy,
    registry: &Registry,
) -> (Vec<Selected<'p>>, Vec<Diagnostic>) {
    let mut selected = vec![];
    let mut failures = vec![];
    for (feature, selection) in &invariant.about {
        let feature = *feature;
        match &selection.value {
            Selection::Behaviour(behaviour) => {
                let declared = registry.of(feature).filter(|one| behaviour.includes(one));
                selected.extend(declared.filter_map(|one| {
                    let (name, rule) = (one.name(), policy.rule(feature, one.name())?);
                    Some(Selected { feature, name, rule })
                }));
            }
            Selection::Named(names) => {
                for Located { value: name, span } in names {
                    if let Some(rule) = policy.rule(feature, name) {
                        selected.push(Selected { feature, name, rule });
                    } else {
                        let message = format!("the policy has no rule for `{name}`");
                        let failure = Diagnostic::new(BROKEN_INVARIANT, span.clone(), message);
                        failures.push(
                            failure.help("correct the name, or take it out of the invariant"),
                        );
                    }
                }
            }
        }
    }
    (selected, failures)
}

fn broken(invariant: &Invariant, message: String) -> Diagnostic {
    Diagnostic::new(BROKEN_INVARIANT, invariant.at.clone(), message)
}

/// The failure of an invariant that selects nothing, because it would hold for any policy.
fn selects_nothing(invariant: &Invariant) -> Diagnostic {
    let message = "the invariant selects no tool, resource or prompt, so it proves nothing";
    let mut failure = broken(invariant, message.to_owned());
    for (feature, selection) in &invariant.about {
        failure = failure.context(selection.span.clone(), format!("selects no {feature}"));
    }
    failure.help("select others, or remove the invariant")
}

/// The failure if a caller without the scopes of `needs` can use it.
fn lacks_needed(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    selected: &Selected<'_>,
) -> Option<Diagnostic> {
    let needs = invariant.needs.as_ref()?;
    let granted = policy.entails(&selected.rule.requirement, &needs.value).err()?;
    let (caller, verb) = (caller_with_only(&granted), selected.feature.verb());
    let note = format!("counterexample: {caller} can {verb} it");
    Some(does_not_hold(invariant, policy, selected, (&needs.span, "what it needs"), note))
}

/// The failure if a caller with the scopes of `enough` cannot use it with some arguments.
fn enough_is_refused(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    selected: &Selected<'_>,
) -> Option<Diagnostic> {
    let enough = invariant.enough.as_ref()?;
    // One after the other: all requirements multiplied into one can have millions of alternatives.
    let conditional = selected.rule.when.iter().map(|when| &when.requirement);
    let requirements = std::iter::once(&selected.rule.requirement).chain(conditional);
    let refused = requirements.filter_map(|needed| policy.entails(&enough.value, needed).err());
    let granted = refused.min_by_key(Vec::len)?;
    let (caller, verb) = (caller_with_only(&granted), selected.feature.verb());
    let note = format!("counterexample: {caller} cannot {verb} it");
    Some(does_not_hold(invariant, policy, selected, (&enough.span, "what should be enough"), note))
}

fn does_not_hold(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    selected: &Selected<'_>,
    (span, label): (&Range<usize>, &str),
    counterexample: String,
) -> Diagnostic {
    let named = invariant.name.as_ref().map(|name| format!("\"{name}\""));
    let title = named.unwrap_or_else(|| "the invariant".to_owned());
    broken(invariant, format!("{title} does not hold for `{}`", selected.name))
        .context(span.clone(), label)
        .note(counterexample)
        .note(rule_note(policy, selected.name, selected.rule))
        .help("correct the rule, or the invariant")
}

fn caller_with_only(granted: &[&ScopeInfo]) -> String {
    describe_caller(granted.iter().map(|scope| scope.name().as_str()))
}

fn describe_caller<'a>(granted: impl Iterator<Item = &'a str>) -> String {
    match in_backticks(granted) {
        none if none.is_empty() => "a caller without any scope".to_owned(),
        some => format!("a caller with just {some}"),
    }
}

/// The note about the rule that decided: where it stands, and what it needs.
fn rule_note(policy: &CompiledPolicy, name: &str, rule: &Rule) -> String {
    let place = policy.place(rule);
    let needs = match &rule.requirement {
        Requirement::Authenticated => "is open to any authenticated caller".to_owned(),
        Requirement::AnyOf(_) => {
            format!("needs {}", policy.describe_requirement(&rule.requirement))
        }
    };
    format!("{place} says that `{name}` {needs}")
}
