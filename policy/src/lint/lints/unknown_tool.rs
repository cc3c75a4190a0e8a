use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW002",
        "unknown-tool",
        "The policy has a rule for a tool, resource or prompt that does not exist.",
    ),
    severity: Severity::Error,
    stage: Stage::Draft,
    why: "Most often the name is misspelt, so the tool that was meant has no rule. If the tool was \
          removed, its rule would silently guard another tool that gets this name later.",
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

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let ruled = context.policy.rules().map(|(feature, name, rule)| (feature, name, rule.span()));
    let unreadable = context
        .unreadable
        .iter()
        .map(|(feature, name)| (*feature, name.value.as_str(), name.span.clone()));
    // A declaration that has a rule cannot be the one that was meant.
    let unruled = Feature::ALL.map(|feature| {
        let declared = context.registry.of(feature).map(Declaration::name);
        let unruled = declared.filter(|name| context.policy.rule(feature, name).is_none());
        unruled.collect::<Vec<_>>()
    });
    for (feature, name, at) in ruled.chain(unreadable) {
        if context.declared(feature, name).is_some() {
            continue;
        }
        let message = match feature {
            Feature::Resource => format!("there is no resource `{name}`"),
            _ => format!("there is no {feature} named `{name}`"),
        };
        let error = finding(&LINT, at, message);
        report.push(
            PolicyEntry::File,
            match nearest(name, unruled[feature.index()].iter().copied()) {
                Some(right) => error.label(format!("did you mean `{right}`?")),
                None => error.help(format!(
                    "remove this line, or annotate the {feature} with `#[{}]`",
                    feature.attribute()
                )),
            },
        );
    }
}
