use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW013",
        "stale-relax",
        "`relax` stands beside a rule that asks for all that its tool declares.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The weakening that the reason excused is gone. If the `relax` stays, it excuses the next \
          weakening of this rule, and no reviewer sees that.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\", relax = \"the demo needs it\" }",
    ),
    good: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:draft\" = \"Write drafts\"\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { any_of = [\"todo:write\", \"todo:draft\"], relax = \"a new todo is a draft\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (tool, rule, entry) in context.ruled() {
        let Some(relax) = &entry.relax else { continue };
        if !super::weakened::lacking(context, tool, rule).is_empty()
            || super::undeclared_anonymous::is_undeclared(tool, rule)
        {
            continue;
        }
        let (feature, name) = (tool.feature(), tool.name());
        report.push(
            PolicyEntry::Rule(feature, name),
            finding(
                &LINT,
                relax.span.clone(),
                format!("`{name}` asks for all that it declares, so there is nothing to relax"),
            )
            .fix(Fix::new(
                "remove `relax`",
                vec![feature.table().into(), name.into(), "relax".into()],
                Change::Remove,
            )),
        );
    }
}
