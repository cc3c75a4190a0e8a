//! `policy.toml` as written: every key known, every scope a scope, every place remembered.
//!
//! Nothing here looks at two entries together; that is [`compile`](super::compile)'s work.

mod scopes;
mod tools;

use std::ops::Range;

use toml::de::DeTable;

pub(super) use scopes::ScopeEntry;
pub(super) use tools::{RuleEntry, ToolEntry};

use super::{
    reader::{Located, Reader, wrong_type},
    scope::Scope,
    settings::{Check, ListMode, OnDenied, Provider},
};
use crate::diagnostic::{Diagnostic, Source};

#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) resource: Resource,
    pub(super) scopes: Vec<ScopeEntry>,
    pub(super) tools: Vec<ToolEntry>,
    /// Where a missing tool would be added: the `[tools]` header, or the end of the file.
    pub(super) tools_at: Range<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Resource {
    pub(super) url: Option<Located<String>>,
    pub(super) provider: Provider,
    pub(super) list: ListMode,
    pub(super) on_denied: OnDenied,
    pub(super) check: Check,
    pub(super) registered: Option<Located<Vec<Located<Scope>>>>,
}

/// Reads the manifest; every mistake goes to `errors`. `None` if the file is not TOML.
pub(super) fn read(source: &Source, errors: &mut Vec<Diagnostic>) -> Option<Manifest> {
    let (document, syntax_errors) = DeTable::parse_recoverable(source.text());
    let end = source.text().len()..source.text().len();
    errors.extend(syntax_errors.iter().map(|error| {
        let message = format!("invalid TOML: {}", error.message());
        Diagnostic::error("invalid-toml", error.span().unwrap_or(end.clone()), message)
            .help("correct this first: nothing else in the file could be checked")
    }));
    if !syntax_errors.is_empty() {
        // What a recovered document seems to lack may only be lost to the syntax error.
        return None;
    }

    let mut root = Reader::new(document.get_ref(), "the policy");
    read_version(&mut root, end.clone(), errors);
    let mut manifest = Manifest { tools_at: end, ..Manifest::default() };
    if let Some((table, _)) = table(&mut root, "resource", errors) {
        manifest.resource = read_resource(table, errors);
    }
    if let Some((table, _)) = table(&mut root, "scopes", errors) {
        manifest.scopes = scopes::read_scopes(table, errors);
    }
    if let Some((table, header)) = table(&mut root, "tools", errors) {
        manifest.tools_at = header;
        manifest.tools = tools::read_tools(table, errors);
    }
    root.finish(errors);
    Some(manifest)
}

fn table<'t, 'i>(
    root: &mut Reader<'t, 'i>,
    key: &'static str,
    errors: &mut Vec<Diagnostic>,
) -> Option<(&'t DeTable<'i>, Range<usize>)> {
    let found = root.get(key)?;
    if let Some(table) = found.value.as_table() {
        return Some((table, root.key_span(key).unwrap_or(found.span)));
    }
    errors.push(wrong_type(&found, &format!("`{key}`"), "a table"));
    None
}

fn read_version(root: &mut Reader<'_, '_>, end: Range<usize>, errors: &mut Vec<Diagnostic>) {
    match root.get("version") {
        None => errors.push(
            Diagnostic::error("missing-version", end, "the policy does not say its version")
                .help("add `version = 1` as the first line"),
        ),
        Some(found) => match found.value.as_integer() {
            Some(version) if version.as_str() == "1" && version.radix() == 10 => {}
            Some(_) => errors.push(
                Diagnostic::error("unknown-version", found.span, "this version is not known here")
                    .help("write `version = 1`, or use a newer release of Scopeward"),
            ),
            None => errors.push(wrong_type(&found, "`version`", "the number 1")),
        },
    }
}

fn read_resource(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Resource {
    let mut reader = Reader::new(table, "`[resource]`");
    let resource = Resource {
        url: reader.string("url", errors),
        provider: word(&mut reader, "provider", Provider::WORDS, errors),
        list: word(&mut reader, "list", ListMode::WORDS, errors),
        on_denied: word(&mut reader, "on_denied", OnDenied::WORDS, errors),
        check: word(&mut reader, "check", Check::WORDS, errors),
        registered: reader
            .strings("registered", errors)
            .map(|list| Located::new(scopes::scopes(&list.value, errors), list.span)),
    };
    reader.finish(errors);
    resource
}

fn word<T: Copy + Default>(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
    words: &[(&'static str, T)],
    errors: &mut Vec<Diagnostic>,
) -> T {
    reader.word(key, words, errors).map(|word| word.value).unwrap_or_default()
}
