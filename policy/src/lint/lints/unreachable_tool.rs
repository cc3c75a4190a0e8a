use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW004",
        "unreachable-tool",
        "No combination of registered scopes meets a rule: nobody could ever use what it guards.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "The authorization server grants only scopes that are registered for the resource. \
          Register the missing one there, or change the rule.",
    bad: Example::new(
        &[WRITER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    good: Example::new(
        &[WRITER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:write\"]\n[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (rule, entry) in context.rules() {
        let (feature, name) = (entry.feature, &*entry.name.value);
        let policy = context.policy;
        let own =
            (!policy.is_reachable(rule)).then(|| (&rule.requirement, rule.span(), String::new()));
        let conditional =
            rule.when.iter().filter(|when| !policy.is_reachable_when(when)).map(|when| {
                (&when.requirement, when.span.clone(), format!(" when {}", when.condition.as_str()))
            });
        for (requirement, at, when) in own.into_iter().chain(conditional) {
            unreachable(context, report, (feature, name), requirement, at, &when);
        }
    }
}

fn unreachable(
    context: &LintContext<'_>,
    report: &mut LintReport,
    (feature, name): (Feature, &str),
    requirement: &Requirement,
    at: Range<usize>,
    when: &str,
) {
    let missing = context.policy.unregistered_of(requirement);
    let missing: Vec<&str> = missing.into_iter().map(Scope::as_str).collect();
    let are = if missing.len() == 1 { "is" } else { "are" };
    let message = format!(
        "nobody could ever {} `{name}`{when}: {} {are} not registered for this resource",
        feature.verb(),
        missing.join(", ")
    );
    let error = finding(&LINT, at, message)
        .label(format!("asks for {}", context.policy.describe_requirement(requirement)));
    let list = in_quotes(missing);
    let error = match (context.policy.registered_at(), context.snapshot) {
        (Some(at), _) => error.context(at, "the registered scopes"),
        (None, Some(snapshot)) => error.note(snapshot.describe()),
        (None, None) => error,
    };
    let help = if context.snapshot.is_some() {
        format!(
            "register {list} at the authorization server and run `resource pull`, or change the rule"
        )
    } else {
        format!("add {list} to `registered`, or change the rule")
    };
    report.push(PolicyEntry::Rule(feature, name), error.help(help));
}
