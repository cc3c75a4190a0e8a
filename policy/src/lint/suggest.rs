//! Writes parts of a policy into messages: lists of names, keys, and whole rules.

/// The names as a TOML list has them: `"a", "b"`.
pub(super) fn in_quotes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> String {
    scopes.into_iter().map(|scope| format!("\"{scope}\"")).collect::<Vec<_>>().join(", ")
}

/// The names as a sentence has them, each in backticks.
pub(super) fn in_backticks<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The shortest rule that needs exactly `scopes`.
pub(super) fn rule_for(scopes: &[&str]) -> String {
    match scopes {
        [] => "{ authenticated = true }".to_owned(),
        [one] => match one.rsplit_once(':') {
            Some((name, level @ ("read" | "write" | "admin"))) => {
                format!("{{ {level} = \"{name}\" }}")
            }
            _ => format!("{{ all_of = [\"{one}\"] }}"),
        },
        several => format!("{{ all_of = [{}] }}", in_quotes(several.iter().copied())),
    }
}
