use super::prelude::*;

pub(crate) static UNKNOWN_TOOL: Lint = Lint {
    kind: Kind::new(
        "SW002",
        "unknown-tool",
        "The policy has a rule for a tool that does not exist.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "Most often the name is misspelt, and the tool that was meant has no rule. A rule for a \
          tool that is gone would silently guard another tool that takes its name later.",
    bad: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncraete_todo = { write = \"todo\" }",
    ),
    good: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report) {
    let ruled = subject.policy.tools().map(|(name, rule)| (name, rule.span()));
    let unreadable = subject.unreadable.iter().map(|name| (name.value.as_str(), name.span.clone()));
    // A tool that has its rule already cannot be the one that was meant.
    let unruled: Vec<&str> = subject
        .registry
        .tools()
        .iter()
        .map(DeclaredTool::name)
        .filter(|tool| subject.policy.rule(tool).is_none())
        .collect();
    for (name, at) in ruled.chain(unreadable) {
        if subject.declared(name).is_some() {
            continue;
        }
        let error = finding(&UNKNOWN_TOOL, at, format!("there is no tool named `{name}`"));
        report.push(
            Entry::File,
            match nearest(name, unruled.iter().copied()) {
                Some(right) => error.label(format!("did you mean `{right}`?")),
                None => error.help("remove this line, or annotate the tool with `#[scoped_tool]`"),
            },
        );
    }
}
