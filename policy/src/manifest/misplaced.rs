//! Finds rules, scopes and the version that stand in a wrong table, because TOML gives every line to
//! the last header above it.

use std::{collections::HashMap, ops::Range};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use crate::{
    Feature,
    diagnostic::{Diagnostic, Fix},
    mistake,
    shape::{self, RULES, TableShape},
    toml_key::toml_key,
};

/// Entries that stand in the same wrong table, one below the other.
#[derive(Debug)]
struct Group {
    belongs_in: &'static str,
    /// The header that they stand below; `None` above the first header.
    header: Option<(String, Range<usize>)>,
    entries: Vec<Misplaced>,
}

/// One entry in a wrong table.
#[derive(Debug)]
struct Misplaced {
    name: String,
    key: Range<usize>,
    end: usize,
}

/// The names that stand in a wrong table, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each name with the table that it belongs in.
    pub(super) names: Vec<(&'static str, String)>,
    errors: Vec<Diagnostic>,
    /// The places of the entries, in order. INVARIANT: none overlaps another.
    extents: Vec<Range<usize>>,
}

impl Found {
    /// Whether a place in the file belongs to one of the entries.
    pub(super) fn contains(&self, at: usize) -> bool {
        // The last extent that begins at or before the place, because no two overlap.
        let after = self.extents.partition_point(|extent| extent.start <= at);
        let before = after.checked_sub(1).and_then(|index| self.extents.get(index));
        before.is_some_and(|extent| extent.contains(&at))
    }

    /// Replaces the other mistakes about these entries, which have the same cause.
    pub(super) fn explain(self, errors: &mut Vec<Diagnostic>) {
        if self.errors.is_empty() {
            return;
        }
        errors.retain(|error| !self.contains(error.span().start));
        errors.extend(self.errors);
    }
}

/// Finds every entry that stands in a wrong table.
pub(super) fn find(document: &DeTable<'_>, text: &str) -> Found {
    let mut search = Search { groups: vec![], numbers: HashMap::new() };
    search.table(document, &shape::POLICY, &None);
    for (name, value) in document {
        let name_text: &str = name.get_ref();
        let header = |text: String| Some((text, name.span()));
        match name_text {
            "server" | "resource" => {
                let Some(table) = value.get_ref().as_table() else { continue };
                search.table(table, &shape::SERVER, &header(format!("[{name_text}]")));
                search.list(table.get("also"), &shape::ALSO, &format!("[[{name_text}.also]]"));
            }
            "lint" => search.free(value, &[], &header("[lint]".to_owned())),
            "test" => search.list(Some(value), &shape::CASE, "[[test]]"),
            "invariant" => search.list(Some(value), &shape::INVARIANT, "[[invariant]]"),
            "client" => search.list(Some(value), &shape::CLIENT, "[[client]]"),
            "scopes" => {
                search.free(value, &["title"], &header("[scopes]".to_owned()));
                search.entries(value, "scopes", &shape::SCOPE);
            }
            "tools" | "resources" | "prompts" => {
                search.among_rules(value, name_text, &header(format!("[{name_text}]")));
                search.entries(value, name_text, &shape::OPERATION);
            }
            _ => {}
        }
    }
    search.report(document, text)
}

struct Search {
    groups: Vec<Group>,
    /// The number of each group, by the table that it belongs in and the place of its header.
    numbers: HashMap<(&'static str, Option<Range<usize>>), usize>,
}

type Header = Option<(String, Range<usize>)>;

impl Search {
    /// Looks at the keys that the shape does not have.
    fn table(&mut self, table: &DeTable<'_>, shape: &TableShape, header: &Header) {
        for (key, value) in table {
            if shape.keys.iter().any(|known| known.name == key.get_ref().as_ref()) {
                continue;
            }
            if let Some(belongs_in) = belongs_in(key.get_ref(), value.get_ref()) {
                self.push(key, value, belongs_in, header);
            }
        }
    }

    /// Looks at each table of a list.
    fn list(&mut self, value: Option<&Spanned<DeValue<'_>>>, shape: &TableShape, header: &str) {
        let items = value.and_then(|value| value.get_ref().as_array());
        for item in items.into_iter().flat_map(|items| items.iter()) {
            if let Some(table) = item.get_ref().as_table() {
                self.table(table, shape, &Some((header.to_owned(), item.span())));
            }
        }
    }

    /// Looks at a table with any keys, for values that are rules. A table with one of `except` is
    /// something else.
    fn free(&mut self, value: &Spanned<DeValue<'_>>, except: &[&str], header: &Header) {
        for (key, value) in value.get_ref().as_table().into_iter().flat_map(|table| table.iter()) {
            let is_other = value
                .get_ref()
                .as_table()
                .is_none_or(|table| except.iter().any(|key| table.contains_key(*key)));
            if !is_other && let Some(belongs_in) = belongs_in(key.get_ref(), value.get_ref()) {
                self.push(key, value, belongs_in, header);
            }
        }
    }

    /// Looks into each entry of a table, and into its lists and tables.
    fn entries(&mut self, value: &Spanned<DeValue<'_>>, table: &str, shape: &TableShape) {
        for (key, value) in value.get_ref().as_table().into_iter().flat_map(|table| table.iter()) {
            let Some(entry) = value.get_ref().as_table() else { continue };
            let name = format!("{table}.{}", toml_key(key.get_ref()));
            self.table(entry, shape, &Some((format!("[{name}]"), key.span())));
            self.list(entry.get("when"), &shape::WHEN, &format!("[[{name}.when]]"));
            if let Some((allow, reasons)) = entry.get_key_value("allow") {
                self.free(reasons, &[], &Some((format!("[{name}.allow]"), allow.span())));
            }
        }
    }

    /// Looks for titles of scopes, and for rules of another feature, among the rules of a feature. Tools
    /// and prompts have names of the same kind.
    fn among_rules(&mut self, value: &Spanned<DeValue<'_>>, feature: &str, header: &Header) {
        for (key, value) in value.get_ref().as_table().into_iter().flat_map(|table| table.iter()) {
            let belongs_in = belongs_in(key.get_ref(), value.get_ref());
            let is_here = |table: &str| match table {
                "tools" => feature != "resources",
                table => table == feature,
            };
            if let Some(table) = belongs_in.filter(|table| !is_here(table)) {
                self.push(key, value, table, header);
            }
        }
    }

    fn push(
        &mut self,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        belongs_in: &'static str,
        header: &Header,
    ) {
        let entry = Misplaced {
            name: key.get_ref().to_string(),
            key: key.span(),
            end: value.span().end.max(key.span().end),
        };
        let key = (belongs_in, header.as_ref().map(|(_, at)| at.clone()));
        let number = *self.numbers.entry(key).or_insert(self.groups.len());
        if let Some(group) = self.groups.get_mut(number) {
            group.entries.push(entry);
        } else {
            let header = header.clone();
            self.groups.push(Group { belongs_in, header, entries: vec![entry] });
        }
    }

    fn report(self, document: &DeTable<'_>, text: &str) -> Found {
        let mut found = Found::default();
        let mut written: HashMap<&str, bool> = HashMap::new();
        for mut group in self.groups {
            group.entries.sort_by_key(|entry| entry.key.start);
            let table = group.belongs_in;
            let is_there =
                *written.entry(table).or_insert_with(|| is_written(document, text, table));
            // `version` in another table is misplaced only if it is missing at the top.
            if table == "version" && is_there {
                continue;
            }
            // Below `[resources]` it is a tool, or a resource whose URI is wrong, which is reported.
            let is_uri = |header: &(String, Range<usize>)| header.0 == "[resources]";
            if table == "tools" && is_there && group.header.as_ref().is_some_and(is_uri) {
                found.names.extend(group.entries.into_iter().map(|entry| (table, entry.name)));
                continue;
            }
            found.extents.extend(group.entries.iter().map(|entry| entry.key.start..entry.end));
            found
                .names
                .extend(group.entries.iter().map(|one| (group.belongs_in, one.name.clone())));
            found.errors.extend(group.error(is_there));
        }
        found.extents = merged(found.extents);
        found
    }
}

/// Whether the text has the header of a table, or the table itself in braces.
fn is_written(document: &DeTable<'_>, text: &str, table: &str) -> bool {
    // `[tools.create_todo]` makes `tools` without a header of its own.
    let header = format!("[{table}]");
    let is_header = |line: &str| line.trim_start().starts_with(&header);
    let is_inline =
        |line: &str| line.trim_start().trim_start_matches(['"', '\'']).starts_with(table);
    document.contains_key(table) && text.lines().any(|line| is_header(line) || is_inline(line))
}

/// The same places in their order, with those that overlap as one.
fn merged(mut extents: Vec<Range<usize>>) -> Vec<Range<usize>> {
    extents.sort_by_key(|extent| extent.start);
    let mut merged: Vec<Range<usize>> = vec![];
    for extent in extents {
        match merged.last_mut() {
            Some(last) if extent.start < last.end => last.end = last.end.max(extent.end),
            _ => merged.push(extent),
        }
    }
    merged
}

impl Group {
    fn error(&self, is_there: bool) -> Option<Diagnostic> {
        let first = self.entries.first()?;
        let name = &first.name;
        let (subject, stands, it) = match self.entries.len() {
            1 => (format!("`{name}`"), "stands", "it"),
            2 => (format!("`{name}` and another one"), "stand", "them"),
            more => (format!("`{name}` and {} others", more - 1), "stand", "them"),
        };
        let Self { belongs_in, header, .. } = self;
        let place = match header {
            Some((header, _)) => format!("below `{header}`"),
            None => "above the first header".to_owned(),
        };
        let message = match header {
            Some(_) => format!("{subject} {stands} {place}, so TOML reads {it} as a part of that"),
            None => format!("{subject} {stands} {place}, and belongs in `[{belongs_in}]`"),
        };
        let (kind, help) = match *belongs_in {
            "version" => (mistake::MISSING_VERSION, "move it to the first line".to_owned()),
            table if is_there => (
                mistake::UNKNOWN_KEY,
                format!("move {it} to the other lines below `[{table}]`, above the next header"),
            ),
            table => (mistake::UNKNOWN_KEY, format!("write the header `[{table}]` above {it}")),
        };
        let error = Diagnostic::new(kind, first.key.clone(), message);
        let error = match header {
            Some((_, at)) if at.end <= first.key.start => {
                error.context(at.clone(), "every line after this header is a part of it")
            }
            _ => error,
        };
        Some(match (*belongs_in, is_there, header) {
            // Without the header the lines are in the right order, and only its line is missing.
            ("version", ..) | (_, true, _) | (_, false, None) => error.help(help),
            (table, false, Some(_)) => error.fix(Fix::text(
                format!("write the header `[{table}]` above {it}"),
                first.key.start..first.key.start,
                format!("[{table}]\n"),
            )),
        })
    }
}

/// The table that an entry belongs in, if its value shows that.
fn belongs_in(name: &str, value: &DeValue<'_>) -> Option<&'static str> {
    match value {
        DeValue::Table(table) if table.contains_key("title") => Some("scopes"),
        DeValue::Table(table) if RULES.iter().any(|rule| table.contains_key(*rule)) => {
            let is_uri = name.contains("://");
            let feature = if is_uri { Feature::Resource } else { Feature::Tool };
            Some(feature.table())
        }
        DeValue::String(_) if name.contains(':') && !name.contains("://") => Some("scopes"),
        DeValue::Integer(_) if name == "version" => Some("version"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
