use super::{prelude::*, redundant_implies::implied_in_list};

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW016",
        "redundant-scope",
        "`all_of` names a scope that another one in the list implies.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "A caller that holds the one scope holds the other too, so the rule needs no more with \
          both. But a client is told to ask for both.",
    bad: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = { title = \"Change your todos\", implies = [\"todo:read\"] }\n[tools]\ncreate_todo = { all_of = [\"todo:read\", \"todo:write\"] }",
    ),
    good: Example::new(
        &[READER, WRITER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = { title = \"Change your todos\", implies = [\"todo:read\"] }\n[tools]\nlist_todos = { read = \"todo\" }\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for entry in &context.manifest.rules {
        let (feature, name) = (entry.feature, entry.name.value.as_str());
        let Some(RuleEntry::Alternatives(alternatives)) = &entry.rule else { continue };
        for (number, all) in alternatives.iter().enumerate() {
            for given in implied_in_list(context, all) {
                let mut list: Vec<Step> = vec![feature.table().into(), name.into()];
                if entry.is_any_of {
                    list.extend(["any_of".into(), number.into()]);
                }
                list.push("all_of".into());
                let (scope, by) = (&given.scope.value, &given.by.value);
                let message = format!("`{scope}` is given by `{by}`, which `{name}` needs as well");
                let entry = PolicyEntry::Rule(feature, name);
                if context.is_needed_beside_one(scope) {
                    report.push(entry, given.finding(&LINT, message, list));
                    continue;
                }
                // Without this rule the scope itself would be one that nothing needs.
                let help = format!(
                    "nothing else needs `{scope}`: take it out of the rule, and then {} as well",
                    context.removal(scope)
                );
                report.push(entry, given.finding_without_fix(&LINT, message).help(help));
            }
        }
    }
}
