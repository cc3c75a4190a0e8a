//! Writes parts of a policy into messages: lists of names, keys, and whole rules.

use crate::Declaration;

/// The names as a TOML list has them: `"a", "b"`.
pub(super) fn in_quotes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> String {
    scopes
        .into_iter()
        .map(|scope| toml_edit::Value::from(scope).to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The names as a sentence has them, each in backticks.
pub(super) fn in_backticks<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The rule that asks for exactly what was declared.
pub(crate) fn rule_as_declared(declared: &Declaration) -> String {
    if declared.is_open_to_anonymous() {
        return "{ anonymous = true }".to_owned();
    }
    rule_for(declared.scopes())
}

/// The shortest rule that needs exactly `scopes`.
pub(crate) fn rule_for(scopes: &[&str]) -> String {
    match scopes {
        [] => "{ authenticated = true }".to_owned(),
        [one] => match one.rsplit_once(':') {
            // A scope such as `:read` has no part before it.
            Some((name, level @ ("read" | "write" | "admin"))) if !name.is_empty() => {
                format!("{{ {level} = {} }}", toml_edit::Value::from(name))
            }
            _ => format!("{{ all_of = [{}] }}", in_quotes([*one])),
        },
        several => format!("{{ all_of = [{}] }}", in_quotes(several.iter().copied())),
    }
}
