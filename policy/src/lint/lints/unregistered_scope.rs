use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW010",
        "unregistered-scope",
        "A rule offers an alternative with a scope that is not registered: nobody can take it.",
    ),
    severity: Severity::Warning,
    stage: Stage::Agreement,
    why: "The tool can be called in another way, so the policy works; the alternative is dead. \
          Register the scope at the authorization server, or remove the alternative.",
    bad: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:admin\" = { title = \"Everything\", implies = [\"todo:read\"] }\n\"audit:read\" = { title = \"Audit\", implies = [\"todo:read\"] }\n[tools]\nlist_todos = { any_of = [\"todo:read\", \"audit:read\"], allow = { covered-alternative = \"the auditors look for it\" } }",
    ),
    good: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (rule, entry) in context.rules() {
        // `unreachable-tool` reports the tools that nobody can call.
        if !context.policy.is_reachable(rule) {
            continue;
        }
        let (feature, name) = (entry.feature, &*entry.name.value);
        for scope in context.policy.unregistered_of(&rule.requirement) {
            let message =
                format!("`{name}` offers `{scope}`, which is not registered for this resource");
            let warning = finding(&LINT, rule.span(), message);
            let warning = match context.policy.registered_at() {
                Some(at) => warning.context(at, "the registered scopes"),
                None => warning,
            };
            report.push(
                PolicyEntry::Rule(feature, name),
                warning.help(format!("register `{scope}`, or remove the alternative")),
            );
        }
    }
}
