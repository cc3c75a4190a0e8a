use super::prelude::*;
use crate::UriTemplate;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW026",
        "unfilled-field",
        "A resource reads a field that its URI template has no variable for.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "The fields of the method's struct are filled from the variables of the same names. \
          Without the variable every read answers \"Resource not found\". Give the field and the \
          variable one name.",
    bad: Example::new(
        &[MISNAMED_ITEM],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[resources]\n\"todo://items/{item}\" = { read = \"todo\" }",
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
        let Some(fields) = schema.get("properties").and_then(|fields| fields.as_object()) else {
            continue;
        };
        let required = schema.get("required").and_then(|required| required.as_array());
        let is_required =
            |field: &str| required.is_some_and(|all| all.iter().any(|name| *name == *field));
        let is_given = |field: &str| template.variables().any(|name| name == field);
        let unused = template.variables().find(|name| !fields.contains_key(*name));
        for field in fields.keys().filter(|field| !is_given(field)) {
            // A field that may be left out is filled by another use of the struct, unless a variable
            // is left over that was meant for it.
            if !is_required(field) && unused.is_none() {
                continue;
            }
            let (feature, name) = (declared.feature(), declared.name());
            let policy = context.policy;
            let at =
                policy.rule(feature, name).map_or_else(|| policy.table_at(feature), Rule::span);
            let message =
                format!("`{name}` reads the field `{field}`, and its URI has no variable for it");
            let error = finding(&LINT, at, message)
                .note(format!("`{name}` is declared at {}", declared.location()));
            report.push(
                PolicyEntry::Rule(feature, name),
                error.help(match unused {
                    Some(variable) => format!(
                        "rename the field to `{variable}`, or the variable to `{{{field}}}`"
                    ),
                    None => format!("add `{{{field}}}` to the URI, or remove the field"),
                }),
            );
        }
    }
}
