//! `[resource]`, as written.

use std::ops::Range;

use toml::de::DeTable;

use super::scopes;
use crate::{
    diagnostic::{Diagnostic, Step},
    mistake,
    {
        provider::{Provider, ProviderSettings},
        reader::{Located, Reader},
        scope::Scope,
        settings::{AuditMode, ListMode, OnDenied, StartupCheck},
        shape,
    },
};

/// A key that is written under a former name.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) path: Vec<Step>,
    pub(crate) name: &'static str,
    pub(crate) by: &'static str,
    /// Whether the new name is there as well.
    pub(crate) is_both: bool,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Resource {
    pub(crate) at: Option<Range<usize>>,
    pub(crate) url: Option<Located<String>>,
    pub(crate) trust: ProviderSettings,
    pub(crate) also: Vec<ProviderSettings>,
    /// Every issuer that is written.
    pub(crate) issuers: Vec<Located<String>>,
    pub(crate) list: ListMode,
    pub(crate) on_denied: OnDenied,
    pub(crate) audit: AuditMode,
    pub(crate) check: StartupCheck,
    pub(crate) registered: Option<Located<Vec<Located<Scope>>>>,
    pub(crate) snapshot_days: Option<u32>,
    pub(crate) replaced: Vec<Replaced>,
}

pub(super) fn read(table: &Located<&DeTable<'_>>, errors: &mut Vec<Diagnostic>) -> Resource {
    let reader = Reader::new(table.value, &shape::RESOURCE, &"`[resource]`");
    let former = word(&reader, "check", StartupCheck::WORDS, errors);
    let replaced = reader.replaced().filter_map(|(key, span)| {
        let by = key.replaced_by?;
        let path = vec!["resource".into(), key.name.into()];
        Some(Replaced { path, name: key.name, by, is_both: reader.key_span(by).is_some(), span })
    });
    let mut issuers = vec![];
    let resource = Resource {
        at: Some(table.span.clone()),
        replaced: replaced.collect(),
        url: reader.string("url", errors),
        trust: trust(
            &reader,
            word(&reader, "provider", Provider::WORDS, errors),
            &mut issuers,
            errors,
        ),
        also: also(&reader, &mut issuers, errors),
        issuers,
        list: word(&reader, "list", ListMode::WORDS, errors).unwrap_or_default(),
        on_denied: word(&reader, "on_denied", OnDenied::WORDS, errors).unwrap_or_default(),
        audit: word(&reader, "audit", AuditMode::WORDS, errors).unwrap_or_default(),
        check: word(&reader, "startup_check", StartupCheck::WORDS, errors)
            .or(former)
            .unwrap_or_default(),
        registered: reader.strings("registered", errors).map(|list| {
            Located::new(
                scopes::scopes(&list.value, &["resource", "registered"], errors),
                list.span,
            )
        }),
        snapshot_days: reader.count("snapshot_days", errors).map(|days| days.value),
    };
    reader.finish(errors);
    resource
}

fn trust(
    reader: &Reader<'_, '_>,
    provider: Option<Provider>,
    issuers: &mut Vec<Located<String>>,
    errors: &mut Vec<Diagnostic>,
) -> ProviderSettings {
    let issuer = reader.text("issuer", "write the provider's issuer, or leave it out", errors);
    let audience = reader.text("audience", "write what the tokens name, or leave it out", errors);
    issuers.extend(issuer.clone());
    let prefix = reader
        .string("scope_prefix", errors)
        .and_then(|prefix| scopes::scopes(&[prefix], &["resource", "scope_prefix"], errors).pop());
    ProviderSettings {
        provider: provider.unwrap_or_default(),
        issuer: issuer.map(|issuer| issuer.value),
        audience: audience.map(|audience| audience.value),
        scope_prefix: prefix.map(|prefix| prefix.value),
        opaque: reader.boolean("opaque", errors).is_some_and(|opaque| opaque.value),
    }
}

fn also(
    reader: &Reader<'_, '_>,
    issuers: &mut Vec<Located<String>>,
    errors: &mut Vec<Diagnostic>,
) -> Vec<ProviderSettings> {
    let mut all = vec![];
    for table in reader.tables("also", errors) {
        let also = Reader::new(table.value, &shape::ALSO, &"`[[resource.also]]`");
        let provider = word(&also, "provider", Provider::WORDS, errors);
        let at = also.key_span("provider");
        let wrong = match (&at, provider) {
            (None, _) => Some("`[[resource.also]]` does not say which provider it accepts"),
            // It is for development, and has nobody who could migrate.
            (_, Some(Provider::Embedded)) => Some("the embedded issuer cannot be a further one"),
            _ => None,
        };
        if let Some(message) = wrong {
            let at = at.unwrap_or(table.span);
            let error = Diagnostic::new(mistake::MISSING_KEY, at, message);
            errors.push(error.help("write one of those that `provider list` prints"));
        }
        all.push(trust(&also, provider, issuers, errors));
        also.finish(errors);
    }
    all
}

fn word<T: Copy>(
    reader: &Reader<'_, '_>,
    key: &str,
    words: &[(&'static str, T)],
    errors: &mut Vec<Diagnostic>,
) -> Option<T> {
    reader.word(key, words, errors).map(|word| word.value)
}
