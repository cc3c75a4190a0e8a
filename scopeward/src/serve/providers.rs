//! Who issues the tokens of a server: the embedded issuer, or providers elsewhere.

use std::time::Duration;

use axum::Router;

use crate::{
    identity::{
        provider::{ConfiguredProvider, ConfiguredProviders, TokenCheck},
        revocation::Revocations,
        token::{Introspector, RemoteKeys, Validator},
    },
    issuer::Issuer,
    remote::Remote,
    serve::metadata_forward::MetadataForwarder,
};

/// Who issues the tokens of a server: one where callers sign in, and others whose tokens are
/// accepted besides.
#[derive(Debug, Clone)]
pub struct Providers {
    embedded: Option<Issuer>,
    /// The first one is where callers sign in, unless there is an embedded issuer.
    connected: Vec<ConnectedProvider>,
    remote: Option<Remote>,
}

/// A provider elsewhere, and how its tokens are checked.
#[derive(Debug, Clone)]
struct ConnectedProvider {
    configured: ConfiguredProvider,
    by: CheckedBy,
}

#[derive(Debug, Clone)]
enum CheckedBy {
    Keys(RemoteKeys),
    Asking(Introspector),
}

impl Providers {
    /// Providers elsewhere; their keys are looked for from now on, in the background.
    pub(crate) fn connect(
        embedded: Option<Issuer>,
        configured: &ConfiguredProviders,
        remote: Remote,
    ) -> Self {
        let connect = |configured: &ConfiguredProvider| {
            let by = match &configured.check {
                TokenCheck::Keys(at) => {
                    CheckedBy::Keys(RemoteKeys::watch(at.clone(), remote.clone()))
                }
                TokenCheck::Asking(how) => {
                    CheckedBy::Asking(Introspector::new(how.clone(), remote.clone()))
                }
            };
            ConnectedProvider { configured: configured.clone(), by }
        };
        let connected = configured.all().map(connect).collect();
        Self { embedded, connected, remote: Some(remote) }
    }

    /// Waits until each provider's keys were looked for once, well or badly.
    pub(crate) async fn tried(&self) {
        for provider in &self.connected {
            if let CheckedBy::Keys(keys) = &provider.by {
                keys.tried().await;
            }
        }
    }

    /// The issuers whose keys are fetched, and how long ago each one's were; `None` for keys that were
    /// never seen.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Option<Duration>)> {
        self.connected.iter().filter_map(|provider| match &provider.by {
            CheckedBy::Keys(keys) => Some((&*provider.configured.authorization_server, keys.age())),
            CheckedBy::Asking(_) => None,
        })
    }

    /// Checks the tokens, and refuses what is revoked.
    pub(crate) fn validator(&self, revocations: Revocations) -> Validator {
        let own = self.embedded.as_ref().map_or_else(Validator::none, Issuer::validator);
        let every = self.connected.iter().fold(own, |validator, provider| {
            let issuer = provider.configured.issuer();
            match &provider.by {
                CheckedBy::Keys(keys) => validator.or_signed(issuer, keys.clone()),
                CheckedBy::Asking(introspector) => validator.or_asked(issuer, introspector.clone()),
            }
        });
        every.with_revocations(revocations)
    }

    /// The authorization servers that protected resource metadata names: first the one where
    /// callers sign in.
    pub(crate) fn urls(&self) -> Vec<&str> {
        let providers = self.connected.iter();
        let providers = providers.map(|provider| &*provider.configured.authorization_server);
        self.embedded.iter().map(Issuer::url).chain(providers).collect()
    }

    /// What clients call beside the resource.
    pub(crate) fn endpoints(&self) -> Router {
        match (&self.embedded, &*self.connected, &self.remote) {
            (Some(issuer), ..) => issuer.endpoints(),
            (None, [main, ..], Some(remote)) => {
                MetadataForwarder::new(main.configured.clone(), remote.clone()).router()
            }
            _ => Router::new(),
        }
    }

    /// The pages that people see.
    pub(crate) fn pages(&self) -> Router {
        self.embedded.as_ref().map_or_else(Router::new, Issuer::pages)
    }
}

#[cfg(feature = "embedded-issuer")]
impl From<&Issuer> for Providers {
    fn from(issuer: &Issuer) -> Self {
        Self { embedded: Some(issuer.clone()), connected: vec![], remote: None }
    }
}

impl From<&Self> for Providers {
    fn from(providers: &Self) -> Self {
        providers.clone()
    }
}
