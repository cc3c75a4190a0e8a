use super::prelude::*;

pub(crate) static TOOL_WITHOUT_POLICY: Lint = Lint {
    kind: Kind::new(
        "SW001",
        "tool-without-policy",
        "A tool is annotated, and the policy has no rule for it.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "A tool without a rule cannot be called by anyone. Give it one, at least as strict as \
          what its author declared.",
    bad: Example::new(&[WRITER], "[tools]"),
    good: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report) {
    let unreadable: HashSet<&str> =
        subject.unreadable.iter().map(|name| name.value.as_str()).collect();
    for tool in subject.registry.tools() {
        let name = tool.name();
        if subject.policy.rule(name).is_some() || unreadable.contains(name) {
            continue;
        }
        let message =
            format!("`[tools]` has no rule for the tool `{name}`, so nobody could call it");
        report.push(
            Entry::File,
            finding(&TOOL_WITHOUT_POLICY, subject.policy.tools_at(), message)
                .note(format!("`{name}` is declared at {}", tool.location()))
                .help(format!("add it: `{} = {}`", key(name), rule_for(tool.scopes()))),
        );
    }
}
