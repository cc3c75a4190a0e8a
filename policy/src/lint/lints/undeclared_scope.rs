use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW005",
        "undeclared-scope",
        "A tool, resource or prompt declares a scope that `[scopes]` does not define.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "Nobody can be asked for a scope that the vocabulary does not know, and `caller.has(…)` \
          never sees it. Define it, or correct the declaration.",
    bad: Example::new(
        &[EXPORTER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nexport_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[EXPORTER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = \"See everyone's todos\"\n[tools]\nexport_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let policy = context.policy;
    for tool in context.registry.all() {
        for scope in tool.scopes().iter().chain(tool.optional()) {
            if policy.scope_id(scope).is_some() {
                continue;
            }
            let (feature, name) = (tool.feature(), tool.name());
            let at =
                policy.rule(feature, name).map_or_else(|| policy.table_at(feature), Rule::span);
            let message =
                format!("`{name}` declares the scope `{scope}`, which `[scopes]` does not define");
            let error = finding(&LINT, at, message)
                .note(format!("`{name}` is declared at {}", tool.location()));
            let known = policy.scopes().iter().map(|scope| scope.name().as_str());
            let define = format!("`\"{scope}\" = \"What it allows\"`");
            report.push(
                PolicyEntry::Rule(feature, name),
                error.help(match nearest(scope, known) {
                    Some(right) => {
                        format!("correct the declaration to `{right}`, or define it: {define}")
                    }
                    None => format!("define it in `[scopes]`: {define}"),
                }),
            );
        }
    }
}
