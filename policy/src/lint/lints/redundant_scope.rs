use super::{prelude::*, redundant_implies::given_by_another};

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW016",
        "redundant-scope",
        "`all_of` names a scope that another one in the list implies.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "Whoever holds the one holds the other, so it asks for nothing; and a client is told to \
          ask for more than it needs.",
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

fn check(context: &LintContext<'_>, report: &mut Report) {
    for entry in &context.manifest.rules {
        let (feature, name) = (entry.feature, entry.name.value.as_str());
        let Some(RuleEntry::Alternatives(alternatives)) = &entry.rule else { continue };
        for (number, all) in alternatives.iter().enumerate() {
            for given in given_by_another(context, all) {
                let mut list: Vec<Step> = vec![feature.table().into(), name.into()];
                if entry.is_any_of {
                    list.extend(["any_of".into(), number.into()]);
                }
                list.push("all_of".into());
                let (scope, by) = (&given.scope.value, &given.by.value);
                let message = format!("`{scope}` is given by `{by}`, which `{name}` needs as well");
                report.push(
                    Entry::Rule(feature, name),
                    given.finding(&LINT, message, list),
                );
            }
        }
    }
}
