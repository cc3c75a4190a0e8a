//! Validates bearer tokens.
//!
//! [`bearer`] reads the token of a request. [`Validator`] checks it with its issuer's
//! [`VerificationKeys`], or asks the issuer if the token is opaque, and gives an [`AccessToken`],
//! which cannot be made in any other way. This module knows nothing about tools.

mod cache;
mod claims;
mod clock;
#[cfg(test)]
mod concurrent;
mod error;
mod header;
mod interner;
mod introspection;
mod issuer_rules;
mod jose;
mod keys;
mod learned_issuer;
mod remote_keys;
mod revocations;
mod validator;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde_json::{Map, Value};

use crate::policy::Scope;
pub use crate::policy::provider::{AudienceIn, Marker, TokenTypes};

pub(crate) use claims::ClaimRules;
pub use clock::{Clock, SystemClock};
pub use error::{Expected, Rejected, TokenError};
pub use header::{BearerError, bearer};
pub(crate) use introspection::{EndpointAt, Introspection, IntrospectionClient, Introspector};
pub(crate) use issuer_rules::{IssuerRules, LEEWAY};
pub use keys::{KeySetError, VerificationKeys};
pub(crate) use learned_issuer::LearnedIssuer;
pub(crate) use remote_keys::{
    Fetched, KeysAt, OLDEST as OLDEST_KEYS, RemoteKeys, fetch as fetch_keys,
};
pub use revocations::Revocations;
#[cfg(feature = "embedded-issuer")]
pub(crate) use revocations::SignIn;
pub(crate) use revocations::{Revocation, RevocationTarget};
pub(crate) use validator::LONGEST_TOKEN;
pub use validator::Validator;

/// A validated access token: its signature, issuer, audience and times were right. Clones share one
/// token.
///
/// ```
/// use scopeward::identity::token::AccessToken;
///
/// fn describe(token: &AccessToken) -> String {
///     let scopes: Vec<&str> = token.scopes().iter().map(|scope| scope.as_str()).collect();
///     let name = token.claim("name").and_then(|name| name.as_str()).unwrap_or(token.subject());
///     format!(
///         "{name} of {} (written {}), by {:?}, with {scopes:?}, until {}",
///         token.canonical_issuer(),
///         token.issuer(),
///         token.client(),
///         token.expires_at(),
///     )
/// }
/// ```
#[derive(Clone)]
pub struct AccessToken(Arc<Validated>);

/// The content of a validated token. Up to 100,000 of them are cached, so every field is kept
/// small.
struct Validated {
    canonical_issuer: Arc<str>,
    issuer: Arc<str>,
    subject: Box<str>,
    client: Option<Arc<str>>,
    scopes: Arc<[Scope]>,
    expires_at: u64,
    not_before: Option<u64>,
    /// A keyed hash of the canonical issuer and the subject.
    caller: u64,
    other: Box<[(Arc<str>, Value)]>,
    /// All claims as one object, made when a condition first asks for it.
    claims: OnceLock<Box<Map<String, Value>>>,
}

impl AccessToken {
    /// The issuer, as the token writes it (`iss`).
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The issuer's canonical name, which is the same for each `iss` that one issuer writes. A
    /// subject identifies somebody only together with this name.
    pub fn canonical_issuer(&self) -> &str {
        &self.0.canonical_issuer
    }

    /// The subject that the token was issued for (`sub`).
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The client that the token was issued to (`client_id`, RFC 9068; or `azp`).
    pub fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// The scopes that the token grants.
    pub fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    /// When the token expires, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// The canonical issuer and the subject as one number, by a hash whose key is secret to this
    /// process.
    pub(crate) fn caller(&self) -> u64 {
        self.0.caller
    }

    /// When the token becomes valid (`nbf`), in seconds since the Unix epoch.
    fn not_before(&self) -> Option<u64> {
        self.0.not_before
    }

    /// The claims that conditions can read: `iss`, `sub`, `exp` and `client_id`, and every claim
    /// that has no method of its own.
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        self.0.claims.get_or_init(|| {
            let mut claims: Map<String, Value> = self
                .0
                .other
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect();
            claims.insert("iss".to_owned(), self.issuer().into());
            claims.insert("sub".to_owned(), self.subject().into());
            claims.insert("exp".to_owned(), self.expires_at().into());
            if let Some(client) = self.client() {
                claims.insert("client_id".to_owned(), client.into());
            }
            claims.into()
        })
    }

    /// The value of a claim that has no method of its own; `None` if the token does not have it.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.other.iter().find(|(other, _)| **other == *name).map(|(_, value)| value)
    }
}

/// Leaves the claims out, because they can hold personal data.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("client", &self.client())
            .field("scopes", &self.scopes())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
