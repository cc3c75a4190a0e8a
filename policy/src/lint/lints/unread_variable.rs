use super::prelude::*;
use crate::{UriTemplate, json_schema};

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW029",
        "unread-variable",
        "A resource's URI template has a variable that its method does not read.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "Each value of the variable names the same resource: `note://ada/1` and `note://bob/1` are \
          one. A condition about the variable then decides by a value that the method never sees, so \
          that another value gets past it. Read the variable, or leave it out of the URI.",
    bad: Example::new(
        &[UNREAD_ITEM],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[resources]\n\"todo://{owner}/{id}\" = { read = \"todo\" }",
    ),
    good: Example::new(
        &[ITEM],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[resources]\n\"todo://items/{id}\" = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for declared in context.registry.of(Feature::Resource) {
        let Some(schema) = declared.fields() else { continue };
        let Ok(template) = UriTemplate::parse(declared.name()) else { continue };
        let shape = json_schema::Shape::root(&schema);
        let is_given = |field: &&str| template.variables().any(|name| name == *field);
        for variable in template.variables() {
            let json_schema::Field::Missing(fields) = shape.field(variable, true) else { continue };
            // `unfilled-field` says which field the variable was meant for.
            if !fields.iter().all(is_given) {
                continue;
            }
            let (feature, name) = (declared.feature(), declared.name());
            let policy = context.policy;
            let at =
                policy.rule(feature, name).map_or_else(|| policy.table_at(feature), Rule::span);
            let message =
                format!("`{name}` has the variable `{variable}`, and its method does not read it");
            let help = if fields.is_empty() {
                format!(
                    "take `Parameters(args): Parameters<Args>` with the field `{variable}` in `Args`, \
                     or leave `{{{variable}}}` out of the URI"
                )
            } else {
                format!(
                    "add the field `{variable}` to the struct, or leave `{{{variable}}}` out of the URI"
                )
            };
            let error = finding(&LINT, at, message)
                .note(format!("`{name}` is declared at {}", declared.location()));
            report.push(PolicyEntry::Rule(feature, name), error.help(help));
        }
    }
}
