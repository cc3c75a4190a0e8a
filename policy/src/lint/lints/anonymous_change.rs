use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW038",
        "anonymous-change",
        "A tool that may change something is open to callers without a token.",
    ),
    severity: Severity::Error,
    stage: Stage::Advice,
    why: "Nobody can be held to what an unknown caller changes. MCP takes a tool for one that \
          changes something unless its annotations say `read_only_hint = true`.",
    bad: Example::new(&[OPEN_CHANGER], "[tools]\nvote = { anonymous = true }"),
    good: Example::new(&[HOURS], "[tools]\nopening_hours = { anonymous = true }"),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (tool, rule, _) in context.ruled() {
        if tool.is_read_only() || rule.requirement != Requirement::Anonymous {
            continue;
        }
        let (feature, name) = (tool.feature(), tool.name());
        let message = format!(
            "`{name}` may change something, and everybody may call it, also without a token"
        );
        report.push(
            PolicyEntry::Rule(feature, name),
            finding(&LINT, rule.span(), message)
                .note(format!("`{name}` is declared at {}", tool.location()))
                .help(
                    "ask for a scope; or, if it changes nothing, annotate it with \
                     `annotations(read_only_hint = true)`",
                ),
        );
    }
}
