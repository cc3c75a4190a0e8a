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
    why: "Whoever meets the one meets the other, so it lets nobody in; it reads as if it did.",
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

fn check(context: &LintContext<'_>, report: &mut Report) {
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
            // Of two that cover each other the first one stays.
            let by = (0..compiled.len())
                .find(|by| *by != one && covers(*by, one) && (*by < one || !covers(one, *by)));
            let Some(by) = by else { continue };
            let (Some(at), Some(other)) = (extent(&written[one]), extent(&written[by])) else {
                continue;
            };
            let described = context.policy.describe_requirement(&alone(by));
            report.push(
                Entry::Rule(feature, name),
                finding(
                    &LINT,
                    at,
                    format!("whoever has this may {} `{name}` anyway", feature.verb()),
                )
                .context(other, format!("because {described} is enough"))
                .fix(Fix {
                    title: "remove the alternative".to_owned(),
                    path: vec![feature.table().into(), name.into(), "any_of".into(), one.into()],
                    change: Change::Remove,
                }),
            );
        }
    }
}

/// From the first scope to the last.
fn extent(all: &[Located<Scope>]) -> Option<Range<usize>> {
    Some(all.first()?.span.start..all.last()?.span.end)
}
