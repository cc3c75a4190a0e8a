//! `[[test]]` and `[[invariant]]`, as written.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{
    scopes::scopes,
    tools::{RuleEntry, read_rule},
};
use crate::{
    diagnostic::Diagnostic,
    policy::{
        mistake,
        reader::{Located, Reader, string, strings, word, wrong_type},
        scope::Scope,
        shape::{self, Behaviour, SELECTIONS},
    },
};

/// What a caller with these scopes can and cannot call.
#[derive(Debug)]
pub(crate) struct CaseEntry {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Located<Vec<Located<Scope>>>,
    pub(crate) can: Vec<Located<String>>,
    pub(crate) cannot: Vec<Located<String>>,
}

/// What holds for every set of scopes.
#[derive(Debug)]
pub(crate) struct InvariantEntry {
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<String>,
    pub(crate) tools: Located<Selection>,
    pub(crate) needs: Option<Located<RuleEntry>>,
    pub(crate) enough: Option<Located<RuleEntry>>,
}

/// Which tools an invariant is about.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    Behaviour(Behaviour),
    Named(Vec<Located<String>>),
}

pub(super) fn read(
    root: &Reader<'_, '_>,
    errors: &mut Vec<Diagnostic>,
) -> (Vec<CaseEntry>, Vec<InvariantEntry>) {
    let cases = root.tables("test", errors);
    let cases = cases.iter().filter_map(|table| read_case(table, errors)).collect();
    let invariants = root.tables("invariant", errors);
    let invariants = invariants.iter().filter_map(|table| read_invariant(table, errors)).collect();
    (cases, invariants)
}

fn read_case(table: &Located<&DeTable<'_>>, errors: &mut Vec<Diagnostic>) -> Option<CaseEntry> {
    let reader = Reader::new(table.value, &shape::CASE, "a test");
    let name = reader.text("name", "say what the test shows, or leave it out", errors);
    let list = reader.strings("scopes", errors);
    let granted = list.map(|list| Located::new(scopes(&list.value, &[], errors), list.span));
    let can = reader.strings("can", errors);
    let cannot = reader.strings("cannot", errors);
    if reader.key_span("scopes").is_none() {
        errors.push(
            missing(table, "the test does not say which scopes its caller has")
                .help("add `scopes = [\"todo:read\"]`, or `scopes = []` for a caller without any"),
        );
    }
    let names = |list: Option<Located<Vec<_>>>| list.map(|list| list.value).unwrap_or_default();
    let says_nothing = reader.key_span("can").is_none() && reader.key_span("cannot").is_none();
    if says_nothing {
        errors.push(
            missing(table, "the test says nothing")
                .help("add `can = [\"list_todos\"]` or `cannot = [\"create_todo\"]`"),
        );
    }
    reader.finish(errors);
    Some(CaseEntry {
        name: name.map(|name| name.value),
        scopes: granted?,
        can: names(can),
        cannot: names(cannot),
    })
}

fn missing(table: &Located<&DeTable<'_>>, message: &str) -> Diagnostic {
    Diagnostic::new(mistake::MISSING_KEY, table.span.clone(), message)
}

fn read_invariant(
    table: &Located<&DeTable<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<InvariantEntry> {
    let reader = Reader::new(table.value, &shape::INVARIANT, "an invariant");
    let name = reader.text("name", "say what must hold, or leave it out", errors);
    let tools = reader.get("tools");
    if tools.is_none() {
        errors.push(
            missing(table, "the invariant does not say which tools it is about")
                .help("add `tools = \"all\"`, `\"destructive\"`, or a list of names"),
        );
    }
    let tools = tools.and_then(|tools| read_selection(&tools, errors));
    if reader.key_span("needs").is_none() && reader.key_span("enough").is_none() {
        errors.push(missing(table, "the invariant says nothing").help(
            "add `needs = { write = \"todo\" }` (nobody can call them without it) or \
             `enough = { read = \"todo\" }` (everybody with it can)",
        ));
    }
    let mut rule = |key: &str| {
        let rule = reader.table(key, errors)?;
        let part = Reader::new(rule.value, &shape::RULE, format!("`{key}`"));
        let what = Located::new(key.to_owned(), rule.span.clone());
        let found = read_rule(&part, &what, &[], errors);
        part.finish(errors);
        Some(Located::new(found?, rule.span))
    };
    let (needs, enough) = (rule("needs"), rule("enough"));
    reader.finish(errors);
    let name = name.map(|name| name.value);
    Some(InvariantEntry { at: table.span.clone(), name, tools: tools?, needs, enough })
}

fn read_selection(
    tools: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<Selection>> {
    let selection = match tools.value {
        DeValue::String(_) => {
            let text = string(tools, "`tools`", errors)?;
            Selection::Behaviour(word(&text, "`tools`", SELECTIONS, errors)?.value)
        }
        DeValue::Array(_) => Selection::Named(strings(tools, "`tools`", errors)?.value),
        _ => {
            errors.push(wrong_type(tools, "`tools`", "a word or a list of names"));
            return None;
        }
    };
    Some(Located::new(selection, tools.span.clone()))
}
