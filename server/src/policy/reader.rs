//! Walks a TOML table with its spans and collects every mistake instead of stopping at the first.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::diagnostic::{Diagnostic, nearest};

/// A value with the byte range that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<T> Located<T> {
    pub(crate) fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

/// A table being read. Keys that nobody asked for are mistakes: [`finish`](Self::finish) says so.
pub(crate) struct Reader<'t, 'i> {
    table: &'t DeTable<'i>,
    /// What the table is, for messages: "`[resource]`", "the tool `create_todo`".
    what: String,
    known: Vec<&'static str>,
}

impl<'t, 'i> Reader<'t, 'i> {
    pub(crate) fn new(table: &'t DeTable<'i>, what: impl Into<String>) -> Self {
        Self { table, what: what.into(), known: vec![] }
    }

    /// The value of `key`, and from then on `key` is a known one.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Located<&'t DeValue<'i>>> {
        self.known.push(key);
        self.table.get(key).map(located)
    }

    /// Where `key` itself stands.
    pub(crate) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get_key_value(key).map(|(key, _)| key.span())
    }

    pub(crate) fn string(
        &mut self,
        key: &'static str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<String>> {
        let found = self.get(key)?;
        string(&found, &format!("`{key}`"), errors)
    }

    pub(crate) fn boolean(
        &mut self,
        key: &'static str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<bool>> {
        let found = self.get(key)?;
        if let Some(value) = found.value.as_bool() {
            return Some(Located::new(value, found.span));
        }
        errors.push(wrong_type(&found, &format!("`{key}`"), "`true` or `false`"));
        None
    }

    /// A list of strings.
    pub(crate) fn strings(
        &mut self,
        key: &'static str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<Vec<Located<String>>>> {
        let found = self.get(key)?;
        strings(&found, &format!("`{key}`"), errors)
    }

    /// One word of a fixed set.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<T>> {
        let found = self.string(key, errors)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == found.value) {
            return Some(Located::new(*value, found.span));
        }
        let all = words.iter().map(|(word, _)| *word);
        let mut error = Diagnostic::error(
            "unknown-value",
            found.span,
            format!("`{key}` cannot be \"{}\"", found.value),
        );
        if let Some(name) = nearest(&found.value, all.clone()) {
            error = error.label(format!("did you mean \"{name}\"?"));
        }
        let list = all.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        errors.push(error.help(format!("one of {list}")));
        None
    }

    /// Reports every key that was not asked for, with the nearest that could be.
    pub(crate) fn finish(self, errors: &mut Vec<Diagnostic>) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let error = Diagnostic::error(
                "unknown-key",
                key.span(),
                format!("{} has no key `{name}`", self.what),
            );
            errors.push(match nearest(name, self.known.iter().copied()) {
                Some(right) => error.label(format!("did you mean `{right}`?")),
                None => error.help(format!(
                    "known keys: {}",
                    self.known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
                )),
            });
        }
    }
}

pub(crate) fn located<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Located<&'t DeValue<'i>> {
    Located::new(value.get_ref(), value.span())
}

pub(crate) fn wrong_type(found: &Located<&DeValue<'_>>, what: &str, wanted: &str) -> Diagnostic {
    Diagnostic::error("wrong-type", found.span.clone(), format!("{what} must be {wanted}"))
        .label(format!("this is {}", with_article(found.value.type_str())))
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

pub(crate) fn string(
    found: &Located<&DeValue<'_>>,
    what: &str,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<String>> {
    if let Some(text) = found.value.as_str() {
        return Some(Located::new(text.to_owned(), found.span.clone()));
    }
    errors.push(wrong_type(found, what, "a string"));
    None
}

pub(crate) fn strings(
    found: &Located<&DeValue<'_>>,
    what: &str,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<Vec<Located<String>>>> {
    let Some(items) = found.value.as_array() else {
        errors.push(wrong_type(found, what, "a list of strings"));
        return None;
    };
    let items = items
        .iter()
        .filter_map(|item| string(&located(item), &format!("each item of {what}"), errors))
        .collect();
    Some(Located::new(items, found.span.clone()))
}
