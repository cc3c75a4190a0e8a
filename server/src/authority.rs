//! Who issues the tokens of a server: the embedded issuer, or a provider elsewhere.

use axum::Router;

use crate::{
    issuer::Issuer,
    provider::{Connection, Forwarder},
    remote::Remote,
    token::{RemoteKeys, Validator},
};

/// Who issues the tokens of a server.
#[derive(Debug, Clone)]
pub struct Authority(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Embedded(Issuer),
    Remote { connection: Box<Connection>, keys: RemoteKeys, remote: Remote },
}

impl Authority {
    /// A provider elsewhere; its keys are looked for from now on, in the background.
    pub(crate) fn connect(connection: Connection, remote: Remote) -> Self {
        let keys = RemoteKeys::watch(connection.keys.clone(), remote.clone());
        Self(Kind::Remote { connection: Box::new(connection), keys, remote })
    }

    /// Waits until a provider's keys were looked for once, well or badly.
    pub(crate) async fn tried(&self) {
        if let Kind::Remote { keys, .. } = &self.0 {
            keys.tried().await;
        }
    }

    /// Checks the tokens.
    pub(crate) fn validator(&self) -> Validator {
        match &self.0 {
            Kind::Embedded(issuer) => issuer.validator(),
            Kind::Remote { connection, keys, .. } => Validator::of(connection, keys.clone()),
        }
    }

    /// The authorization server that protected resource metadata names.
    pub(crate) fn url(&self) -> &str {
        match &self.0 {
            Kind::Embedded(issuer) => issuer.url(),
            Kind::Remote { connection, .. } => &connection.authorization_server,
        }
    }

    /// What clients call beside the resource.
    pub(crate) fn endpoints(&self) -> Router {
        match &self.0 {
            Kind::Embedded(issuer) => issuer.endpoints(),
            Kind::Remote { connection, remote, .. } => {
                Forwarder::new((**connection).clone(), remote.clone()).router()
            }
        }
    }

    /// The pages that people see.
    pub(crate) fn pages(&self) -> Router {
        match &self.0 {
            Kind::Embedded(issuer) => issuer.pages(),
            Kind::Remote { .. } => Router::new(),
        }
    }
}

impl From<&Issuer> for Authority {
    fn from(issuer: &Issuer) -> Self {
        Self(Kind::Embedded(issuer.clone()))
    }
}

impl From<&Self> for Authority {
    fn from(authority: &Self) -> Self {
        authority.clone()
    }
}
