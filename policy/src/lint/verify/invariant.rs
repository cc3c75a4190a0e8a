//! Proves the invariants of a policy.

use std::{borrow::Cow, ops::Range};

use super::{BROKEN_INVARIANT, describe_caller, rule_note, unfit};
use crate::{
    CompiledPolicy, DeclarationIndex, Feature, Invariant, Located, Object, Registry, Requirement,
    Rule, ScopeInfo, Selection, When,
    diagnostic::Diagnostic,
    effort::Effort,
    entailment::{IndexedRequirement, Unproved},
    operation::Given,
};

/// The most rules that are reported for one invariant, because thousands of them have one cause.
const MOST_FAILURES: usize = 20;

/// Each rule for which an invariant does not hold, with a counterexample.
pub(in crate::lint) fn invariant(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    (registry, declared): (&Registry, &DeclarationIndex),
    effort: &Effort,
) -> Vec<Diagnostic> {
    let (selected, mut failures) = select(invariant, policy, registry);
    if selected.is_empty() && failures.is_empty() {
        failures.push(selects_nothing(invariant));
    }
    let needs = invariant.needs.as_ref();
    let needs =
        needs.map(|needs| Located::new(IndexedRequirement::new(&needs.value), needs.span.clone()));
    let mut further = 0;
    for one in &selected {
        let unclear = unclear(invariant, policy, one, declared);
        let faults = if unclear.is_empty() {
            [
                lacks_needed(invariant, policy, one, needs.as_ref(), effort),
                enough_is_refused(invariant, policy, one, effort),
            ]
        } else {
            [None, None]
        };
        if failures.len() < MOST_FAILURES {
            let told = |fault: Fault<'_>| fault.tell(invariant, policy, one);
            failures.extend(unclear);
            failures.extend(faults.into_iter().flatten().map(told));
        } else if !unclear.is_empty() || faults.iter().any(Option::is_some) {
            further += 1;
        }
    }
    if further > 0 {
        let message = format!("{} does not hold for {further} more", title(invariant));
        let failure = broken(invariant, message);
        failures
            .push(failure.help("correct the rules above, which most often have the same cause"));
    }
    failures
}

/// A tool, resource or prompt that an invariant is about.
struct Selected<'p> {
    feature: Feature,
    name: &'p str,
    rule: &'p Rule,
    /// The arguments of the calls: those of the invariant, or the values in the URI of a resource.
    /// `None` stands for any arguments.
    arguments: Option<Cow<'p, Object>>,
}

impl<'p> Selected<'p> {
    fn new(
        invariant: &'p Invariant,
        policy: &CompiledPolicy,
        (feature, name, rule): (Feature, &'p str, &'p Rule),
    ) -> Self {
        let arguments = match feature {
            Feature::Resource => {
                let found = policy.find_resource(name);
                found.and_then(|(_, values)| values).map(Cow::Owned)
            }
            Feature::Tool | Feature::Prompt => {
                invariant.arguments.as_ref().map(|given| Cow::Borrowed(&given.object))
            }
        };
        Self { feature, name, rule, arguments }
    }

    /// The arguments of the calls, or `unknown` if the invariant is about any.
    fn arguments<'a>(&'a self, unknown: Given<'a>) -> Given<'a> {
        self.arguments.as_deref().map_or(unknown, Given::These)
    }
}

/// The claims of the callers, or `unknown` if the invariant is about any.
fn claims<'a>(invariant: &'a Invariant, unknown: Given<'a>) -> Given<'a> {
    invariant.claims.as_ref().map_or(unknown, |given| Given::These(&given.object))
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
                    Some(Selected::new(invariant, policy, (feature, name, rule)))
                }));
            }
            Selection::Named(names) => {
                for Located { value: name, span } in names {
                    if let Some(rule) = policy.rule(feature, name) {
                        selected.push(Selected::new(invariant, policy, (feature, name, rule)));
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

/// The failures that keep an invariant from being proved exactly: arguments that the tool does not
/// take, and a condition on arguments and claims of which the invariant gives only one.
fn unclear(
    invariant: &Invariant,
    policy: &CompiledPolicy,
    selected: &Selected<'_>,
    declared: &DeclarationIndex,
) -> Vec<Diagnostic> {
    let about = (selected.feature, selected.name);
    let given = invariant.arguments.as_ref().filter(|_| selected.feature != Feature::Resource);
    let mut failures: Vec<Diagnostic> =
        given.map(|given| unfit(BROKEN_INVARIANT, about, given, declared)).unwrap_or_default();
    let (lacking, written) = match (given, &invariant.claims, &selected.arguments) {
        (Some(arguments), None, _) => ("claims", arguments),
        (_, Some(claims), None) => ("arguments", claims),
        _ => return failures,
    };
    let depends_on_both =
        |when: &&When| when.condition.needs_arguments() && when.condition.needs_claims();
    for when in selected.rule.when.iter().filter(depends_on_both) {
        let (text, place) = (when.condition.as_str(), policy.source().place(when.span.start));
        let message = format!(
            "the condition `{text}` of `{}` depends on `claims` and `arguments`, and the invariant \
             gives no `{lacking}`",
            selected.name
        );
        failures.push(
            Diagnostic::new(BROKEN_INVARIANT, written.span.clone(), message)
                .note(format!("the condition is at {place}"))
                .help(match (lacking, selected.feature) {
                    ("arguments", Feature::Resource) => {
                        "name the resource by a URI with its values in it".to_owned()
                    }
                    _ => format!("give `{lacking}` as well, or neither"),
                }),
        );
    }
    failures
}

/// One half of an invariant that does not hold for a rule. Its text is made only if it is told,
/// because an invariant can fail for thousands of rules.
struct Fault<'p> {
    /// The half of the invariant, with its label.
    half: (&'p Range<usize>, &'static str),
    /// "can" or "cannot": whether the caller of the counterexample gets through, against the invariant.
    can: &'static str,
    unproved: Unproved<'p>,
}

impl Fault<'_> {
    fn tell(
        self,
        invariant: &Invariant,
        policy: &CompiledPolicy,
        selected: &Selected<'_>,
    ) -> Diagnostic {
        let note = note(invariant, selected, &self.unproved, self.can);
        let (span, label) = self.half;
        broken(invariant, format!("{} does not hold for `{}`", title(invariant), selected.name))
            .context(span.clone(), label)
            .note(note)
            .note(rule_note(policy, selected.name, selected.rule))
            .help("correct the rule, or the invariant")
    }
}

/// The fault if a caller without the scopes of `needs` can use it.
fn lacks_needed<'p>(
    invariant: &Invariant,
    policy: &'p CompiledPolicy,
    selected: &Selected<'_>,
    needs: Option<&'p Located<IndexedRequirement<'_>>>,
    effort: &Effort,
) -> Option<Fault<'p>> {
    let needs = needs?;
    // What is not given may be such that no condition is met.
    let clauses =
        selected.rule.clauses(selected.arguments(Given::Some), claims(invariant, Given::Some));
    let unproved = policy.entails_together(&clauses, &needs.value, effort).err()?;
    Some(Fault { half: (&needs.span, "what it needs"), can: "can", unproved })
}

/// The fault if a caller with the scopes of `enough` cannot use it.
fn enough_is_refused<'p>(
    invariant: &'p Invariant,
    policy: &'p CompiledPolicy,
    selected: &Selected<'_>,
    effort: &Effort,
) -> Option<Fault<'p>> {
    let enough = invariant.enough.as_ref()?;
    // What is not given may be such that every condition is met.
    let clauses =
        selected.rule.clauses(selected.arguments(Given::All), claims(invariant, Given::All));
    let proof = |needed: &&Requirement| policy.entails(&enough.value, needed, effort).err();
    let unproved = clauses.iter().filter_map(proof).min_by_key(|unproved| match unproved {
        Unproved::Counterexample(granted) => granted.len(),
        Unproved::Anonymous => 0,
        Unproved::TooLarge => usize::MAX,
    })?;
    Some(Fault { half: (&enough.span, "what should be enough"), can: "cannot", unproved })
}

/// Why an invariant is not proved, as a note.
fn note(
    invariant: &Invariant,
    selected: &Selected<'_>,
    unproved: &Unproved<'_>,
    can: &str,
) -> String {
    match unproved {
        Unproved::Counterexample(granted) => {
            let (caller, verb) = (caller_with_only(granted), selected.feature.verb());
            format!("counterexample: {caller} {can} {verb} it{}", given(invariant))
        }
        Unproved::Anonymous => {
            let verb = selected.feature.verb();
            format!("counterexample: a caller without a token {can} {verb} it{}", given(invariant))
        }
        Unproved::TooLarge => format!(
            "not proved: too large. The proofs of one run have {} steps, and these alternatives \
             would take more",
            Effort::PROOFS
        ),
    }
}

/// The end of a counterexample: what the invariant gives.
fn given(invariant: &Invariant) -> &'static str {
    match (&invariant.arguments, &invariant.claims) {
        (None, None) => "",
        (Some(_), None) => " with these arguments",
        (None, Some(_)) => " with these claims",
        (Some(_), Some(_)) => " with these arguments and claims",
    }
}

/// The name of an invariant, for the start of a sentence.
fn title(invariant: &Invariant) -> String {
    let named = invariant.name.as_ref().map(|name| format!("\"{name}\""));
    named.unwrap_or_else(|| "the invariant".to_owned())
}

fn caller_with_only(granted: &[&ScopeInfo]) -> String {
    describe_caller(granted.iter().map(|scope| scope.name().as_str()))
}
