use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW001",
        "tool-without-policy",
        "A tool, resource or prompt is annotated, and the policy has no rule for it.",
    ),
    severity: Severity::Error,
    stage: Stage::Draft,
    why: "Without a rule nobody can use it. Add one that needs at least the scopes that its author \
          declared.",
    bad: Example::new(&[WRITER], "[tools]"),
    good: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let unreadable: HashSet<(Feature, &str)> =
        context.unreadable.iter().map(|(feature, name)| (*feature, name.value.as_str())).collect();
    for tool in context.registry.all() {
        let (feature, name) = (tool.feature(), tool.name());
        if context.policy.rule(feature, name).is_some() || unreadable.contains(&(feature, name)) {
            continue;
        }
        // A rule in a wrong table is reported there.
        if context.manifest.misplaced.iter().any(|(_, misplaced)| misplaced == name) {
            continue;
        }
        let (table, verb) = (feature.table(), feature.verb());
        let message = format!(
            "`[{table}]` has no rule for the {feature} `{name}`, so nobody could {verb} it"
        );
        report.push(
            PolicyEntry::File,
            finding(&LINT, context.policy.table_at(feature), message)
                .note(format!("`{name}` is declared at {}", tool.location()))
                .help(format!("add it: `{} = {}`", toml_key(name), rule_for(tool.scopes()))),
        );
    }
}
