use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW020",
        "open-destructive-tool",
        "A tool that may destroy something is open to every signed-in caller.",
    ),
    severity: Severity::Error,
    stage: Stage::Advice,
    why: "With `authenticated = true` a token without any scope is enough. MCP takes a tool for \
          destructive unless its annotations say `read_only_hint = true` or `destructive_hint = \
          false`.",
    bad: Example::new(&[OPEN], "[tools]\nreset = { authenticated = true }"),
    good: Example::new(
        &[OPEN],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\nreset = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (tool, rule, _) in context.ruled() {
        if !tool.is_destructive() || rule.requirement != Requirement::Authenticated {
            continue;
        }
        let (feature, name) = (tool.feature(), tool.name());
        report.push(
            PolicyEntry::Rule(feature, name),
            finding(&LINT, rule.span(), format!("`{name}` may destroy something, and every signed-in caller may call it"))
                .note(format!("`{name}` is declared at {}", tool.location()))
                .help("name the scopes it needs; or, if it destroys nothing, annotate it with `annotations(destructive_hint = false)`"),
        );
    }
}
