//! Reads `[[test]]` and `[[invariant]]`, as written.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{
    rules::{RuleEntry, read_rule},
    scopes::scopes,
};
use crate::{
    diagnostic::Diagnostic,
    mistake,
    {
        Feature,
        reader::{Located, TableReader, string, strings, word, wrong_type},
        scope::Scope,
        shape::{self, ALL, Behaviour, SELECTIONS, TRIED},
    },
};

/// One `[[test]]` as written: what a caller with these scopes can and cannot use.
#[derive(Debug)]
pub(crate) struct CaseEntry {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Located<Vec<Located<Scope>>>,
    /// The names that the test tries, and whether its caller may use each.
    pub(crate) tried: Vec<(Feature, Located<String>, bool)>,
}

/// One `[[invariant]]` as written: what must hold for every set of scopes.
#[derive(Debug)]
pub(crate) struct InvariantEntry {
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<String>,
    pub(crate) about: Vec<(Feature, Located<Selection>)>,
    pub(crate) needs: Option<Located<RuleEntry>>,
    pub(crate) enough: Option<Located<RuleEntry>>,
}

/// Which tools, resources or prompts an invariant is about.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    Behaviour(Behaviour),
    Named(Vec<Located<String>>),
}

pub(super) fn read(
    root: &TableReader<'_, '_>,
    errors: &mut Vec<Diagnostic>,
) -> (Vec<CaseEntry>, Vec<InvariantEntry>) {
    let cases = root.tables("test", errors);
    let cases = cases.iter().filter_map(|table| read_case(table, errors)).collect();
    let invariants = root.tables("invariant", errors);
    let invariants = invariants.iter().filter_map(|table| read_invariant(table, errors)).collect();
    (cases, invariants)
}

fn read_case(table: &Located<&DeTable<'_>>, errors: &mut Vec<Diagnostic>) -> Option<CaseEntry> {
    let reader = TableReader::new(table.value, &shape::CASE, &"a test");
    let name = reader.text("name", "say what the test shows, or leave it out", errors);
    let list = reader.strings("scopes", errors);
    let granted = list.map(|list| Located::new(scopes(&list.value, &[], errors), list.span));
    let mut tried = vec![];
    for (key, feature, can) in TRIED {
        let names = reader.strings(key, errors).map(|list| list.value).unwrap_or_default();
        tried.extend(names.into_iter().map(|name| (feature, name, can)));
    }
    if reader.key_span("scopes").is_none() {
        errors.push(
            missing(table, "the test does not say which scopes its caller has")
                .help("add `scopes = [\"todo:read\"]`, or `scopes = []` for a caller without any"),
        );
    }
    if TRIED.iter().all(|(key, ..)| reader.key_span(key).is_none()) {
        errors.push(
            missing(table, "the test says nothing")
                .help("add `can = [\"list_todos\"]` or `cannot = [\"create_todo\"]`"),
        );
    }
    reader.finish(errors);
    Some(CaseEntry { name: name.map(|name| name.value), scopes: granted?, tried })
}

fn missing(table: &Located<&DeTable<'_>>, message: &str) -> Diagnostic {
    Diagnostic::new(mistake::MISSING_KEY, table.span.clone(), message)
}

fn read_invariant(
    table: &Located<&DeTable<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<InvariantEntry> {
    let reader = TableReader::new(table.value, &shape::INVARIANT, &"an invariant");
    let name = reader.text("name", "say what must hold, or leave it out", errors);
    let mut about = vec![];
    let mut is_whole = true;
    for feature in Feature::ALL {
        let Some(written) = reader.get(feature.table()) else { continue };
        match read_selection(feature, &written, errors) {
            Some(selection) => about.push((feature, selection)),
            None => is_whole = false,
        }
    }
    if about.is_empty() && is_whole {
        errors.push(
            missing(
                table,
                "the invariant does not say which tools, resources or prompts it is about",
            )
            .help("add `tools = \"all\"`, `\"destructive\"`, or a list of names"),
        );
    }
    if reader.key_span("needs").is_none() && reader.key_span("enough").is_none() {
        errors.push(missing(table, "the invariant says nothing").help(
            "add `needs = { write = \"todo\" }` (nobody can call them without it) or \
             `enough = { read = \"todo\" }` (everybody with it can)",
        ));
    }
    let mut rule = |key: &str| {
        let rule = reader.table(key, errors)?;
        let named = format!("`{key}`");
        let part = TableReader::new(rule.value, &shape::RULE, &named);
        let what = Located::new(key.to_owned(), rule.span.clone());
        let found = read_rule(&part, &what, &[], errors);
        part.finish(errors);
        Some(Located::new(found?, rule.span))
    };
    let (needs, enough) = (rule("needs"), rule("enough"));
    reader.finish(errors);
    let name = name.map(|name| name.value);
    let at = table.span.clone();
    (is_whole && !about.is_empty()).then_some(InvariantEntry { at, name, about, needs, enough })
}

fn read_selection(
    feature: Feature,
    written: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<Selection>> {
    let what = format!("`{}`", feature.table());
    let selection = match written.value {
        DeValue::String(_) => {
            let text = string(written, &what, errors)?;
            // Only tools have annotations about what they change.
            let words = if feature == Feature::Tool { SELECTIONS } else { ALL };
            Selection::Behaviour(word(&text, &what, words, errors)?.value)
        }
        DeValue::Array(_) => Selection::Named(strings(written, &what, errors)?.value),
        _ => {
            errors.push(wrong_type(written, &what, "a word or a list of names"));
            return None;
        }
    };
    Some(Located::new(selection, written.span.clone()))
}
