//! Who issues the tokens of a server: the embedded issuer, or providers elsewhere.

use std::time::Duration;

use axum::Router;

use crate::{
    identity::{
        provider::{Connection, Connections, TokenCheck},
        revocation::Revocations,
        token::{Introspector, RemoteKeys, Validator},
    },
    issuer::Issuer,
    remote::Remote,
    serve::forward::Forwarder,
};

/// Who issues the tokens of a server: one where callers sign in, and others whose tokens are
/// accepted besides.
#[derive(Debug, Clone)]
pub struct Authority {
    embedded: Option<Issuer>,
    /// The first one is where callers sign in, unless there is an embedded issuer.
    providers: Vec<Trusted>,
    remote: Option<Remote>,
}

/// A provider elsewhere, and how its tokens are checked.
#[derive(Debug, Clone)]
struct Trusted {
    connection: Connection,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    Keys(RemoteKeys),
    Asking(Introspector),
}

impl Authority {
    /// Providers elsewhere; their keys are looked for from now on, in the background.
    pub(crate) fn connect(
        embedded: Option<Issuer>,
        connections: &Connections,
        remote: Remote,
    ) -> Self {
        let connect = |connection: &Connection| {
            let by = match &connection.check {
                TokenCheck::Keys(at) => By::Keys(RemoteKeys::watch(at.clone(), remote.clone())),
                TokenCheck::Asking(how) => {
                    By::Asking(Introspector::new(how.clone(), remote.clone()))
                }
            };
            Trusted { connection: connection.clone(), by }
        };
        let providers = connections.all().map(connect).collect();
        Self { embedded, providers, remote: Some(remote) }
    }

    /// Waits until each provider's keys were looked for once, well or badly.
    pub(crate) async fn tried(&self) {
        for trusted in &self.providers {
            if let By::Keys(keys) = &trusted.by {
                keys.tried().await;
            }
        }
    }

    /// The issuers whose keys are fetched, and how long ago each one's were; `None` for keys that were
    /// never seen.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Option<Duration>)> {
        self.providers.iter().filter_map(|trusted| match &trusted.by {
            By::Keys(keys) => Some((&*trusted.connection.authorization_server, keys.age())),
            By::Asking(_) => None,
        })
    }

    /// Checks the tokens, and refuses what is revoked.
    pub(crate) fn validator(&self, revocations: Revocations) -> Validator {
        let own = self.embedded.as_ref().map_or_else(Validator::none, Issuer::validator);
        let every = self.providers.iter().fold(own, |validator, trusted| {
            let issuer = trusted.connection.issuer();
            match &trusted.by {
                By::Keys(keys) => validator.or_signed(issuer, keys.clone()),
                By::Asking(introspector) => validator.or_asked(issuer, introspector.clone()),
            }
        });
        every.with_revocations(revocations)
    }

    /// The authorization servers that protected resource metadata names: first the one where
    /// callers sign in.
    pub(crate) fn urls(&self) -> Vec<&str> {
        let providers = self.providers.iter();
        let providers = providers.map(|trusted| &*trusted.connection.authorization_server);
        self.embedded.iter().map(Issuer::url).chain(providers).collect()
    }

    /// What clients call beside the resource.
    pub(crate) fn endpoints(&self) -> Router {
        match (&self.embedded, &*self.providers, &self.remote) {
            (Some(issuer), ..) => issuer.endpoints(),
            (None, [main, ..], Some(remote)) => {
                Forwarder::new(main.connection.clone(), remote.clone()).router()
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
impl From<&Issuer> for Authority {
    fn from(issuer: &Issuer) -> Self {
        Self { embedded: Some(issuer.clone()), providers: vec![], remote: None }
    }
}

impl From<&Self> for Authority {
    fn from(authority: &Self) -> Self {
        authority.clone()
    }
}
