use super::prelude::*;
use crate::{lint::context::UnknownRule, manifest::meant_by_conditions};

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
    for UnknownRule { feature, name, at, meant } in unknown(context) {
        let (feature, name, at) = (*feature, *name, at.clone());
        let message = match feature {
            Feature::Resource => format!("there is no resource `{name}`"),
            _ => format!("there is no {feature} named `{name}`"),
        };
        let error = finding(&LINT, at, message);
        report.push(
            PolicyEntry::File,
            match meant {
                Some(meant) if meant.feature() != feature => error.help(format!(
                    "`{name}` is a {}: move the line below `[{}]`",
                    meant.feature(),
                    meant.feature().table()
                )),
                Some(meant) => error
                    .label(format!("did you mean `{}`?", meant.name()))
                    .note(format!("`{}` is declared at {}", meant.name(), meant.location())),
                None => error.help(format!(
                    "remove this line, or annotate the {feature} with `#[{}]`; a running server \
                     knows what was annotated when it was built",
                    feature.attribute()
                )),
            },
        );
    }
}

/// The rules for something that is not declared.
pub(super) fn unknown<'c, 'a>(context: &'c LintContext<'a>) -> &'c [UnknownRule<'a>] {
    context.unknown_rules.get_or_init(|| find(context))
}

fn find<'a>(context: &LintContext<'a>) -> Vec<UnknownRule<'a>> {
    let ruled = context.policy.rules().map(|(feature, name, rule)| (feature, name, rule.span()));
    // Conditions without a rule are reported with the rule that they were meant for.
    let is_explained = |feature: Feature, name: &str| {
        let entries = &context.manifest.rules;
        let entry = entries.iter().find(|one| one.feature == feature && one.name.value == name);
        entry.is_some_and(|entry| meant_by_conditions(entry, entries).is_some())
    };
    let unreadable = context
        .unreadable
        .iter()
        .filter(move |(feature, name)| !is_explained(*feature, &name.value))
        .map(|(feature, name)| (*feature, name.value.as_str(), name.span.clone()));
    let unknown = ruled
        .chain(unreadable)
        .filter(|(feature, name, _)| context.declared(*feature, name).is_none());
    // A declaration that has a rule cannot be the one that was meant.
    let unruled: Vec<&'static Declaration> = context
        .registry
        .all()
        .iter()
        .filter(|one| context.policy.rule(one.feature(), one.name()).is_none())
        .collect();
    let mut by_name: HashMap<&str, &'static Declaration> = HashMap::new();
    for one in &unruled {
        by_name.entry(one.name()).or_insert(one);
    }
    unknown
        .map(|(feature, name, at)| {
            let of = unruled.iter().filter(|one| one.feature() == feature);
            let right = context.suggestions.nearest(name, of.clone().map(|one| one.name()));
            let elsewhere = || by_name.get(name);
            let meant = of.into_iter().find(|one| Some(one.name()) == right);
            UnknownRule { feature, name, at, meant: meant.or_else(elsewhere).copied() }
        })
        .collect()
}
