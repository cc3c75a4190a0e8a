//! Runs the tests of a policy.
//!
//! A test that passes never claims more than is true. So, where it gives no arguments, `can` means
//! "whatever the arguments are" and `cannot` means "with no arguments at all". The same holds for
//! claims.

use super::{FAILED_TEST, describe_caller, rule_note, unfit};
use crate::{
    Case, CompiledPolicy, Decision, DeclarationIndex, Denial, Feature, Operation, Rule, Scope,
    ScopeId, ScopeSet, Tried, When,
    condition::{self, Judgement},
    diagnostic::Diagnostic,
    lint::suggest::in_backticks,
    operation::Given,
    requirement::Alternative,
};

/// Each decision that a test expects otherwise.
pub(in crate::lint) fn case(
    case: &Case,
    policy: &CompiledPolicy,
    declared: &DeclarationIndex,
) -> Vec<Diagnostic> {
    let granted = case.scopes.iter().map(Scope::as_str);
    let (held, who) = if case.is_anonymous {
        (ScopeSet::anonymous(), "a caller without a token".to_owned())
    } else {
        (policy.hold(granted.clone()), describe_caller(granted))
    };
    let mut failures = vec![];
    for tried in &case.tried {
        let attempt = Attempt { case, tried, policy, held: &held, who: &who };
        let unfit = tried
            .arguments
            .as_ref()
            .map(|given| unfit(FAILED_TEST, (tried.feature, &tried.name.value), given, declared));
        match unfit {
            Some(unfit) if !unfit.is_empty() => failures.extend(unfit),
            _ => failures.extend(attempt.failure()),
        }
    }
    let in_test = |failure: Diagnostic| match &case.name {
        Some(name) => failure.context(case.scopes_at.clone(), format!("in the test \"{name}\"")),
        None if case.is_anonymous => {
            failure.context(case.scopes_at.clone(), "the caller of this test")
        }
        None => failure.context(case.scopes_at.clone(), "the scopes of this test"),
    };
    failures.into_iter().map(in_test).collect()
}

/// One use that a test tries.
struct Attempt<'a> {
    case: &'a Case,
    tried: &'a Tried,
    policy: &'a CompiledPolicy,
    held: &'a ScopeSet,
    who: &'a str,
}

/// Arguments or claims, as sentences name them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Arguments,
    Claims,
}

impl Attempt<'_> {
    fn failure(&self) -> Option<Diagnostic> {
        let Tried { feature, name, can, .. } = self.tried;
        let (name, verb) = (&name.value, feature.verb());
        Some(match (self.decide(*can), can) {
            (Decision::Allow(_), true) | (Decision::Deny(_), false) => return None,
            (Decision::Unknown, _) => self
                .failed(format!("the policy has no rule for `{name}`"))
                .help("correct the name, or take it out of the test"),
            (Decision::Allow(rule), false) => self.allowed(rule),
            (Decision::Deny(denial), true) => {
                let missing: Vec<&str> = denial.missing(self.held).map(Scope::as_str).collect();
                let are = if missing.len() < 2 { "is" } else { "are" };
                let missing = match in_backticks(missing) {
                    none if none.is_empty() => "a token".to_owned(),
                    some => some,
                };
                let with = self.with(&denial);
                let message =
                    format!("{} cannot {verb} `{name}`{with}: {missing} {are} missing", self.who);
                let mut failure = self.failed(message).note(self.rule_note(denial.rule()));
                for when in self.deciding(&denial) {
                    failure = failure.note(self.met_note(when));
                }
                // Of a test that gives too little, nothing need be wrong but that.
                let deciding = self.deciding(&denial);
                failure.help(if self.not_given(&deciding).is_empty() {
                    format!("correct the rule, or move the {feature} to `{}`", self.key(false))
                } else {
                    self.advice(&denial, "every call")
                })
            }
        })
    }

    /// The failure of a caller who can, although the test says `cannot`.
    fn allowed(&self, rule: &Rule) -> Diagnostic {
        let Tried { feature, name, .. } = self.tried;
        let (name, verb) = (&name.value, feature.verb());
        let can = self.key(true);
        // The strict question: does the answer depend on what the test does not give?
        let Decision::Deny(denial) = self.decide(true) else {
            let unmet: Vec<&When> = rule.when.iter().filter(|when| self.is_told(when)).collect();
            let with = self.given(&unmet);
            let message = format!("{} can {verb} `{name}`{with}", self.who);
            let mut failure = self.failed(message).note(self.rule_note(rule));
            for note in self.implications(rule) {
                failure = failure.note(note);
            }
            for when in unmet {
                if self.judge(when) == Judgement::NotMet {
                    let condition = self.condition(when);
                    failure = failure.note(format!("{condition}, and is not met by this call"));
                }
            }
            return failure.help(format!("correct the rule, or move the {feature} to `{can}`"));
        };
        let with = self.with(&denial);
        let message = format!("{} can {verb} `{name}`{with}", self.who);
        let mut failure = self.failed(message).note(self.rule_note(rule));
        for note in self.implications(rule) {
            failure = failure.note(note);
        }
        for when in self.deciding(&denial) {
            let condition = self.condition(when);
            failure = failure.note(format!("{condition}, and not every call meets it"));
        }
        failure.help(self.advice(&denial, "no call"))
    }

    /// What to write so that the test says which calls it is about. Without it, the test is about
    /// every call.
    fn advice(&self, denial: &Denial<'_>, allowed: &str) -> String {
        let Tried { feature, name, .. } = self.tried;
        let name = &name.value;
        let missing = self.not_given(&self.deciding(denial));
        let arguments = match feature {
            Feature::Resource => "a URI with the values of these calls in it".to_owned(),
            other => format!("`{{ {} = \"{name}\", arguments = {{ … }} }}`", other.word()),
        };
        let claims = "`claims = { … }`";
        let what = match missing.as_slice() {
            [Part::Claims] => claims.to_owned(),
            [Part::Arguments, Part::Claims] => format!("{arguments} and {claims}"),
            _ => arguments,
        };
        format!(
            "say which calls it means: write {what}; without them, `{}` says that {allowed} is allowed",
            self.key(self.tried.can)
        )
    }

    fn decide(&self, can: bool) -> Decision<'_> {
        let mut operation = Operation::new(self.tried.feature, &self.tried.name.value);
        if !can {
            operation = operation.for_some_arguments().for_some_claims();
        }
        if let Some(given) = &self.tried.arguments {
            operation = operation.with_arguments(&given.object);
        }
        if let Some(given) = &self.case.claims {
            operation = operation.with_claims(&given.object);
        }
        self.policy.decide(operation, self.held)
    }

    /// The conditions that decide, if the rule without them would allow.
    fn deciding<'p>(&self, denial: &Denial<'p>) -> Vec<&'p When> {
        if !denial.rule().requirement.is_met_by(self.held) {
            return vec![];
        }
        denial.conditions(self.held).collect()
    }

    /// The arguments that the decision is about, if they are known.
    fn values(&self) -> Option<crate::Object> {
        match self.tried.feature {
            Feature::Resource => self.policy.find_resource(&self.tried.name.value)?.1,
            _ => self.tried.arguments.as_ref().map(|given| given.object.clone()),
        }
    }

    /// What a condition reads, and the test does not give.
    fn lacks(&self, when: &When) -> [Option<Part>; 2] {
        let has_arguments = self.values().is_some();
        let condition = &when.condition;
        [
            (condition.needs_arguments() && !has_arguments).then_some(Part::Arguments),
            (condition.needs_claims() && self.case.claims.is_none()).then_some(Part::Claims),
        ]
    }

    fn not_given(&self, conditions: &[&When]) -> Vec<Part> {
        let lacking: Vec<Part> =
            conditions.iter().flat_map(|when| self.lacks(when)).flatten().collect();
        [Part::Arguments, Part::Claims].into_iter().filter(|part| lacking.contains(part)).collect()
    }

    /// Whether the test gives all that a condition reads.
    fn is_told(&self, when: &When) -> bool {
        self.lacks(when) == [None, None]
    }

    fn judge(&self, when: &When) -> Judgement {
        let values = self.values();
        let arguments = values.as_ref().map_or(Given::All, Given::These);
        let claims = self.case.claims.as_ref();
        let claims = claims.map_or(Given::All, |given| Given::These(&given.object));
        when.condition.judge(arguments, claims)
    }

    /// The part of a message that says with which arguments and claims.
    fn with(&self, denial: &Denial<'_>) -> String {
        let deciding = self.deciding(denial);
        // A condition that this call meets refuses it, whatever the others would say.
        let told: Vec<&When> = deciding.iter().copied().filter(|when| self.is_told(when)).collect();
        if !told.is_empty() {
            return self.given(&told);
        }
        match self.not_given(&deciding).as_slice() {
            [] => self.given(&deciding),
            [Part::Arguments] => " with some arguments".to_owned(),
            [Part::Claims] => " with some claims".to_owned(),
            _ => " with some arguments and claims".to_owned(),
        }
    }

    /// The same for conditions of which the test gives all that they read.
    fn given(&self, conditions: &[&When]) -> String {
        let reads = |needs: fn(&When) -> bool| conditions.iter().any(|when| needs(when));
        let arguments = reads(|when| when.condition.needs_arguments());
        let claims = reads(|when| when.condition.needs_claims());
        let arguments = arguments && self.tried.feature != Feature::Resource;
        match (arguments, claims) {
            (false, false) => String::new(),
            (true, false) => " with these arguments".to_owned(),
            (false, true) => " with these claims".to_owned(),
            (true, true) => " with these arguments and claims".to_owned(),
        }
    }

    /// The condition with its place, and what it needs.
    fn condition(&self, when: &When) -> String {
        let place = self.policy.source().place(when.span.start);
        let needs = self.policy.describe_requirement(&when.requirement);
        format!("the condition `{}` at {place} needs {needs}", when.condition.as_str())
    }

    /// The note about a condition that counts as met.
    fn met_note(&self, when: &When) -> String {
        let condition = self.condition(when);
        let because = match self.judge(when) {
            Judgement::Met | Judgement::NotMet => "and this call meets it".to_owned(),
            Judgement::NoAnswer => {
                "and counts as met, because it cannot be evaluated for this call".to_owned()
            }
            Judgement::TooLong => format!(
                "and counts as met, because it takes more than {} steps for this call",
                condition::MOST_STEPS
            ),
            Judgement::NotGiven => {
                let lacking = self.not_given(&[when]);
                let name = |part: &Part| match (part, self.tried.feature) {
                    (Part::Arguments, Feature::Resource) => "no values in the URI",
                    (Part::Arguments, _) => "no `arguments`",
                    (Part::Claims, _) => "no `claims`",
                };
                let names: Vec<&str> = lacking.iter().map(name).collect();
                format!("and counts as met, because the test gives {}", names.join(" and "))
            }
        };
        format!("{condition}, {because}")
    }

    fn rule_note(&self, rule: &Rule) -> String {
        rule_note(self.policy, &self.tried.name.value, rule)
    }

    /// Through which `implies` the caller holds what the rule needs.
    fn implications(&self, rule: &Rule) -> Vec<String> {
        let holds_all = |all: &&Alternative| all.iter().all(|scope| self.held.contains(*scope));
        let met = rule.requirement.alternatives().iter().find(holds_all);
        let granted = || {
            let ids = self.case.scopes.iter().map(|scope| self.policy.scope_id(scope.as_str()));
            ids.flatten()
        };
        let implied =
            met.into_iter().flatten().filter(|needed| !granted().any(|one| one == **needed));
        let by = |needed: &ScopeId| {
            let giver = granted().find(|one| self.policy.scope(*one).closure.contains(*needed))?;
            let name = |id: ScopeId| self.policy.scope(id).name();
            Some(format!("`{}` implies `{}`", name(giver), name(*needed)))
        };
        implied.filter_map(by).collect()
    }

    fn failed(&self, message: String) -> Diagnostic {
        Diagnostic::new(FAILED_TEST, self.tried.name.span.clone(), message)
    }

    /// The key of the other list of the same feature.
    fn key(&self, can: bool) -> &'static str {
        let found = crate::shape::TRIED
            .iter()
            .find(|(_, feature, other)| *feature == self.tried.feature && *other == can);
        found.map_or("can", |(key, ..)| key)
    }
}
