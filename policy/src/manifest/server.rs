//! Reads `[server]`, the settings of the server that the policy protects.

use std::ops::Range;

use toml::de::DeTable;

use super::{FormerName, scopes};
use crate::{
    diagnostic::{Change, Diagnostic, Fix},
    mistake,
    {
        provider::{Provider, ProviderSettings, Setup, Tokens},
        reader::{self, Located, TableReader},
        scope::{Scope, is_of_openid},
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
            let mut all = scopes::scopes(&list.value, &[name, "registered"], errors);
            // They are the provider's, and `[scopes]` does not define them.
            all.retain(|scope| !is_of_openid(scope.value.as_str()));
            Located::new(all, list.span)
        }),
        snapshot_days: reader.count("snapshot_days", errors).map(|days| days.value),
    };
    idle_snapshot_days(name, &reader, errors);
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
    let audiences = audiences(reader, errors);
    issuers.extend(issuer.clone());
    without_effect(name, reader, provider, errors);
    let prefix = reader
        .string("scope_prefix", errors)
        .and_then(|prefix| scopes::scopes(&[prefix], &[name, "scope_prefix"], errors).pop());
    ProviderSettings {
        provider: provider.unwrap_or_default(),
        issuer: issuer.map(|issuer| issuer.value),
        audiences,
        scope_prefix: prefix.map(|prefix| prefix.value),
        opaque: reader.boolean("opaque", errors).is_some_and(|opaque| opaque.value),
    }
}

/// The values of `audience`: one, or a list of at least one.
fn audiences(reader: &TableReader<'_, '_>, errors: &mut Vec<Diagnostic>) -> Vec<String> {
    const HELP: &str = "write what the tokens name, or leave it out";
    let listed = reader.get("audience").filter(|found| found.value.is_array());
    let Some(found) = listed else {
        return reader.text("audience", HELP, errors).map(|one| one.value).into_iter().collect();
    };
    let list = reader.strings("audience", errors).map(|list| list.value).unwrap_or_default();
    if list.is_empty() {
        let message = "`audience` is an empty list, so no token would be for this server";
        errors.push(Diagnostic::new(mistake::EMPTY_TEXT, found.span, message).help(HELP));
    }
    let each = "each item of `audience`";
    list.into_iter()
        .filter_map(|one| reader::not_blank(one, each, HELP, errors))
        .map(|one| one.value)
        .collect()
}

/// Refuses the settings that have no effect with this provider, because their author counts on one.
fn without_effect(
    name: &str,
    reader: &TableReader<'_, '_>,
    provider: Option<Provider>,
    errors: &mut Vec<Diagnostic>,
) {
    // A word that is no provider is a mistake of its own.
    if provider.is_none() && reader.key_span("provider").is_some() {
        return;
    }
    let preset = provider.unwrap_or_default().preset();
    let (idle, with): (&[&str], _) = match preset.map(|preset| (preset.setup, preset.tokens)) {
        None if provider.is_none() => (
            &["issuer", "audience", "scope_prefix", "opaque"],
            "without `provider`, which then is the embedded issuer",
        ),
        None => (&["issuer", "audience", "scope_prefix", "opaque"], "with the embedded issuer"),
        Some((Setup::Scalekit, _)) => {
            (&["issuer", "audience"], "with Scalekit, whose variables SCALEKIT_… say it")
        }
        Some((Setup::ByIssuer, Tokens::TokenInfo(_))) => {
            (&["opaque"], "with this provider, whose tokens are always opaque")
        }
        Some((Setup::ByIssuer, Tokens::Jwt)) => (&[], ""),
    };
    for key in idle {
        let Some(at) = reader.key_span(key) else { continue };
        let error =
            Diagnostic::new(mistake::NO_EFFECT, at, format!("`{key}` has no effect {with}"));
        errors.push(match provider {
            None => error.help(format!(
                "write in `[{name}]` whose it is, such as `provider = \"oidc\"`; or remove it"
            )),
            Some(_) => error.help("remove it, or name the provider that it belongs to"),
        });
    }
}

/// Refuses `snapshot_days` where no snapshot is ever read.
fn idle_snapshot_days(name: &str, reader: &TableReader<'_, '_>, errors: &mut Vec<Diagnostic>) {
    let Some(at) = reader.key_span("snapshot_days") else { return };
    if reader.key_span("registered").is_none() {
        return;
    }
    let message = "`snapshot_days` has no effect beside `registered`, which says what is registered in \
                   place of a snapshot";
    let fix = Fix::new(
        "remove `snapshot_days`",
        vec![name.into(), "snapshot_days".into()],
        Change::Remove,
    );
    errors.push(Diagnostic::new(mistake::NO_EFFECT, at, message).fix(fix));
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
