use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW018",
        "read-scope-for-change",
        "A tool that may change something needs only scopes for reading.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "Someone who consented to reading would be changing things. MCP takes every tool for one \
          that may change something unless its annotations say `read_only_hint = true`. Ask for a \
          scope for writing, or annotate the tool.",
    bad: Example::new(
        &[ARCHIVER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\narchive_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER, ARCHIVER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = { title = \"Change your todos\", implies = [\"todo:read\"] }\n[tools]\nlist_todos = { read = \"todo\" }\narchive_todos = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let reads =
        |scope: &ScopeId| context.policy.scope(*scope).name().level() == Some(AccessLevel::Read);
    for (tool, rule, _) in context.ruled() {
        let mut alternatives = rule.requirement.alternatives().iter();
        let only_reading = alternatives.find(|all| all.iter().all(reads));
        let (false, Some(_)) = (tool.is_read_only(), only_reading) else { continue };
        let (feature, name) = (tool.feature(), tool.name());
        let says = if tool.says_what_it_changes() {
            "its annotations say so"
        } else {
            "its annotations do not say that it only reads"
        };
        report.push(
            PolicyEntry::Rule(feature, name),
            finding(&LINT, rule.span(), format!("`{name}` may change something, and a scope for reading is enough for it"))
                .label(format!("asks for {}", context.policy.describe(rule)))
                .note(format!("{says}: {}", tool.location()))
                .help("ask for a scope for writing; or, if it only reads, annotate it with `annotations(read_only_hint = true)`"),
        );
    }
}
