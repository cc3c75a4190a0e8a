//! Finds a client by its identifier: among the policy's clients, among the registered clients, or
//! by the document at the URL that is the identifier.

use secrecy::ExposeSecret;

use super::{
    Issuer,
    client::{Client, ClientProof},
    credentials,
    documents::ClientDescription,
    state::RegisteredClient,
};
use crate::secret::{self, Secret};

impl Issuer {
    /// The client with this identifier.
    pub(super) async fn client(&self, id: &str) -> Option<Client> {
        if let Some(client) = self.named_by_policy(id) {
            return Some(client);
        }
        let registered = self.0.store.current().client(id).cloned();
        if let Some(RegisteredClient { name, redirect_uris, may_refresh, .. }) = registered {
            let (scopes, proof, host) = (vec![], ClientProof::Nothing, None);
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
        let ClientDescription { name, redirect_uris, may_refresh, host } =
            self.0.documents.get(id).await?;
        let (scopes, proof, host) = (vec![], ClientProof::Nothing, Some(host));
        Some(Client { id: id.to_owned(), name, redirect_uris, may_refresh, scopes, proof, host })
    }

    fn named_by_policy(&self, id: &str) -> Option<Client> {
        let policy = self.policy();
        let known = policy.clients().iter().find(|client| client.id() == id)?;
        let proof = known.secret_variable().map_or(ClientProof::Nothing, |variable| {
            let found = Secret::setting(variable, secret::variable)
                .and_then(|secret| secret.map(|secret| secret.read()).transpose());
            match found {
                Ok(Some(secret)) => {
                    ClientProof::Secret(credentials::fingerprint(secret.expose_secret()))
                }
                Ok(None) => {
                    tracing::error!(
                        client = id,
                        "{variable} is not set, so nobody can be this client"
                    );
                    ClientProof::Missing
                }
                Err(error) => {
                    tracing::error!(client = id, "{error}; nobody can be this client");
                    ClientProof::Missing
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

    /// Whether the policy names a client like this, so that no person may sign in under the name.
    pub(super) fn is_machine(&self, name: &str) -> bool {
        self.policy().clients().iter().any(|client| client.id().eq_ignore_ascii_case(name))
    }
}
