//! Reads `policy.toml` as written: checks each key and each value, and keeps their places.
//!
//! Checks that need two entries of the file, such as whether a scope is defined, are in
//! [`compile`](super::compile).

mod assertions;
mod clients;
mod misplaced;
mod rules;
mod scopes;
mod server;

use std::ops::Range;

use toml::de::DeTable;

pub(crate) use assertions::{CaseEntry, GivenObject, InvariantEntry, Selection, Tried};
pub(crate) use clients::ClientEntry;
pub(crate) use rules::{Entry, RuleEntry, meant_by_conditions};
pub(crate) use scopes::ScopeEntry;
pub(crate) use server::Server;

use super::{
    Feature,
    claims::{ClaimType, Claims},
    mistake,
    reader::{Located, TableReader, string, word, wrong_type},
    shape::{self, LEVELS, Level, ValueKind},
};
use crate::diagnostic::{Diagnostic, Fix, Source, Step};

/// A policy file as written.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) server: Server,
    pub(crate) scopes: Vec<ScopeEntry>,
    /// The names in `[scopes]` that are not scopes.
    pub(crate) invalid_scopes: Vec<String>,
    /// The rules of all features, in the order of the file within each feature.
    pub(crate) rules: Vec<Entry>,
    /// Where a missing rule would be added, by feature: the table's header, or the end of the file.
    pub(crate) tables_at: [Range<usize>; 3],
    pub(crate) clients: Vec<ClientEntry>,
    /// The claims that `[claims]` lists; `None` without that table.
    pub(crate) claims: Option<Claims>,
    pub(crate) levels: Vec<(Located<String>, Level)>,
    pub(crate) cases: Vec<CaseEntry>,
    pub(crate) invariants: Vec<InvariantEntry>,
    /// The keys and tables that are written under a former name.
    pub(crate) former_names: Vec<FormerName>,
    /// The names that stand in a wrong table, each with the table that it belongs in.
    pub(crate) misplaced: Vec<(&'static str, String)>,
    /// The tables that the file has under a misspelt name.
    pub(crate) misspelt_tables: Vec<&'static str>,
}

/// A key or a table that is written under a former name.
#[derive(Debug)]
pub(crate) struct FormerName {
    pub(crate) path: Vec<Step>,
    pub(crate) name: &'static str,
    pub(crate) by: &'static str,
    pub(crate) is_table: bool,
    /// Whether the key stands there under its new name as well.
    pub(crate) is_both: bool,
    pub(crate) span: Range<usize>,
}

/// One entry of an `allow` whose reason was given: the lint that it silences.
#[derive(Debug)]
pub(crate) struct Allow {
    pub(crate) lint: Located<String>,
}

/// Parses a text that [`syntax::repair`](crate::syntax::repair) has made readable.
fn document(source: &Source) -> DeTable<'_> {
    DeTable::parse_recoverable(source.text()).0.into_inner()
}

/// Reads a policy file. Every mistake goes to `errors`.
pub(super) fn read(source: &Source, errors: &mut Vec<Diagnostic>) -> Manifest {
    let document = document(source);
    let end = source.text().len()..source.text().len();
    let root = TableReader::new(&document, &shape::POLICY, &"the policy");
    read_version(&root, source.text(), errors);
    let tables_at = [end.clone(), end.clone(), end];
    let mut manifest = Manifest { tables_at, ..Manifest::default() };
    manifest.server = read_server(&root, errors);
    manifest.server.has_unread_url |=
        root.misspelt().any(|meant| ["server", "resource"].contains(&meant))
            || manifest.server.header.is_none() && root.key_span("server").is_some();
    manifest.former_names = former_names(&root, &[]);
    manifest.former_names.append(&mut manifest.server.former_names);
    if let Some(table) = root.table("scopes", errors) {
        (manifest.scopes, manifest.invalid_scopes) = scopes::read_scopes(table.value, errors);
    }
    for feature in Feature::ALL {
        if let Some(table) = root.table(feature.table(), errors) {
            manifest.tables_at[feature.index()] = table.span;
            manifest.rules.extend(rules::read(feature, table.value, errors));
        }
    }
    manifest.misspelt_tables = root.misspelt().collect();
    manifest.claims = root.table("claims", errors).map(|table| read_claims(table.value, errors));
    if let Some(table) = root.table("lint", errors) {
        manifest.levels = read_levels(table.value, errors);
    }
    let clients = root.tables("client", errors);
    manifest.clients = clients::read(&clients, errors);
    clients::without_effect(&clients, manifest.server.trust.provider(), errors);
    (manifest.cases, manifest.invariants) = assertions::read(&root, errors);
    root.finish(errors);
    let misplaced = misplaced::find(&document, source.text());
    manifest.misplaced.clone_from(&misplaced.names);
    if misplaced.names.iter().any(|(table, _)| *table == "version") {
        errors.retain(|error| error.kind() != mistake::MISSING_VERSION);
    }
    manifest.rules.retain(|entry| !misplaced.contains(entry.name.span.start));
    misplaced.explain(errors);
    manifest
}

/// Reads a file that has only tests and invariants.
pub(super) fn read_test_file(
    source: &Source,
    errors: &mut Vec<Diagnostic>,
) -> (Vec<CaseEntry>, Vec<InvariantEntry>) {
    let document = document(source);
    let root = TableReader::new(&document, &shape::TEST_FILE, &"a test file");
    let found = assertions::read(&root, errors);
    root.finish(errors);
    found
}

/// The server's URL as a policy file writes it, even if other lines of the file are not TOML.
///
/// ```
/// use scopeward_policy::{diagnostic::Source, written_url};
///
/// let source = Source::new("policy.toml", "[server]\nurl = \"http://localhost/mcp\"\n[tools\n");
/// assert_eq!(written_url(&source).as_deref(), Some("http://localhost/mcp"));
/// ```
pub fn written_url(source: &Source) -> Option<String> {
    let (document, _) = DeTable::parse_recoverable(source.text());
    let root = document.get_ref();
    let server = root.get("server").or_else(|| root.get("resource"))?.get_ref().as_table()?;
    server.get("url")?.get_ref().as_str().map(str::to_owned)
}

/// Reads `[server]`, or the same table under its former name `[resource]`. Both at once are a
/// mistake, because a setting that differs between them would have to be guessed.
fn read_server(root: &TableReader<'_, '_>, errors: &mut Vec<Diagnostic>) -> Server {
    let mut read = |name| -> Option<Server> {
        let table = root.table(name, errors)?;
        Some(server::read(name, &table, errors))
    };
    match (read("server"), read("resource")) {
        (Some(now), Some(former)) => {
            let message = "`[server]` and `[resource]`, its former name, are both there";
            errors.push(
                Diagnostic::new(mistake::TWO_SERVERS, former.span(), message)
                    .context(now.span(), "`[server]` is here")
                    .help("move the keys of `[resource]` into `[server]`, and remove `[resource]`"),
            );
            // A URL that stands only in `[resource]` is not missing as well.
            let url = now.url.or(former.url);
            Server { url, ..now }
        }
        (one, other) => one.or(other).unwrap_or_default(),
    }
}

/// The keys of the table at `parents` that are written under a former name.
fn former_names(reader: &TableReader<'_, '_>, parents: &[&str]) -> Vec<FormerName> {
    let keys = reader.former_names().filter_map(|(key, span)| {
        let by = key.replaced_by?;
        Some(FormerName {
            path: parents.iter().chain([&key.name]).map(|key| Step::from(*key)).collect(),
            name: key.name,
            by,
            is_table: matches!(key.takes, ValueKind::Table(_)),
            is_both: reader.key_span(by).is_some(),
            span,
        })
    });
    keys.collect()
}

fn read_version(root: &TableReader<'_, '_>, text: &str, errors: &mut Vec<Diagnostic>) {
    match root.get("version") {
        // A misspelt one is reported as an unknown key.
        None if root.misspelt().any(|meant| meant == "version") => {}
        None => {
            let (at, blank) = above_everything(text);
            let fix = Fix::text(
                "write `version = 1` above everything else",
                at..at,
                format!("version = 1\n{blank}"),
            );
            let message = "the policy does not say its version";
            errors.push(Diagnostic::new(mistake::MISSING_VERSION, 0..0, message).fix(fix));
        }
        Some(found) => match found.value.as_integer() {
            Some(version) if version.as_str() == "1" && version.radix() == 10 => {}
            Some(_) => errors.push(
                Diagnostic::new(
                    mistake::UNKNOWN_VERSION,
                    found.span,
                    "this version is not known here",
                )
                .help("write `version = 1`, or use a newer release of Scopeward"),
            ),
            None => errors.push(wrong_type(&found, "`version`", "the number 1")),
        },
    }
}

fn read_claims(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Claims {
    let mut claims = Claims::default();
    for (key, value) in table {
        let name = key.get_ref().to_string();
        let what = format!("the type of the claim `{name}`");
        let kind = string(&super::reader::located(value), &what, errors)
            .and_then(|kind| word(&kind, &what, ClaimType::WORDS, errors));
        // A claim whose type has a mistake is listed all the same, so that its uses are not reported.
        claims.insert(name, kind.map_or(ClaimType::Any, |kind| kind.value));
    }
    claims
}

/// Where a key goes above everything else: after the comment that the file begins with, and above the
/// comment of the first header; and the blank line that goes between, if any.
fn above_everything(text: &str) -> (usize, &'static str) {
    let mut at = 0;
    let mut block = 0;
    let mut is_block = false;
    for line in text.split_inclusive('\n') {
        let written = line.trim();
        if !written.is_empty() && !written.starts_with('#') {
            let blank = if written.starts_with('[') { "\n" } else { "" };
            // A comment at the very start is about the file.
            return if is_block && block > 0 { (block, blank) } else { (at, blank) };
        }
        if !is_block {
            block = at;
        }
        is_block = !written.is_empty();
        at += line.len();
    }
    (if text.is_empty() || text.ends_with('\n') { at } else { 0 }, "")
}

fn read_levels(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Vec<(Located<String>, Level)> {
    let mut levels = vec![];
    for (key, value) in table {
        let lint = Located::new(key.get_ref().to_string(), key.span());
        let what = format!("`{}`", lint.value);
        let value = string(&super::reader::located(value), &what, errors);
        if let Some(level) = value.and_then(|value| word(&value, &what, LEVELS, errors)) {
            levels.push((lint, level.value));
        }
    }
    levels
}

/// Reads the `allow = { lint = "reason" }` of a scope or a rule.
fn read_allow(reader: &TableReader<'_, '_>, errors: &mut Vec<Diagnostic>) -> Vec<Allow> {
    let Some(table) = reader.table("allow", errors) else { return vec![] };
    let mut allowed = vec![];
    for (key, value) in table.value {
        let lint = Located::new(key.get_ref().to_string(), key.span());
        let what = format!("the reason of `{}`", lint.value);
        let reason = string(&super::reader::located(value), &what, errors);
        let help = "say why this finding is meant";
        if reason.and_then(|reason| super::reader::not_blank(reason, &what, help, errors)).is_some()
        {
            allowed.push(Allow { lint });
        }
    }
    allowed
}
