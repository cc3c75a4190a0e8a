//! Holds tests and invariants against the policy's decisions.

use super::suggest::in_backticks;
use crate::{
    Assertions, Case, CompiledPolicy, Decision, Feature, Invariant, Operation, Registry,
    Requirement, Rule, Scope, ScopeInfo, Selection,
    diagnostic::{Diagnostic, Kind, Source},
};

/// A `[[test]]` failed.
pub(super) const FAILED_TEST: Kind =
    Kind::new("SW006", "failed-test", "A `[[test]]` expects another decision than the rules make.");

/// An `[[invariant]]` does not hold.
pub(super) const BROKEN_INVARIANT: Kind = Kind::new(
    "SW007",
    "broken-invariant",
    "An `[[invariant]]` of the policy does not hold for every set of scopes.",
);

/// A test or an invariant, and everything in which the policy disagrees with it.
#[derive(Debug)]
pub struct Verified {
    /// Whether it is an invariant; else it is a test.
    pub is_invariant: bool,
    /// Its name, or what stands for one.
    pub name: String,
    /// Nothing, if it holds.
    pub failures: Vec<Diagnostic>,
}

/// Runs every test and proves every invariant that `source` holds, in its order.
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

/// Everything in which the policy disagrees with a test.
pub(super) fn case(case: &Case, policy: &CompiledPolicy) -> Vec<Diagnostic> {
    let granted = case.scopes.iter().map(Scope::as_str);
    let held = policy.hold(granted.clone());
    let who = caller(granted);
    let mut failures = vec![];
    for (feature, tried, can) in &case.tried {
        let (name, verb) = (&tried.value, feature.verb());
        let failed = |message: String| Diagnostic::new(FAILED_TEST, tried.span.clone(), message);
        let failure = match (policy.decide(Operation::new(*feature, name), &held), can) {
            (Decision::Allow(_), true) | (Decision::Deny(_), false) => continue,
            (Decision::Unknown, _) => failed(format!("the policy has no rule for `{name}`"))
                .help("correct the name, or take it out of the test"),
            (Decision::Allow(rule), false) => failed(format!("{who} can {verb} `{name}`"))
                .note(says(policy, name, rule))
                .help(format!("correct the rule, or move the {feature} to `can`")),
            (Decision::Deny(denial), true) => {
                let missing = in_backticks(denial.missing(&held).map(Scope::as_str));
                failed(format!("{who} cannot {verb} `{name}`: {missing} is missing"))
                    .note(says(policy, name, denial.rule()))
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

/// Everything for which an invariant does not hold, each with a counterexample.
pub(super) fn invariant(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    registry: &Registry,
) -> Vec<Diagnostic> {
    let broken = |message: String| Diagnostic::new(BROKEN_INVARIANT, invariant.at.clone(), message);
    let mut failures = vec![];
    let mut chosen: Vec<(Feature, &str, &Rule)> = vec![];
    for (feature, selection) in &invariant.about {
        let feature = *feature;
        match &selection.value {
            Selection::Behaviour(behaviour) => {
                let declared = registry.of(feature).filter(|one| behaviour.includes(one));
                let declared = declared.map(crate::Declaration::name);
                chosen.extend(
                    declared.filter_map(|name| Some((feature, name, policy.rule(feature, name)?))),
                );
            }
            Selection::Named(names) => {
                for name in names {
                    match policy.rule(feature, &name.value) {
                        Some(rule) => chosen.push((feature, name.value.as_str(), rule)),
                        None => failures.push(
                            Diagnostic::new(
                                BROKEN_INVARIANT,
                                name.span.clone(),
                                format!("the policy has no rule for `{}`", name.value),
                            )
                            .help("correct the name, or take it out of the invariant"),
                        ),
                    }
                }
            }
        }
    }
    if chosen.is_empty() && failures.is_empty() {
        let mut nothing =
            broken("the invariant is about nothing that there is, so it says nothing".to_owned());
        for (feature, selection) in &invariant.about {
            nothing =
                nothing.context(selection.span.clone(), format!("no {feature} is one of these"));
        }
        failures.push(nothing.help("choose others, or remove the invariant"));
    }
    let what =
        invariant.name.as_ref().map_or("the invariant".to_owned(), |name| format!("\"{name}\""));
    for (feature, name, rule) in chosen {
        let verb = feature.verb();
        if let Some(needs) = &invariant.needs
            && let Err(granted) = policy.entails(&rule.requirement, &needs.value)
        {
            failures.push(
                broken(format!("{what} does not hold for `{name}`"))
                    .context(needs.span.clone(), "what it needs")
                    .note(format!("counterexample: {} can {verb} it", only(&granted)))
                    .note(says(policy, name, rule))
                    .help("correct the rule, or the invariant"),
            );
        }
        // Whatever the arguments: with all that a condition can ask for.
        let most =
            rule.when.iter().fold(rule.requirement.clone(), |all, when| all.and(&when.requirement));
        if let Some(enough) = &invariant.enough
            && let Err(granted) = policy.entails(&enough.value, &most)
        {
            failures.push(
                broken(format!("{what} does not hold for `{name}`"))
                    .context(enough.span.clone(), "what should be enough")
                    .note(format!("counterexample: {} cannot {verb} it", only(&granted)))
                    .note(says(policy, name, rule))
                    .help("correct the rule, or the invariant"),
            );
        }
    }
    failures
}

fn only(granted: &[&ScopeInfo]) -> String {
    caller(granted.iter().map(|scope| scope.name().as_str()))
}

fn caller<'a>(granted: impl Iterator<Item = &'a str>) -> String {
    match in_backticks(granted) {
        none if none.is_empty() => "a caller without any scope".to_owned(),
        some => format!("a caller with just {some}"),
    }
}

/// What a rule says, and where.
fn says(policy: &CompiledPolicy, name: &str, rule: &Rule) -> String {
    let place = policy.place(rule);
    let needs = match &rule.requirement {
        Requirement::Authenticated => "is open to any authenticated caller".to_owned(),
        Requirement::AnyOf(_) => {
            format!("needs {}", policy.describe_requirement(&rule.requirement))
        }
    };
    format!("{place} says that `{name}` {needs}")
}
