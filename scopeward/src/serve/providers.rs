//! The providers of a server: the embedded issuer, or providers on other machines.

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

/// How long a provider's metadata is not asked for again, if it is needed and was not there.
const LEARNED_AGAIN: Duration = Duration::from_secs(5);

/// The providers that issue the tokens of a server: the provider where callers sign in, and others
/// whose tokens are accepted as well.
///
/// ```
/// # #[cfg(feature = "embedded-issuer")]
/// # {
/// use scopeward::{Providers, issuer::Issuer};
///
/// fn embedded(issuer: &Issuer) -> Providers {
///     Providers::from(issuer)
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Providers {
    embedded: Option<Issuer>,
    /// The providers on other machines. Callers sign in at the first one, unless there is an
    /// embedded issuer.
    connected: Vec<ConnectedProvider>,
    remote: Option<Remote>,
    /// The longest token that is read, in bytes.
    longest_token: usize,
}

/// A provider on another machine, and the way in which its tokens are checked.
#[derive(Debug, Clone)]
struct ConnectedProvider {
    configured: ConfiguredProvider,
    by: CheckedBy,
}

/// The state of an issuer's keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeysState<'a> {
    pub(crate) issuer: &'a str,
    /// The time since the last fetch; `None` for keys that were never fetched.
    pub(crate) age: Option<Duration>,
    /// Whether tokens can be checked with them. Keys that are too old are not used.
    pub(crate) are_usable: bool,
}

/// The way in which the tokens of a provider are checked.
#[derive(Debug, Clone)]
enum CheckedBy {
    /// By the signature, with the provider's keys.
    Keys(RemoteKeys),
    /// By introspection: the provider is asked about each token (RFC 7662).
    Asking(Introspector),
}

impl Providers {
    /// The providers of a deployment. Their keys are fetched in the background from now on.
    pub(crate) fn connect(
        embedded: Option<Issuer>,
        configured: &ConfiguredProviders,
        remote: Remote,
        oldest_keys: Duration,
        longest_token: usize,
    ) -> Self {
        let connect = |configured: &ConfiguredProvider| {
            let by = match &configured.check {
                TokenCheck::Keys(at) => {
                    CheckedBy::Keys(RemoteKeys::watch(at.clone(), remote.clone(), oldest_keys))
                }
                TokenCheck::Asking(how) => {
                    CheckedBy::Asking(Introspector::new(how.clone(), remote.clone()))
                }
            };
            ConnectedProvider { configured: configured.clone(), by }
        };
        let connected = configured.all().map(connect).collect();
        Self { embedded, connected, remote: Some(remote), longest_token }
    }

    /// No providers, for a server whose tokens are checked in another way.
    #[cfg(any(feature = "testing", feature = "embedded-issuer"))]
    pub(crate) fn none() -> Self {
        let longest_token = crate::identity::token::LONGEST_TOKEN;
        Self { embedded: None, connected: vec![], remote: None, longest_token }
    }

    /// The provider where callers sign in, by its word in the policy.
    pub(crate) fn main(&self) -> &'static str {
        match (&self.embedded, &*self.connected) {
            (None, [main, ..]) => main.configured.preset.word,
            _ => "embedded",
        }
    }

    /// Waits until the keys of each provider, and its metadata where they are needed, were fetched
    /// once, or failed to be.
    pub(crate) async fn tried(&self) {
        for provider in &self.connected {
            let keys = async {
                if let CheckedBy::Keys(keys) = &provider.by {
                    keys.tried().await;
                }
            };
            tokio::join!(keys, self.learn(&provider.configured));
        }
    }

    /// Reads the metadata of a provider whose issuer only its metadata names. A provider that does not
    /// answer is asked again in the background.
    async fn learn(&self, configured: &ConfiguredProvider) {
        let Some(remote) = self.remote.clone().filter(|_| configured.learned.is_open()) else {
            return;
        };
        if let Err(error) = configured.metadata(&remote).await {
            tracing::error!("{error}; tokens that name another issuer cannot be checked yet");
            let configured = configured.clone();
            tokio::spawn(async move {
                while configured.learned.is_open() {
                    tokio::time::sleep(LEARNED_AGAIN).await;
                    let _ = configured.metadata(&remote).await;
                }
            });
        }
    }

    /// The issuers whose keys are fetched, and the state of the keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = KeysState<'_>> {
        self.connected.iter().filter_map(|provider| match &provider.by {
            CheckedBy::Keys(keys) => Some(KeysState {
                issuer: provider.configured.authorization_server(),
                age: keys.age(),
                are_usable: keys.are_usable(),
            }),
            CheckedBy::Asking(_) => None,
        })
    }

    /// A validator that accepts the tokens of these providers, and refuses revoked ones.
    pub(crate) fn validator(&self, revocations: Revocations) -> Validator {
        let own = self.embedded.as_ref().map_or_else(Validator::none, Issuer::validator);
        let every = self.connected.iter().fold(own, |validator, provider| {
            let issuer = provider.configured.issuer();
            match &provider.by {
                CheckedBy::Keys(keys) => validator.or_signed(issuer, keys.clone()),
                CheckedBy::Asking(introspector) => validator.or_asked(issuer, introspector.clone()),
            }
        });
        if let Some(embedded) = &self.embedded {
            embedded.revoke_by(&revocations);
        }
        every.with_revocations(revocations).with_longest(self.longest_token)
    }

    /// The authorization servers for protected resource metadata (RFC 9728), first the one where
    /// callers sign in.
    pub(crate) fn urls(&self) -> Vec<&str> {
        let providers = self.connected.iter();
        let providers = providers.map(|provider| provider.configured.authorization_server());
        self.embedded.iter().map(Issuer::url).chain(providers).collect()
    }

    /// The router of the endpoints that clients call beside the resource: those of the embedded
    /// issuer, or the forwarded metadata of the provider.
    pub(crate) fn endpoints(&self) -> Router {
        match (&self.embedded, &*self.connected, &self.remote) {
            (Some(issuer), ..) => issuer.endpoints(),
            (None, [main, ..], Some(remote)) => {
                MetadataForwarder::new(main.configured.clone(), remote.clone()).router()
            }
            _ => Router::new(),
        }
    }

    /// The router of the embedded issuer's pages; empty without an embedded issuer.
    pub(crate) fn pages(&self) -> Router {
        self.embedded.as_ref().map_or_else(Router::new, Issuer::pages)
    }
}

#[cfg(feature = "embedded-issuer")]
impl From<&Issuer> for Providers {
    fn from(issuer: &Issuer) -> Self {
        Self { embedded: Some(issuer.clone()), ..Self::none() }
    }
}

impl From<&Self> for Providers {
    fn from(providers: &Self) -> Self {
        providers.clone()
    }
}
