//! Reads `[server]`, the settings of the server that the policy protects.

use std::ops::Range;

use toml::de::DeTable;

use super::{FormerName, scopes};
use crate::{
    diagnostic::Diagnostic,
    mistake,
    {
        provider::{Provider, ProviderSettings},
        reader::{Located, TableReader},
        scope::Scope,
        settings::{AuditMode, ListMode, OnDenied, StartupCheck},
        shape,
    },
};

/// The settings of the server that the policy protects.
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The name that the table is written under, `server` or `resource`; `None` without a table.
    pub(crate) header: Option<Located<&'static str>>,
    pub(crate) url: Option<Located<String>>,
    /// Whether there is no URL because of another mistake: of its type, or of the spelling of `url` or
    /// of `[server]`.
    pub(crate) has_unread_url: bool,
    pub(crate) trust: ProviderSettings,
    pub(crate) also: Vec<ProviderSettings>,
    /// Every `issuer` that is written, of the provider and of the further ones.
    pub(crate) issuers: Vec<Located<String>>,
    pub(crate) list: ListMode,
    pub(crate) on_denied: OnDenied,
    pub(crate) audit: AuditMode,
    pub(crate) check: StartupCheck,
    pub(crate) origins: Vec<Located<String>>,
    pub(crate) registered: Option<Located<Vec<Located<Scope>>>>,
    pub(crate) snapshot_days: Option<u32>,
    pub(crate) former_names: Vec<FormerName>,
}

impl Server {
    /// Where the table begins, for findings about the server as a whole.
    pub(crate) fn span(&self) -> Range<usize> {
        self.header.as_ref().map(|header| header.span.clone()).unwrap_or_default()
    }
}

/// Reads the table that is written under `name`: `server`, or its former name `resource`.
pub(super) fn read(
    name: &'static str,
    table: &Located<&DeTable<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Server {
    let what = format!("`[{name}]`");
    let reader = TableReader::new(table.value, &shape::SERVER, &what);
    let former = word(&reader, "check", StartupCheck::WORDS, errors);
    let mut issuers = vec![];
    let server = Server {
        header: Some(Located::new(name, table.span.clone())),
        former_names: super::former_names(&reader, &[name]),
        has_unread_url: reader.key_span("url").is_some()
            || reader.misspelt().any(|meant| meant == "url"),
        url: reader.string("url", errors),
        trust: trust(
            name,
            &reader,
            word(&reader, "provider", Provider::words(), errors),
            &mut issuers,
            errors,
        ),
        also: also(name, &reader, &mut issuers, errors),
        issuers,
        list: word(&reader, "list", ListMode::WORDS, errors).unwrap_or_default(),
        on_denied: word(&reader, "on_denied", OnDenied::WORDS, errors).unwrap_or_default(),
        audit: word(&reader, "audit", AuditMode::WORDS, errors).unwrap_or_default(),
        check: word(&reader, "startup_check", StartupCheck::WORDS, errors)
            .or(former)
            .unwrap_or_default(),
        origins: reader.strings("origins", errors).map(|list| list.value).unwrap_or_default(),
        registered: reader.strings("registered", errors).map(|list| {
            Located::new(scopes::scopes(&list.value, &[name, "registered"], errors), list.span)
        }),
        snapshot_days: reader.count("snapshot_days", errors).map(|days| days.value),
    };
    reader.finish(errors);
    server
}

fn trust(
    name: &str,
    reader: &TableReader<'_, '_>,
    provider: Option<Provider>,
    issuers: &mut Vec<Located<String>>,
    errors: &mut Vec<Diagnostic>,
) -> ProviderSettings {
    let issuer = reader.text("issuer", "write the provider's issuer, or leave it out", errors);
    let audience = reader.text("audience", "write what the tokens name, or leave it out", errors);
    issuers.extend(issuer.clone());
    let prefix = reader
        .string("scope_prefix", errors)
        .and_then(|prefix| scopes::scopes(&[prefix], &[name, "scope_prefix"], errors).pop());
    ProviderSettings {
        provider: provider.unwrap_or_default(),
        issuer: issuer.map(|issuer| issuer.value),
        audience: audience.map(|audience| audience.value),
        scope_prefix: prefix.map(|prefix| prefix.value),
        opaque: reader.boolean("opaque", errors).is_some_and(|opaque| opaque.value),
    }
}

fn also(
    name: &str,
    reader: &TableReader<'_, '_>,
    issuers: &mut Vec<Located<String>>,
    errors: &mut Vec<Diagnostic>,
) -> Vec<ProviderSettings> {
    let mut all = vec![];
    let what = format!("`[[{name}.also]]`");
    for table in reader.tables("also", errors) {
        let also = TableReader::new(table.value, &shape::ALSO, &what);
        let provider = word(&also, "provider", Provider::words(), errors);
        let at = also.key_span("provider");
        let wrong = match (&at, provider) {
            (None, _) => Some(format!("{what} does not say which provider it accepts")),
            // The embedded issuer is for development, so there are no users to migrate from it.
            (_, Some(provider)) if provider.is_embedded() => {
                Some("the embedded issuer cannot be a further one".to_owned())
            }
            _ => None,
        };
        if let Some(message) = wrong {
            let at = at.unwrap_or(table.span);
            let error = Diagnostic::new(mistake::MISSING_KEY, at, message);
            errors.push(error.help("write one of those that `provider list` prints"));
        }
        all.push(trust(name, &also, provider, issuers, errors));
        also.finish(errors);
    }
    all
}

fn word<T: Copy>(
    reader: &TableReader<'_, '_>,
    key: &str,
    words: &[(&'static str, T)],
    errors: &mut Vec<Diagnostic>,
) -> Option<T> {
    reader.word(key, words, errors).map(|word| word.value)
}
