use smallvec::smallvec;

use super::prelude::*;

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
        let alone = |number: usize| Requirement::AnyOf(smallvec![compiled[number].clone()]);
        let covers =
            |by: usize, one: usize| context.policy.entails(&alone(one), &alone(by)).is_ok();
        for one in 0..compiled.len() {
            // If two alternatives cover each other, the first one stays.
            let by = (0..compiled.len())
                .find(|by| *by != one && covers(*by, one) && (*by < one || !covers(one, *by)));
            let Some(by) = by else { continue };
            let (Some(at), Some(other)) = (extent(&written[one]), extent(&written[by])) else {
                continue;
            };
            let described = context.policy.describe_requirement(&alone(by));
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

/// The place of a list: from its first scope to its last one.
fn extent(all: &[Located<Scope>]) -> Option<Range<usize>> {
    Some(all.first()?.span.start..all.last()?.span.end)
}
