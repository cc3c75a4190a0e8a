use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW003",
        "weakened",
        "A rule asks for less than was declared, without saying why.",
    ),
    severity: Severity::Error,
    stage: Stage::Draft,
    why: "The scopes that the author declared are the floor: some caller would meet the rule \
          without holding all of them. Ask for them, or write `relax = \"the reason\"` beside the \
          rule, where a reviewer sees it.",
    bad: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { any_of = [\"todo:write\", \"todo:read\"] }",
    ),
    good: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { all_of = [\"todo:write\", \"todo:read\"] }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for tool in context.registry.all() {
        let (feature, name) = (tool.feature(), tool.name());
        let Some(rule) = context.policy.rule(feature, name) else { continue };
        let lacking = lacking(context, tool, rule);
        if lacking.is_empty() || rule.relax().is_some() {
            continue;
        }
        let used = feature.participle();
        let message =
            format!("`{name}` may be {used} without {}, which it declares", lacking.join(", "));
        let (at, declared) = (tool.location(), in_quotes(tool.scopes().iter().copied()));
        let mut error = finding(&LINT, rule.span(), message)
            .label(format!("asks for {}", context.policy.describe(rule)))
            .note(format!("`{name}` is declared at {at} with {declared}"))
            .help(format!(
                "ask for it: `{} = {}`, or say why not: add `relax = \"the reason\"`",
                toml_key(name),
                rule_for(tool.scopes())
            ));
        if let Some(register) = context.registration(tool.scopes().iter().copied()) {
            error = error.help(format!("to ask for it, {register}"));
        }
        report.push(PolicyEntry::Rule(feature, name), error);
    }
}

/// The declared scopes that a caller can lack and still meet the rule.
pub(super) fn lacking<'t>(
    context: &LintContext<'_>,
    tool: &'t Declaration,
    rule: &Rule,
) -> Vec<&'t str> {
    // A scope that `[scopes]` does not define is reported by `undeclared-scope`: no rule can ask for it.
    let declared = tool.scopes().iter().copied();
    declared
        .filter(|scope| context.policy.scope_id(scope).is_some())
        .filter(|scope| !context.policy.always_gives(rule, scope))
        .collect()
}
