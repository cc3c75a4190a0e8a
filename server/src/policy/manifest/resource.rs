//! `[resource]`, as written.

use std::ops::Range;

use toml::de::DeTable;

use super::scopes;
use crate::{
    diagnostic::{Diagnostic, Step},
    policy::{
        reader::{Located, Reader},
        scope::Scope,
        settings::{Check, ListMode, OnDenied, Provider},
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
    pub(crate) provider: Provider,
    pub(crate) issuer: Option<Located<String>>,
    pub(crate) audience: Option<Located<String>>,
    pub(crate) scope_prefix: Option<Located<Scope>>,
    pub(crate) list: ListMode,
    pub(crate) on_denied: OnDenied,
    pub(crate) check: Check,
    pub(crate) registered: Option<Located<Vec<Located<Scope>>>>,
    pub(crate) snapshot_days: Option<u32>,
    pub(crate) replaced: Vec<Replaced>,
}

pub(super) fn read(table: &Located<&DeTable<'_>>, errors: &mut Vec<Diagnostic>) -> Resource {
    let reader = Reader::new(table.value, &shape::RESOURCE, "`[resource]`");
    let former = word(&reader, "check", Check::WORDS, errors);
    let replaced = reader.replaced().filter_map(|(key, span)| {
        let by = key.replaced_by?;
        let path = vec!["resource".into(), key.name.into()];
        Some(Replaced { path, name: key.name, by, is_both: reader.key_span(by).is_some(), span })
    });
    let resource = Resource {
        at: Some(table.span.clone()),
        replaced: replaced.collect(),
        url: reader.string("url", errors),
        provider: word(&reader, "provider", Provider::WORDS, errors).unwrap_or_default(),
        issuer: reader.text("issuer", "write the provider's issuer, or leave it out", errors),
        audience: reader.text("audience", "write what the tokens name, or leave it out", errors),
        scope_prefix: reader.string("scope_prefix", errors).and_then(|prefix| {
            scopes::scopes(&[prefix], &["resource", "scope_prefix"], errors).pop()
        }),
        list: word(&reader, "list", ListMode::WORDS, errors).unwrap_or_default(),
        on_denied: word(&reader, "on_denied", OnDenied::WORDS, errors).unwrap_or_default(),
        check: word(&reader, "startup_check", Check::WORDS, errors).or(former).unwrap_or_default(),
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

fn word<T: Copy>(
    reader: &Reader<'_, '_>,
    key: &str,
    words: &[(&'static str, T)],
    errors: &mut Vec<Diagnostic>,
) -> Option<T> {
    reader.word(key, words, errors).map(|word| word.value)
}
