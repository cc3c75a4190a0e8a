//! Reads `[scopes]`, the vocabulary of the policy.

use std::{collections::HashMap, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{Allow, read_allow};
use crate::{
    diagnostic::{Change, Diagnostic, Fix, Step},
    mistake,
    {
        reader::{Located, TableReader, located, wrong_type},
        scope::Scope,
        shape,
    },
};

/// One entry of `[scopes]` as written.
#[derive(Debug)]
pub(crate) struct ScopeEntry {
    pub(crate) name: Located<Scope>,
    pub(crate) title: String,
    pub(crate) implies: Vec<Located<Scope>>,
    pub(crate) step_up: bool,
    pub(crate) allow: Vec<Allow>,
}

/// The value of an entry of `[scopes]`: a title, or a table.
#[derive(Default)]
struct ScopeValue {
    title: String,
    implies: Vec<Located<Scope>>,
    step_up: bool,
    allow: Vec<Allow>,
}

/// Reads the scopes, and the names that are none.
pub(super) fn read_scopes(
    table: &DeTable<'_>,
    errors: &mut Vec<Diagnostic>,
) -> (Vec<ScopeEntry>, Vec<String>) {
    let mut invalid = vec![];
    let mut entries = vec![];
    for (key, value) in table {
        let written = Located::new(key.get_ref().to_string(), key.span());
        let name = scope(written.clone(), errors);
        let ScopeValue { title, implies, step_up, allow } =
            read_scope(&written, &located(value), errors);
        match name {
            Some(name) => entries.push(ScopeEntry { name, title, implies, step_up, allow }),
            None => invalid.push(written.value),
        }
    }
    entries.sort_by_key(|entry| entry.name.span.start);
    (entries, invalid)
}

/// Reads the value of a scope. A scope whose value has a mistake still counts as defined, so that the
/// rules that use the scope are not reported as well.
fn read_scope(
    name: &Located<String>,
    value: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> ScopeValue {
    let what = format!("the scope `{}`", name.value);
    match value.value {
        DeValue::String(title) => {
            let title = Located::new(title.to_string(), value.span.clone());
            ScopeValue { title: title_text(title, &what, errors), ..ScopeValue::default() }
        }
        DeValue::Table(table) => {
            let reader = TableReader::new(table, &shape::SCOPE, &what);
            if reader.key_span("title").is_none() {
                errors.push(
                    Diagnostic::new(
                        mistake::MISSING_TITLE,
                        name.span.clone(),
                        format!("{what} has no title"),
                    )
                    .help("add `title = \"…\"`: people read it on the consent page"),
                );
            }
            let title = reader.string("title", errors);
            let path = ["scopes", &name.value, "implies"];
            let read = ScopeValue {
                title: title.map(|title| title_text(title, &what, errors)).unwrap_or_default(),
                implies: reader
                    .strings("implies", errors)
                    .map(|list| scopes(&list.value, &path, errors))
                    .unwrap_or_default(),
                step_up: reader.boolean("step_up", errors).is_some_and(|flag| flag.value),
                allow: read_allow(&reader, errors),
            };
            reader.finish(errors);
            read
        }
        _ => {
            errors.push(
                wrong_type(value, &what, "a title, or a table")
                    .help(format!("write `\"{}\" = \"What it allows\"`", name.value)),
            );
            ScopeValue::default()
        }
    }
}

fn title_text(title: Located<String>, what: &str, errors: &mut Vec<Diagnostic>) -> String {
    if title.value.trim().is_empty() {
        let message = format!("{what} has an empty title");
        errors.push(
            Diagnostic::new(mistake::MISSING_TITLE, title.span, message)
                .help("say what it allows: people read it on the consent page"),
        );
    }
    title.value
}

pub(super) fn scope(text: Located<String>, errors: &mut Vec<Diagnostic>) -> Option<Located<Scope>> {
    match Scope::try_from(text.value) {
        Ok(scope) => Some(Located::new(scope, text.span)),
        Err(error) => {
            errors.push(
                Diagnostic::new(mistake::INVALID_SCOPE, text.span, error.to_string())
                    .help("use printable ASCII without space, `\"` and `\\`"),
            );
            None
        }
    }
}

/// Reads the scopes of the list at `path` in the document. A scope that stands twice is a mistake,
/// with a fix unless the path is empty.
pub(super) fn scopes(
    list: &[Located<String>],
    path: &[&str],
    errors: &mut Vec<Diagnostic>,
) -> Vec<Located<Scope>> {
    let mut found: Vec<Located<Scope>> = vec![];
    let mut places: HashMap<Scope, Range<usize>> = HashMap::new();
    for (index, text) in list.iter().enumerate() {
        let Some(scope) = scope(text.clone(), errors) else {
            continue;
        };
        if let Some(earlier) = places.get(&scope.value) {
            let message = format!("`{}` is listed twice", scope.value);
            let error = Diagnostic::new(mistake::DUPLICATE_SCOPE, scope.span, message)
                .context(earlier.clone(), "first listed here");
            let title = "remove the second one";
            errors.push(if path.is_empty() {
                error.help(title)
            } else {
                let path = path.iter().map(|key| Step::from(*key)).chain([index.into()]).collect();
                error.fix(Fix::new(title, path, Change::Remove))
            });
        } else {
            places.insert(scope.value.clone(), scope.span.clone());
            found.push(scope);
        }
    }
    found
}
