use super::prelude::*;

pub(crate) static UNREACHABLE_TOOL: Lint = Lint {
    kind: Kind::new(
        "SW004",
        "unreachable-tool",
        "No combination of registered scopes meets a rule: nobody could ever call the tool.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "The authorization server grants only scopes that are registered for the resource. \
          Register the missing one there, or change the rule.",
    bad: Example::new(
        &[WRITER],
        "[resource]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    good: Example::new(
        &[WRITER],
        "[resource]\nurl = \"http://localhost:3002/mcp\"\nregistered = [\"todo:write\"]\n[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report) {
    for (rule, entry) in subject.rules() {
        if subject.policy.is_reachable(rule) {
            continue;
        }
        let name = &entry.name.value;
        let missing = subject.policy.unregistered_of(rule);
        let missing: Vec<&str> = missing.into_iter().map(Scope::as_str).collect();
        let are = if missing.len() == 1 { "is" } else { "are" };
        let message = format!(
            "nobody could ever call `{name}`: {} {are} not registered for this resource",
            missing.join(", ")
        );
        let error = finding(&UNREACHABLE_TOOL, rule.span(), message)
            .label(format!("asks for {}", subject.policy.describe(rule)));
        let list = quoted(missing);
        let error = match (subject.policy.registered_at(), subject.snapshot) {
            (Some(at), _) => error.context(at, "the registered scopes"),
            (None, Some(snapshot)) => error.note(snapshot.describe()),
            (None, None) => error,
        };
        let help = if subject.snapshot.is_some() {
            format!(
                "register {list} at the authorization server and run `resource pull`, or change the rule"
            )
        } else {
            format!("add {list} to `registered`, or change the rule")
        };
        report.push(Entry::Tool(name), error.help(help));
    }
}
