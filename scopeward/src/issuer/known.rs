//! Which client is this: one that the policy names, one that has registered itself, or one whose
//! identifier is the URL of its own description.

use secrecy::ExposeSecret;

use super::{Issuer, documents::Described, secret, state};
use crate::{
    policy::{Scope, redirect::is_one_of},
    secret::Secret,
};

/// A client, wherever it is known from.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) may_refresh: bool,
    /// What it may ask for by itself.
    pub(super) scopes: Vec<Scope>,
    pub(super) proof: Proof,
    /// The host that vouches for its description.
    pub(super) host: Option<String>,
}

/// What a client has to show at the token endpoint.
#[derive(Clone)]
pub(super) enum Proof {
    /// It is public: its name is enough.
    Nothing,
    /// The secret with this fingerprint.
    Secret(String),
    /// A secret that this server was not given: nobody can be that client.
    Missing,
}

/// Not the fingerprint.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret",
            Self::Missing => "Missing",
        })
    }
}

impl Client {
    pub(super) fn may_redirect_to(&self, uri: &str) -> bool {
        is_one_of(&self.redirect_uris, uri)
    }

    /// Whether what it shows is what it has to show.
    pub(super) fn is_proved_by(&self, shown: Option<&str>) -> bool {
        match &self.proof {
            Proof::Nothing => true,
            Proof::Secret(kept) => {
                shown.is_some_and(|shown| secret::same(&secret::fingerprint(shown), kept))
            }
            Proof::Missing => false,
        }
    }
}

impl Issuer {
    /// The client that calls itself this.
    pub(super) async fn client(&self, id: &str) -> Option<Client> {
        if let Some(client) = self.named_by_policy(id) {
            return Some(client);
        }
        let registered = self.state().client(id).cloned();
        if let Some(state::Client { name, redirect_uris, may_refresh, .. }) = registered {
            let (scopes, proof, host) = (vec![], Proof::Nothing, None);
            return Some(Client {
                id: id.to_owned(),
                name,
                redirect_uris,
                may_refresh,
                scopes,
                proof,
                host,
            });
        }
        let Described { name, redirect_uris, may_refresh, host } = self.0.documents.get(id).await?;
        let (scopes, proof, host) = (vec![], Proof::Nothing, Some(host));
        Some(Client { id: id.to_owned(), name, redirect_uris, may_refresh, scopes, proof, host })
    }

    fn named_by_policy(&self, id: &str) -> Option<Client> {
        let policy = self.policy();
        let known = policy.clients().iter().find(|client| client.id() == id)?;
        let proof = known.secret_variable().map_or(Proof::Nothing, |variable| {
            let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let secret = Secret::setting(variable, setting)
                .and_then(|secret| secret.map(|secret| secret.read()).transpose());
            match secret {
                Ok(Some(secret)) => Proof::Secret(secret::fingerprint(secret.expose_secret())),
                Ok(None) => {
                    tracing::error!(
                        client = id,
                        "{variable} is not set, so nobody can be this client"
                    );
                    Proof::Missing
                }
                Err(error) => {
                    tracing::error!(client = id, "{error}; nobody can be this client");
                    Proof::Missing
                }
            }
        });
        Some(Client {
            id: id.to_owned(),
            name: known.name().to_owned(),
            redirect_uris: known.redirect_uris().to_vec(),
            may_refresh: !known.redirect_uris().is_empty(),
            scopes: known.scopes().to_vec(),
            proof,
            host: None,
        })
    }

    /// Whether a machine speaks under this name, so that no person can.
    pub(super) fn is_machine(&self, name: &str) -> bool {
        self.policy().clients().iter().any(|client| client.id().eq_ignore_ascii_case(name))
    }
}
