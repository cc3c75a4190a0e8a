use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new("SW011", "unused-scope", "A scope is registered, and nothing needs it."),
    severity: Severity::Warning,
    stage: Stage::Agreement,
    why: "People consent to the scope and tokens carry it although nothing needs it, against the \
          principle of least privilege. Remove it from the registration and from `[scopes]`.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:share\" = \"Share your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for entry in context.unused_scopes(true) {
        let scope = &entry.name.value;
        let message = format!("`{scope}` is registered, and nothing needs it");
        report.push(
            PolicyEntry::Scope(scope.as_str()),
            finding(&LINT, entry.name.span.clone(), message)
                .help(format!("{}, so that nobody is asked for it", context.removal(scope))),
        );
    }
    let Some(snapshot) = context.snapshot else { return };
    let is_strange = |scope: &&str| {
        context.policy.scope_id(scope).is_none() && !crate::scope::is_of_openid(scope)
    };
    for scope in snapshot.scopes().filter(is_strange) {
        let at = context.manifest.server.span();
        let message = format!("`{scope}` is registered, and the policy does not know it");
        report.push(
            PolicyEntry::File,
            finding(&LINT, at, message).note(snapshot.describe()).help(
                "remove it from the registration; or define it in `[scopes]`, and use it in a rule",
            ),
        );
    }
}
