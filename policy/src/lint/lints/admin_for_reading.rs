use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new("SW019", "admin-for-reading", "A tool that only reads needs an admin scope."),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "To read, a caller must be given the power to administer. If that is intended, because \
          the data is sensitive, give the reason: `allow = { admin-for-reading = \"the reason\" }`.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = { title = \"Everything\", implies = [\"todo:read\"] }\n[tools]\nlist_todos = { all_of = [\"admin:access\"] }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let administers =
        |scope: &ScopeId| context.policy.scope(*scope).name().level() == Some(AccessLevel::Admin);
    for (tool, rule, _) in context.ruled() {
        let alternatives = rule.requirement.alternatives();
        let always =
            !alternatives.is_empty() && alternatives.iter().all(|all| all.iter().any(administers));
        if !tool.is_read_only() || !always {
            continue;
        }
        let (feature, name) = (tool.feature(), tool.name());
        report.push(
            PolicyEntry::Rule(feature, name),
            finding(&LINT, rule.span(), format!("`{name}` only reads, and needs an admin scope"))
                .label(format!("asks for {}", context.policy.describe(rule)))
                .help("ask for a scope for reading, or say why not: `allow = { admin-for-reading = \"the reason\" }`"),
        );
    }
}
