//! The scopes that are registered for the resource: from the provider, from the snapshot, or from
//! the policy itself.

use std::time::SystemTime;

use super::ConfiguredProvider;
use crate::{
    policy::{ResourceUrl, Scope, Snapshot},
    remote::{Metadata, Remote, RemoteError},
};

/// Why the provider does not give the registered scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegisteredError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("{0} does not say which scopes are registered")]
    Unsaid(String),
}

/// The source of the registered scopes.
#[derive(Debug, Clone)]
pub(crate) enum Registered {
    /// `registered` in the policy.
    Policy,
    /// The provider, asked just now.
    Provider(Snapshot),
    /// The committed snapshot, because the provider does not list its scopes or does not answer.
    Snapshot(Snapshot),
}

impl Registered {
    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Policy => None,
            Self::Provider(snapshot) | Self::Snapshot(snapshot) => Some(snapshot),
        }
    }
}

impl ConfiguredProvider {
    /// Fetches the authorization server's metadata.
    pub(crate) async fn metadata(&self, remote: &Remote) -> Result<Metadata, RemoteError> {
        match &self.metadata_url {
            Some(url) => {
                let is_own = |issuer: &str| self.learned.take(issuer, &self.issuers);
                Metadata::of_any(remote, url, &self.issuers, is_own).await
            }
            None => Metadata::discover(remote, &self.authorization_server).await,
        }
    }

    /// Asks the provider for the registered scopes.
    pub(crate) async fn registered(
        &self,
        remote: &Remote,
        resource: &ResourceUrl,
    ) -> Result<Snapshot, RegisteredError> {
        let snapshot = |scopes: Vec<Scope>, source: &str| {
            let own = scopes.iter().filter_map(|scope| self.without_prefix(scope)).collect();
            let server = self.authorization_server();
            Snapshot::new(resource.as_str(), server, SystemTime::now(), own)
                .said_by(self.preset.word, source)
        };
        if let Some(api) = &self.management {
            return Ok(snapshot(api.registered(remote).await?, &api.resource_url()));
        }
        if !self.says_registered_scopes() {
            return Err(RegisteredError::Unsaid(self.preset.title.to_owned()));
        }
        let metadata = self.metadata(remote).await?;
        match metadata.scopes()? {
            Some(scopes) => Ok(snapshot(scopes, &metadata.url)),
            None => Err(RegisteredError::Unsaid(metadata.url)),
        }
    }

    /// The scope as the policy names it; `None` without the prefix, because such a scope belongs to
    /// another resource.
    fn without_prefix(&self, scope: &Scope) -> Option<Scope> {
        let prefix = self.asked_prefix.as_deref().unwrap_or_default();
        Scope::parse(scope.as_str().strip_prefix(prefix)?).ok()
    }
}
