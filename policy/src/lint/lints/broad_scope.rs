use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW022",
        "broad-scope",
        "A registered scope is not about this resource, or is about everything.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "`scopes_supported` should be the minimal set (MCP 2026-07-28, \"Scope Minimization\"): \
          clients ask for all of it. `offline_access` is between the client and the authorization \
          server and should not be among a resource's scopes; `openid`, `profile` and `email` are \
          about signing in; a scope like `*` cannot be granted in part.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"offline_access\" = \"Stay signed in\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for entry in &context.manifest.scopes {
        let scope = entry.name.value.as_str();
        let Some(what) = crate::scope::too_broad(scope) else { continue };
        let help = if context.written_scopes().contains(scope) {
            "name what each tool needs in the rules that ask for it, and then take it out of `[scopes]`"
                .to_owned()
        } else {
            context.removal(&entry.name.value)
        };
        report.push(
            PolicyEntry::Scope(scope),
            finding(&LINT, entry.name.span.clone(), format!("`{scope}` {what}")).help(help),
        );
    }
}
