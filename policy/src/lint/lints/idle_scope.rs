use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW012",
        "idle-scope",
        "A scope is defined, and neither registered nor needed.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The scope has no effect, and each reader of the policy has to find that out.",
    bad: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:share\" = \"Share your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for entry in context.unused_scopes(false) {
        let scope = &entry.name.value;
        let message = format!("`{scope}` is defined and never used");
        report.push(
            PolicyEntry::Scope(scope.as_str()),
            finding(&LINT, entry.name.span.clone(), message)
                .help(format!("{}, or use it in a rule", context.removal(scope))),
        );
    }
}
