//! Reads `[[test]]` and `[[invariant]]`, as written.

mod given;

use std::ops::Range;

use toml::de::{DeTable, DeValue};

pub(crate) use given::GivenObject;

use super::{
    rules::{RuleEntry, read_rule},
    scopes::scopes,
};
use crate::{
    diagnostic::Diagnostic,
    mistake,
    {
        Feature,
        reader::{
            Located, TableReader, is_true, located, not_blank, string, strings, word, wrong_type,
        },
        scope::Scope,
        shape::{self, ALL, Behaviour, SELECTIONS, TRIED, TableShape},
    },
};

/// One `[[test]]` as written: what a caller with these scopes can and cannot use.
#[derive(Debug)]
pub(crate) struct CaseEntry {
    pub(crate) name: Option<String>,
    /// The scopes of the caller's token. None if the caller has no token.
    pub(crate) scopes: Located<Vec<Located<Scope>>>,
    /// Whether the caller has no token.
    pub(crate) is_anonymous: bool,
    /// The claims of the caller. `None` stands for any claims.
    pub(crate) claims: Option<GivenObject>,
    pub(crate) tried: Vec<Tried>,
}

/// One use that a test tries: of which it says whether its caller may.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) feature: Feature,
    pub(crate) name: Located<String>,
    /// `None` stands for any arguments. A resource has none: they are in its URI.
    pub(crate) arguments: Option<GivenObject>,
    /// Whether the caller can use it.
    pub(crate) can: bool,
}

/// One `[[invariant]]` as written: what must hold for every set of scopes.
#[derive(Debug)]
pub(crate) struct InvariantEntry {
    pub(crate) at: Range<usize>,
    pub(crate) name: Option<String>,
    pub(crate) about: Vec<(Feature, Located<Selection>)>,
    /// The claims of the callers that it is about. `None` stands for any claims.
    pub(crate) claims: Option<GivenObject>,
    /// The arguments of the calls that it is about. `None` stands for any arguments.
    pub(crate) arguments: Option<GivenObject>,
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
    let claims = given::claims(&reader, errors);
    let arguments = given::arguments(&reader, errors);
    let mut tried = vec![];
    for (key, feature, can) in TRIED {
        let Some(list) = reader.get(key) else { continue };
        for (name, own) in read_tried(key, feature, &list, errors) {
            // The values in a resource's URI are its arguments.
            let of_test = arguments.as_ref().ok().filter(|_| feature != Feature::Resource);
            let arguments = own.or_else(|| of_test.cloned().flatten());
            tried.push(Tried { feature, name, arguments, can });
        }
    }
    if let Ok(Some(arguments)) = &arguments {
        let features = TRIED.iter().filter(|(key, ..)| reader.key_span(key).is_some());
        only_of_resources(arguments, features.map(|(_, feature, _)| *feature), errors);
    }
    let anonymous = read_anonymous(&reader, errors);
    match (reader.key_span("scopes"), &anonymous) {
        (None, None) => {
            errors.push(missing(table, "the test does not say which scopes its caller has").help(
                "add `scopes = [\"todo:read\"]`, `scopes = []` for a caller without any, or \
                 `anonymous = true` for a caller without a token",
            ));
        }
        (Some(scopes), Some(anonymous)) => {
            let (at, message) = (anonymous.span.clone(), "a caller without a token has no scopes");
            let error = Diagnostic::new(mistake::TWO_RULES, at, message);
            errors.push(error.context(scopes, "the scopes").help("keep one of them"));
        }
        _ => {}
    }
    if TRIED.iter().all(|(key, ..)| reader.key_span(key).is_none()) {
        errors.push(
            missing(table, "the test says nothing")
                .help("add `can = [\"list_todos\"]` or `cannot = [\"create_todo\"]`"),
        );
    }
    reader.finish(errors);
    // A test without its claims or its arguments would be another test.
    arguments.ok()?;
    let claims = claims.ok()?;
    let is_anonymous = anonymous.is_some();
    let scopes = granted.or(anonymous.map(|anonymous| Located::new(vec![], anonymous.span)))?;
    Some(CaseEntry { name: name.map(|name| name.value), scopes, is_anonymous, claims, tried })
}

/// The value of `anonymous`, if it is written. It can only be `true`.
fn read_anonymous(
    reader: &TableReader<'_, '_>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Located<()>> {
    let written = reader.get("anonymous")?;
    let help = "write `scopes = [\"todo:read\"]` for a caller with a token";
    is_true("anonymous", &written, help, errors);
    Some(Located::new((), written.span))
}

/// Reads one list of what a test tries: each a name, or a table with a name and arguments.
fn read_tried(
    key: &str,
    feature: Feature,
    list: &Located<&DeValue<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Vec<(Located<String>, Option<GivenObject>)> {
    let what = format!("`{key}`");
    let (shape, named): (Option<&'static TableShape>, &str) = match feature {
        Feature::Tool => (Some(&shape::TRIED_TOOL), "tool"),
        Feature::Prompt => (Some(&shape::TRIED_PROMPT), "prompt"),
        Feature::Resource => (None, "resource"),
    };
    let Some(items) = list.value.as_array() else {
        errors.push(wrong_type(list, &what, "a list"));
        return vec![];
    };
    let mut tried = vec![];
    for item in items.iter().map(located) {
        match (item.value, shape) {
            (DeValue::Table(table), Some(shape)) => {
                let whose = format!("an entry of {what}");
                let reader = TableReader::new(table, shape, &whose);
                let help = format!("write the {named}'s name: `{{ {named} = \"…\", arguments = {{ … }} }}`");
                let name = reader.text(named, &help, errors);
                if reader.get(named).is_none() && !reader.misspelt().any(|meant| meant == named) {
                    let message = format!("{whose} does not say which {named} it tries");
                    let error = Diagnostic::new(mistake::MISSING_KEY, item.span.clone(), message);
                    errors.push(error.help(help));
                }
                let arguments = given::arguments(&reader, errors);
                reader.finish(errors);
                if let (Some(name), Ok(arguments)) = (name, arguments) {
                    tried.push((name, arguments));
                }
            }
            (DeValue::Table(_), None) => errors.push(
                wrong_type(&item, format_args!("each item of {what}"), "a URI")
                    .help("write the URI with its values, because they are the arguments: `\"note://items/7\"`"),
            ),
            (DeValue::String(text), _) => {
                let name = Located::new(text.to_string(), item.span);
                let each = format!("an item of {what}");
                let help = format!("name a {named}, or remove it");
                tried.extend(not_blank(name, each, &help, errors).map(|name| (name, None)));
            }
            (_, Some(_)) => errors.push(wrong_type(
                &item,
                format_args!("each item of {what}"),
                &format!("a name or `{{ {named} = \"…\", arguments = {{ … }} }}`"),
            )),
            (_, None) => {
                errors.push(wrong_type(&item, format_args!("each item of {what}"), "a URI"));
            }
        }
    }
    tried
}

/// Reports `arguments` that nothing takes, because there are only resources.
fn only_of_resources(
    arguments: &GivenObject,
    mut features: impl Iterator<Item = Feature>,
    errors: &mut Vec<Diagnostic>,
) {
    if features.all(|feature| feature == Feature::Resource) {
        let message = "`arguments` are for tools and prompts, and there is none here";
        let error = Diagnostic::new(mistake::INVALID_CALL, arguments.span.clone(), message);
        errors.push(error.help(
            "name a resource by its URI with the values in it, because they are its arguments: \
             `\"note://items/7\"`",
        ));
    }
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
    let claims = given::claims(&reader, errors);
    let arguments = given::arguments(&reader, errors);
    if let Ok(Some(arguments)) = &arguments
        && !about.is_empty()
    {
        only_of_resources(arguments, about.iter().map(|(feature, _)| *feature), errors);
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
    let (claims, arguments) = (claims.ok()?, arguments.ok()?);
    (is_whole && !about.is_empty()).then_some(InvariantEntry {
        at,
        name,
        about,
        claims,
        arguments,
        needs,
        enough,
    })
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
