//! What to write instead.

pub(super) fn quoted<'a>(scopes: impl IntoIterator<Item = &'a str>) -> String {
    scopes.into_iter().map(|scope| format!("\"{scope}\"")).collect::<Vec<_>>().join(", ")
}

pub(super) fn ticked<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The shortest rule that asks for exactly `scopes`.
pub(super) fn rule_for(scopes: &[&str]) -> String {
    match scopes {
        [] => "{ authenticated = true }".to_owned(),
        [one] => match one.rsplit_once(':') {
            Some((name, level @ ("read" | "write" | "admin"))) => {
                format!("{{ {level} = \"{name}\" }}")
            }
            _ => format!("{{ all_of = [\"{one}\"] }}"),
        },
        several => format!("{{ all_of = [{}] }}", quoted(several.iter().copied())),
    }
}

/// A tool's or scope's name as a TOML key.
pub(super) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.escape_default())
    }
}
