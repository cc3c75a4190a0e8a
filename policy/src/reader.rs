//! Reads TOML tables with the places of their values. A mistake is collected, not returned, so that
//! one run reports all of them.

use std::{fmt::Display, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    mistake,
    shape::{Key, TableShape},
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

/// Reads one table by its shape. [`finish`](Self::finish) reports the keys that the shape does not
/// have.
pub(crate) struct TableReader<'t, 'i> {
    table: &'t DeTable<'i>,
    shape: &'static TableShape,
    /// The table as messages name it: "`[server]`", "the tool `create_todo`".
    what: &'t dyn Display,
}

impl<'t, 'i> TableReader<'t, 'i> {
    pub(crate) fn new(
        table: &'t DeTable<'i>,
        shape: &'static TableShape,
        what: &'t dyn Display,
    ) -> Self {
        Self { table, shape, what }
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<Located<&'t DeValue<'i>>> {
        debug_assert!(self.shape.keys.iter().any(|known| known.name == key), "{key}");
        self.table.get(key).map(located)
    }

    /// The keys of the table that are among `keys`, with their values. Goes through the table and not
    /// through `keys`, because most tables have one key.
    pub(crate) fn present(
        &self,
        keys: &'static [&'static str],
    ) -> impl Iterator<Item = (&'static str, Located<&'t DeValue<'i>>)> {
        self.table.iter().filter_map(|(key, value)| {
            let name = key.get_ref().as_ref();
            Some((*keys.iter().find(|known| **known == name)?, located(value)))
        })
    }

    /// The place of `key` itself, without its value.
    pub(crate) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get_key_value(key).map(|(key, _)| key.span())
    }

    /// A string.
    pub(crate) fn string(
        &self,
        key: &str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<String>> {
        string(&self.get(key)?, format_args!("`{key}`"), errors)
    }

    /// A string that is not blank.
    pub(crate) fn text(
        &self,
        key: &str,
        help: &str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<String>> {
        let text = self.string(key, errors)?;
        not_blank(text, format_args!("`{key}`"), help, errors)
    }

    pub(crate) fn boolean(&self, key: &str, errors: &mut Vec<Diagnostic>) -> Option<Located<bool>> {
        let found = self.get(key)?;
        if let Some(value) = found.value.as_bool() {
            return Some(Located::new(value, found.span));
        }
        errors.push(wrong_type(&found, format_args!("`{key}`"), "`true` or `false`"));
        None
    }

    /// A whole number, at least 1.
    pub(crate) fn count(&self, key: &str, errors: &mut Vec<Diagnostic>) -> Option<Located<u32>> {
        let found = self.get(key)?;
        let number = found.value.as_integer();
        let number = number.and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        if let Some(number) = number.filter(|number| *number > 0) {
            return Some(Located::new(number, found.span));
        }
        errors.push(wrong_type(&found, format_args!("`{key}`"), "a whole number, at least 1"));
        None
    }

    /// A list of strings.
    pub(crate) fn strings(
        &self,
        key: &str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<Vec<Located<String>>>> {
        strings(&self.get(key)?, format_args!("`{key}`"), errors)
    }

    /// One word of a fixed list.
    pub(crate) fn word<T: Copy>(
        &self,
        key: &str,
        words: &[(&'static str, T)],
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<T>> {
        word(&self.string(key, errors)?, format_args!("`{key}`"), words, errors)
    }

    /// A table: `[key]`, or an inline table.
    pub(crate) fn table(
        &self,
        key: &str,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Located<&'t DeTable<'i>>> {
        let found = self.get(key)?;
        if let Some(table) = found.value.as_table() {
            let span = self.key_span(key).unwrap_or(found.span);
            return Some(Located::new(table, span));
        }
        errors.push(wrong_type(&found, format_args!("`{key}`"), "a table"));
        None
    }

    /// A list of tables: `[[key]]`.
    pub(crate) fn tables(
        &self,
        key: &str,
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<Located<&'t DeTable<'i>>> {
        let Some(found) = self.get(key) else { return vec![] };
        let Some(items) = found.value.as_array() else {
            errors.push(
                wrong_type(&found, format_args!("`{key}`"), "a list of tables")
                    .help(format!("write `[[{key}]]` above each one")),
            );
            return vec![];
        };
        let mut tables = vec![];
        for item in items.iter().map(located) {
            match item.value.as_table() {
                Some(table) => tables.push(Located::new(table, item.span)),
                None => {
                    errors.push(wrong_type(&item, format_args!("each item of `{key}`"), "a table"));
                }
            }
        }
        tables
    }

    /// Reports every key that the shape does not have, with the nearest key that it has.
    pub(crate) fn finish(self, errors: &mut Vec<Diagnostic>) {
        let known = || self.shape.keys.iter().filter(|key| key.replaced_by.is_none());
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.shape.keys.iter().any(|known| known.name == name) {
                continue;
            }
            let error = Diagnostic::new(
                mistake::UNKNOWN_KEY,
                key.span(),
                format!("{} has no key `{name}`", self.what),
            );
            errors.push(match self.nearest_key(name) {
                Some(right) => error.label(format!("did you mean `{right}`?")),
                None => error.help(format!(
                    "known keys: {}",
                    known().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ")
                )),
            });
        }
    }

    /// What the misspelt keys of the table were most likely meant to be.
    pub(crate) fn misspelt(&self) -> impl Iterator<Item = &'static str> {
        let names = self.table.iter().map(|(key, _)| key.get_ref().as_ref());
        let is_known = |name: &str| self.shape.keys.iter().any(|known| known.name == name);
        names.filter(move |name| !is_known(name)).filter_map(|name| self.nearest_key(name))
    }

    /// The key that a misspelt one is nearest to. For a misspelt former name it is the new name, unless
    /// the table already has the new name.
    fn nearest_key(&self, misspelt: &str) -> Option<&'static str> {
        let meant = |key: &&Key| key.replaced_by.is_none_or(|by| !self.table.contains_key(by));
        let keys = || self.shape.keys.iter().filter(meant);
        let name = nearest(misspelt, keys().map(|key| key.name))?;
        keys().find(|key| key.name == name).map(|key| key.replaced_by.unwrap_or(name))
    }

    /// The keys that are written under a former name.
    pub(crate) fn former_names(&self) -> impl Iterator<Item = (&'static Key, Range<usize>)> {
        let former = self.shape.keys.iter().filter(|key| key.replaced_by.is_some());
        former.filter_map(|key| Some((key, self.key_span(key.name)?)))
    }
}

/// The value with its place.
pub(crate) fn located<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Located<&'t DeValue<'i>> {
    Located::new(value.get_ref(), value.span())
}

/// Whether the value is `true`. Any other value of `key` is a mistake.
pub(crate) fn is_true(
    key: &str,
    value: &Located<&DeValue<'_>>,
    help: &str,
    errors: &mut Vec<Diagnostic>,
) -> bool {
    let is_true = value.value.as_bool() == Some(true);
    if !is_true {
        let message = format!("`{key}` can only be `true`");
        errors.push(Diagnostic::new(mistake::WRONG_TYPE, value.span.clone(), message).help(help));
    }
    is_true
}

/// The mistake that a value has another type than `wanted`.
pub(crate) fn wrong_type(
    found: &Located<&DeValue<'_>>,
    what: impl Display,
    wanted: &str,
) -> Diagnostic {
    Diagnostic::new(mistake::WRONG_TYPE, found.span.clone(), format!("{what} must be {wanted}"))
        .label(format!("this is {}", with_article(found.value.type_str())))
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// The string. A value of another type is a mistake.
pub(crate) fn string(
    found: &Located<&DeValue<'_>>,
    what: impl Display,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<String>> {
    if let Some(text) = found.value.as_str() {
        return Some(Located::new(text.to_owned(), found.span.clone()));
    }
    errors.push(wrong_type(found, what, "a string"));
    None
}

/// The text, unless it is blank: that is a mistake.
pub(crate) fn not_blank(
    text: Located<String>,
    what: impl Display,
    help: &str,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<String>> {
    if text.value.trim().is_empty() {
        let message = format!("{what} is empty");
        errors.push(Diagnostic::new(mistake::EMPTY_TEXT, text.span, message).help(help));
        return None;
    }
    Some(text)
}

/// The list of strings. A value of another type, or an item of one, is a mistake.
pub(crate) fn strings(
    found: &Located<&DeValue<'_>>,
    what: impl Display,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<Vec<Located<String>>>> {
    let Some(items) = found.value.as_array() else {
        errors.push(wrong_type(found, what, "a list of strings"));
        return None;
    };
    let items = items
        .iter()
        .filter_map(|item| string(&located(item), format_args!("each item of {what}"), errors))
        .collect();
    Some(Located::new(items, found.span.clone()))
}

/// The value of a word of a fixed list. Another word is a mistake.
pub(crate) fn word<T: Copy>(
    found: &Located<String>,
    what: impl Display,
    words: &[(&'static str, T)],
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<T>> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == found.value) {
        return Some(Located::new(*value, found.span.clone()));
    }
    let all = words.iter().map(|(word, _)| *word);
    let mut error = Diagnostic::new(
        mistake::UNKNOWN_VALUE,
        found.span.clone(),
        format!("{what} cannot be \"{}\"", found.value),
    );
    if let Some(name) = nearest(&found.value, all.clone()) {
        error = error.label(format!("did you mean \"{name}\"?"));
    }
    let list = all.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    errors.push(error.help(format!("one of {list}")));
    None
}
