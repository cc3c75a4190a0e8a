//! Checks the tests and invariants of a policy against its decisions.

mod case;
mod invariant;
#[cfg(test)]
mod tests;

use super::suggest::in_backticks;
use crate::{
    Assertions, CompiledPolicy, Declaration, DeclarationIndex, Feature, GivenObject, Registry,
    Requirement, Rule, Scope,
    assertions::fit,
    diagnostic::{Diagnostic, Kind, Source},
    effort::Effort,
};
pub(super) use case::case;
pub(super) use invariant::invariant;

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
///
/// ```
/// use scopeward_policy::{Assertions, CompiledPolicy, Registry, diagnostic::Source, lint::verify::{Verified, verify}};
///
/// /// Prints the tests of a policy as a list, and says whether all of them hold.
/// fn run(tests: &Source, policy: &CompiledPolicy, declared: &Registry) -> bool {
///     let Ok(assertions) = Assertions::read(tests, policy) else { return false };
///     let verified = verify(tests, &assertions, policy, declared);
///     for Verified { name, is_invariant, failures } in &verified {
///         let kind = if *is_invariant { "invariant" } else { "test" };
///         println!("{} {kind} {name}", if failures.is_empty() { "ok" } else { "FAILED" });
///     }
///     verified.iter().all(|one| one.failures.is_empty())
/// }
/// ```
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
    let declared = DeclarationIndex::new(registry);
    let tests = assertions.cases.iter().map(|one| {
        let scopes: Vec<&str> = one.scopes.iter().map(Scope::as_str).collect();
        let unnamed = || match scopes.as_slice() {
            [] if one.is_anonymous => "no token".to_owned(),
            [] => "no scopes".to_owned(),
            some => some.join(" "),
        };
        Verified {
            is_invariant: false,
            name: one.name.clone().unwrap_or_else(unnamed),
            failures: case(one, policy, &declared),
        }
    });
    let effort = Effort::new(Effort::PROOFS);
    let invariants = assertions.invariants.iter().map(|one| {
        let (line, _) = source.position(one.at.start);
        let unnamed = || format!("the invariant at {}:{line}", source.path());
        Verified {
            is_invariant: true,
            name: one.name.clone().unwrap_or_else(unnamed),
            failures: invariant(one, policy, (registry, &declared), &effort),
        }
    });
    tests.chain(invariants).collect()
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
        Requirement::Anonymous => "is open to everybody, also without a token".to_owned(),
        Requirement::Authenticated => "is open to any authenticated caller".to_owned(),
        Requirement::AnyOf(_) => {
            format!("needs {}", policy.describe_requirement(&rule.requirement))
        }
    };
    format!("{place} says that `{name}` {needs}")
}

/// A failure for each argument that the tool or prompt does not take, because a condition would then
/// answer something that no call ever sees.
fn unfit(
    kind: Kind,
    (feature, name): (Feature, &str),
    given: &GivenObject,
    declared: &DeclarationIndex,
) -> Vec<Diagnostic> {
    let schema = declared.get(feature, name).and_then(Declaration::arguments);
    let Some(schema) = schema else { return vec![] };
    let faults = fit::faults(&given.object, &schema, &format!("the {feature} `{name}`"));
    let failure = |(argument, fault): (String, String)| {
        let failure = Diagnostic::new(kind, given.place_of(&argument), fault);
        failure.help(format!("write the arguments as the schema of `{name}` names them"))
    };
    faults.into_iter().map(failure).collect()
}
