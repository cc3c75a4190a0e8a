use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW023",
        "step-up-bypassed",
        "A scope that is asked for at first sign-in implies one that is marked `step_up`.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "`step_up` keeps a scope out of the first sign-in, but this scope brings it in. So every \
          caller holds it from the start, though it should be asked for only when it is needed.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = { title = \"See your todos\", implies = [\"admin:access\"] }\n\"admin:access\" = { title = \"Everything\", step_up = true }\n[tools]\nlist_todos = { all_of = [\"admin:access\", \"todo:read\"], allow = { admin-for-reading = \"delicate\", redundant-scope = \"clearer\" } }",
    ),
    good: Example::new(
        &[EXPORTER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = { title = \"Everything\", step_up = true, implies = [\"todo:read\"] }\n[tools]\nexport_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (info, entry) in context.policy.scopes().iter().zip(&context.manifest.scopes) {
        if info.is_step_up() {
            continue;
        }
        let name = entry.name.value.as_str();
        for given in context.policy.implied_by(info).filter(|given| given.is_step_up()) {
            let written = entry.implies.iter().find(|scope| scope.value == *given.name());
            let at = written.map_or(&entry.name.span, |scope| &scope.span);
            let message = format!(
                "`{name}` is asked for at first sign-in and brings `{}` with it, which is marked `step_up`",
                given.name()
            );
            report.push(
                PolicyEntry::Scope(name),
                finding(&LINT, at.clone(), message)
                    .context(given.span(), "marked `step_up`")
                    .help(format!("mark `{name}` with `step_up = true` as well, or take `{}` out of what it implies", given.name())),
            );
        }
    }
}
