//! Holds tests and invariants against the policy's decisions.

use super::{finding, lints, suggest::ticked};
use crate::{
    diagnostic::Diagnostic,
    policy::{
        Case, CompiledPolicy, Decision, Invariant, Requirement, Rule, Scope, ScopeInfo, Selection,
    },
    registry::Registry,
};

/// Everything in which the policy disagrees with a test.
pub(crate) fn case(case: &Case, policy: &CompiledPolicy) -> Vec<Diagnostic> {
    let granted = case.scopes.iter().map(Scope::as_str);
    let held = policy.hold(granted.clone());
    let who = caller(granted);
    let mut failures = vec![];
    for (tool, can) in &case.tools {
        let name = &tool.value;
        let failed = |message: String| finding(&lints::FAILED_TEST, tool.span.clone(), message);
        let failure = match (policy.decide(name, &held), can) {
            (Decision::Allow(_), true) | (Decision::Deny(_), false) => continue,
            (Decision::UnknownTool, _) => failed(format!("the policy has no rule for `{name}`"))
                .help("correct the name, or take it out of the test"),
            (Decision::Allow(rule), false) => failed(format!("{who} can call `{name}`"))
                .note(says(policy, name, rule))
                .help("correct the rule, or move the tool to `can`"),
            (Decision::Deny(denial), true) => {
                let missing = ticked(denial.missing(&held).map(Scope::as_str));
                failed(format!("{who} cannot call `{name}`: {missing} is missing"))
                    .note(says(policy, name, denial.rule()))
                    .help("correct the rule, or move the tool to `cannot`")
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

/// Every tool for which an invariant does not hold, each with a counterexample.
pub(crate) fn invariant(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    registry: &Registry,
) -> Vec<Diagnostic> {
    let broken = |message: String| finding(&lints::BROKEN_INVARIANT, invariant.at.clone(), message);
    let mut failures = vec![];
    let mut tools = vec![];
    match &invariant.tools {
        Selection::Behaviour(behaviour) => {
            let chosen = registry.tools().iter().filter(|tool| behaviour.includes(tool));
            tools.extend(chosen.filter_map(|tool| Some((tool.name(), policy.rule(tool.name())?))));
        }
        Selection::Named(names) => {
            for name in names {
                match policy.rule(&name.value) {
                    Some(rule) => tools.push((name.value.as_str(), rule)),
                    None => failures.push(
                        finding(
                            &lints::BROKEN_INVARIANT,
                            name.span.clone(),
                            format!("the policy has no rule for `{}`", name.value),
                        )
                        .help("correct the name, or take it out of the invariant"),
                    ),
                }
            }
        }
    }
    if tools.is_empty() && failures.is_empty() {
        failures.push(
            broken("the invariant is about no tool, so it says nothing".to_owned())
                .context(invariant.tools_at.clone(), "no tool is one of these")
                .help("choose other tools, or remove the invariant"),
        );
    }
    let what =
        invariant.name.as_ref().map_or("the invariant".to_owned(), |name| format!("\"{name}\""));
    for (name, rule) in tools {
        if let Some(needs) = &invariant.needs
            && let Err(granted) = policy.entails(&rule.requirement, &needs.value)
        {
            failures.push(
                broken(format!("{what} does not hold for `{name}`"))
                    .context(needs.span.clone(), "what it needs")
                    .note(format!("counterexample: {} can call it", only(&granted)))
                    .note(says(policy, name, rule))
                    .help("correct the rule, or the invariant"),
            );
        }
        if let Some(enough) = &invariant.enough
            && let Err(granted) = policy.entails(&enough.value, &rule.requirement)
        {
            failures.push(
                broken(format!("{what} does not hold for `{name}`"))
                    .context(enough.span.clone(), "what should be enough")
                    .note(format!("counterexample: {} cannot call it", only(&granted)))
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
    match ticked(granted) {
        none if none.is_empty() => "a caller without any scope".to_owned(),
        some => format!("a caller with just {some}"),
    }
}

/// What the rule of a tool says, and where.
fn says(policy: &CompiledPolicy, tool: &str, rule: &Rule) -> String {
    let place = policy.source().place(rule.span().start);
    let needs = match &rule.requirement {
        Requirement::Authenticated => "is open to any authenticated caller".to_owned(),
        Requirement::AnyOf(_) => format!("needs {}", policy.describe(rule)),
    };
    format!("{place} says that `{tool}` {needs}")
}
