//! Clients that `[[client]]` registers at the embedded issuer.

use super::Scope;

/// A client that `[[client]]` registers at the embedded issuer. Other clients register themselves
/// (RFC 7591).
///
/// ```
/// use scopeward_policy::{CompiledPolicy, KnownClient, diagnostic::Source};
///
/// let text = r#"
///     version = 1
///     [server]
///     url = "http://localhost:3002/mcp"
///     [scopes]
///     "note:read" = "See your notes"
///     [[client]]
///     id = "nightly"
///     name = "Nightly report"
///     secret_env = "NIGHTLY_SECRET"
///     scopes = ["note:read"]
/// "#;
/// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
/// let nightly: &KnownClient = &policy.clients()[0];
/// assert_eq!((nightly.id(), nightly.name()), ("nightly", "Nightly report"));
/// assert_eq!(nightly.secret_variable(), Some("NIGHTLY_SECRET"));
/// assert!(nightly.redirect_uris().is_empty() && nightly.scopes().len() == 1);
/// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownClient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) scopes: Vec<Scope>,
    pub(super) secret_variable: Option<String>,
}

impl KnownClient {
    /// The `client_id` that the client sends.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name that people read on the consent page.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The redirect URIs: where people come back to after they signed in.
    pub fn redirect_uris(&self) -> &[String] {
        &self.redirect_uris
    }

    /// The scopes that the client may ask for without a person (RFC 6749, section 4.4).
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The environment variable that holds the client's secret, if the client has one.
    pub fn secret_variable(&self) -> Option<&str> {
        self.secret_variable.as_deref()
    }
}
