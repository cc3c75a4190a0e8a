use smallvec::smallvec;

use super::prelude::*;
use crate::{Entry, effort::Effort, entailment::IndexedRequirement};

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW017",
        "covered-alternative",
        "`any_of` offers an alternative that another one covers.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "Every caller that meets the covered alternative also meets the other one. So the covered \
          alternative gives access to nobody, although a reader may think that it does.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:admin\" = \"Everything\"\n[tools]\nlist_todos = { any_of = [\"todo:read\", { all_of = [\"todo:read\", \"todo:admin\"] }] }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:audit\" = { title = \"Audit\", implies = [\"todo:read\"] }\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (rule, entry) in context.rules() {
        let Some(RuleEntry::Alternatives(written)) = &entry.rule else { continue };
        let compiled = rule.requirement.alternatives();
        if compiled.len() < 2 {
            continue;
        }
        let (feature, name) = (entry.feature, entry.name.value.as_str());
        let policy = context.policy;
        let index = IndexedRequirement::new(&rule.requirement);
        let given = |number: usize| policy.given_by(compiled.get(number)?, &context.effort);
        let covers = |by: &usize, one: usize| -> Option<bool> {
            let all = compiled.get(one)?;
            let held = given(*by)?;
            Some(all.iter().all(|scope| held.contains(*scope)))
        };
        for one in 0..compiled.len() {
            let candidates = given(one).and_then(|held| index.met_by(&held, &context.effort));
            let Some(candidates) = candidates else {
                too_large(entry, report);
                return;
            };
            // If two alternatives cover each other, the first one stays.
            let by = candidates
                .into_iter()
                .filter(|by| *by != one)
                .find(|by| *by < one || covers(by, one) == Some(false));
            let Some(by) = by else { continue };
            let (Some(at), Some(other)) = (extent(&written[one]), extent(&written[by])) else {
                continue;
            };
            let described =
                policy.describe_requirement(&Requirement::AnyOf(smallvec![compiled[by].clone()]));
            report.push(
                PolicyEntry::Rule(feature, name),
                finding(
                    &LINT,
                    at,
                    format!("a caller with this may {} `{name}` anyway", feature.verb()),
                )
                .context(other, format!("because {described} is enough"))
                .fix(Fix::new(
                    "remove the alternative",
                    vec![feature.table().into(), name.into(), "any_of".into(), one.into()],
                    Change::Remove,
                )),
            );
        }
    }
}

/// The finding that the alternatives of this rule, and of those after it, were not compared.
fn too_large(entry: &Entry, report: &mut LintReport) {
    let name = entry.name.value.as_str();
    let message = format!("not proved: too large. The alternatives of `{name}` were not compared");
    report.push(
        PolicyEntry::Rule(entry.feature, name),
        finding(&LINT, entry.name.span.clone(), message).help(format!(
            "the proofs of one run have {} steps; the rules after this one were not looked at",
            Effort::PROOFS
        )),
    );
}

/// The place of a list: from its first scope to its last one.
fn extent(all: &[Located<Scope>]) -> Option<Range<usize>> {
    Some(all.first()?.span.start..all.last()?.span.end)
}
