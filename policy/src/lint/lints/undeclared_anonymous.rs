use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW037",
        "undeclared-anonymous",
        "A rule lets in callers without a token, and the author did not declare it open.",
    ),
    severity: Severity::Error,
    stage: Stage::Draft,
    why: "Its author counted on a signed-in caller. If the tool is meant for everybody, its author \
          says so: `#[scoped_tool(scopes = [], anonymous = true)]`. Otherwise write \
          `authenticated = true`, or `relax = \"the reason\"` beside the rule, where a reviewer sees \
          it.",
    bad: Example::new(&[WHOAMI], "[tools]\nwhoami = { anonymous = true }"),
    good: Example::new(&[HOURS], "[tools]\nopening_hours = { anonymous = true }"),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (one, rule, _) in context.ruled() {
        if rule.requirement == Requirement::Anonymous && one.needs_caller() {
            report.push(PolicyEntry::Rule(one.feature(), one.name()), without_caller(one, rule));
            continue;
        }
        // Scopes that are not asked for are reported by `weakened`.
        let is_reported = !one.scopes().is_empty();
        if !is_undeclared(one, rule) || is_reported || rule.relax().is_some() {
            continue;
        }
        let (feature, name) = (one.feature(), one.name());
        let used = feature.participle();
        let message = format!(
            "`{name}` may be {used} without a token, and its author did not declare it open"
        );
        report.push(
            PolicyEntry::Rule(feature, name),
            finding(&LINT, rule.span(), message)
                .note(format!("`{name}` is declared at {} with `scopes = []`", one.location()))
                .help(format!(
                    "write `{} = {{ authenticated = true }}`, declare it with `anonymous = true`, \
                     or say why: add `relax = \"the reason\"`",
                    toml_key(name)
                )),
        );
    }
}

/// Whether the rule lets in callers without a token, whom its author did not let in.
pub(super) fn is_undeclared(one: &Declaration, rule: &Rule) -> bool {
    rule.requirement == Requirement::Anonymous && !one.is_open_to_anonymous()
}

/// The finding about a method that cannot run without a caller, whatever the reason for the rule is.
fn without_caller(one: &Declaration, rule: &Rule) -> Diagnostic {
    let (name, used) = (one.name(), one.feature().participle());
    let message = format!(
        "`{name}` cannot be {used} without a token, because its method takes the caller as a parameter"
    );
    finding(&LINT, rule.span(), message)
        .note(format!("`{name}` is declared at {}", one.location()))
        .help("write `authenticated = true`; or let the method take an `Option<Principal>`")
}
