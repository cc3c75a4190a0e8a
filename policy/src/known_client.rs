//! Clients that are registered beforehand, at the embedded issuer.

use super::Scope;

/// A client of the embedded issuer that need not register itself (RFC 7591, section 1.3, has the
/// other way).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownClient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) scopes: Vec<Scope>,
    pub(super) secret_variable: Option<String>,
}

impl KnownClient {
    /// What it calls itself (`client_id`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people read on the consent page.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where people come back to.
    pub fn redirect_uris(&self) -> &[String] {
        &self.redirect_uris
    }

    /// What it may ask for by itself, without a person (RFC 6749, section 4.4).
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The environment variable that holds its secret, if it has one.
    pub fn secret_variable(&self) -> Option<&str> {
        self.secret_variable.as_deref()
    }
}
