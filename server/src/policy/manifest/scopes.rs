//! `[scopes]`: the vocabulary, as written.

use toml::de::{DeTable, DeValue};

use crate::{
    diagnostic::Diagnostic,
    policy::{
        reader::{Located, Reader, located, wrong_type},
        scope::Scope,
    },
};

#[derive(Debug)]
pub(in crate::policy) struct ScopeEntry {
    pub(in crate::policy) name: Located<Scope>,
    pub(in crate::policy) title: String,
    pub(in crate::policy) implies: Vec<Located<Scope>>,
    pub(in crate::policy) step_up: bool,
}

pub(super) fn read_scopes(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Vec<ScopeEntry> {
    let mut entries = vec![];
    for (key, value) in table {
        let written = Located::new(key.get_ref().to_string(), key.span());
        let value = located(value);
        let name = scope(&written, errors);
        // A scope with a mistake is still a defined one: the rules that use it are not mistaken.
        let (title, implies, step_up) = read_scope(&written, &value, errors).unwrap_or_default();
        if let Some(name) = name {
            entries.push(ScopeEntry { name, title, implies, step_up });
        }
    }
    entries.sort_by_key(|entry| entry.name.span.start);
    entries
}

fn read_scope(
    name: &Located<String>,
    value: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<(String, Vec<Located<Scope>>, bool)> {
    let what = format!("the scope `{}`", name.value);
    let (title, implies, step_up) = match value.value {
        DeValue::String(title) => {
            (Located::new(title.to_string(), value.span.clone()), vec![], false)
        }
        DeValue::Table(table) => {
            let mut reader = Reader::new(table, &what);
            let title = reader.string("title", errors);
            let implies = reader.strings("implies", errors);
            let step_up = reader.boolean("step_up", errors).is_some_and(|flag| flag.value);
            let has_title_key = reader.key_span("title").is_some();
            reader.finish(errors);
            let Some(title) = title else {
                if !has_title_key {
                    errors.push(
                        Diagnostic::error(
                            "missing-title",
                            name.span.clone(),
                            format!("{what} has no title"),
                        )
                        .help("add `title = \"…\"`: people read it on the consent page"),
                    );
                }
                return None;
            };
            let implies = implies.map(|list| scopes(&list.value, errors)).unwrap_or_default();
            (title, implies, step_up)
        }
        _ => {
            errors.push(
                wrong_type(value, &what, "a title, or a table")
                    .help(format!("write `\"{}\" = \"What it allows\"`", name.value)),
            );
            return None;
        }
    };
    if title.value.trim().is_empty() {
        errors.push(
            Diagnostic::error("missing-title", title.span, format!("{what} has an empty title"))
                .help("say what it allows: people read it on the consent page"),
        );
        return None;
    }
    Some((title.value, implies, step_up))
}

pub(super) fn scope(
    text: &Located<String>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<Scope>> {
    match Scope::parse(&text.value) {
        Ok(scope) => Some(Located::new(scope, text.span.clone())),
        Err(error) => {
            errors.push(
                Diagnostic::error("invalid-scope", text.span.clone(), error.to_string())
                    .help("use printable ASCII without space, `\"` and `\\`"),
            );
            None
        }
    }
}

/// The scopes of a list; one that stands twice is a mistake.
pub(super) fn scopes(
    list: &[Located<String>],
    errors: &mut Vec<Diagnostic>,
) -> Vec<Located<Scope>> {
    let mut found: Vec<Located<Scope>> = vec![];
    for text in list {
        let Some(scope) = scope(text, errors) else {
            continue;
        };
        if let Some(earlier) = found.iter().find(|earlier| earlier.value == scope.value) {
            errors.push(
                Diagnostic::error(
                    "duplicate-scope",
                    scope.span,
                    format!("`{}` is listed twice", scope.value),
                )
                .context(earlier.span.clone(), "first listed here")
                .help("remove one of the two"),
            );
        } else {
            found.push(scope);
        }
    }
    found
}
