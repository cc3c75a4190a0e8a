//! From a bearer token to an authenticated caller.
//!
//! [`bearer`] takes the token out of the request; [`Validator`] checks it against its issuer's
//! [`VerificationKeys`], or asks the issuer if it is opaque, and gives an [`AccessToken`], which
//! cannot be had in any other way. Nothing in here knows tools.

mod claims;
mod header;
mod introspection;
mod keys;
mod remote_keys;
mod trusted;
mod validator;

use std::{fmt, sync::Arc};

use crate::policy::Scope;

pub(crate) use claims::ClaimRules;
pub use claims::{AudienceIn, Marker};
pub use header::{BearerError, bearer};
pub(crate) use introspection::{Client, EndpointAt, Introspection, Introspector};
pub use keys::VerificationKeys;
pub(crate) use remote_keys::{Fetched, KeysAt, RemoteKeys, fetch as fetch_keys};
pub use trusted::Expected;
pub(crate) use trusted::{LEEWAY, TrustedIssuer};
pub use validator::{Clock, SystemClock, TokenError, TokenTypes, Validator};

/// A validated access token: its signature, issuer, audience and times were right.
#[derive(Clone)]
pub struct AccessToken {
    authority: Arc<str>,
    issuer: String,
    subject: String,
    client: Option<String>,
    scopes: Vec<Scope>,
    expires_at: u64,
    other: serde_json::Map<String, serde_json::Value>,
}

impl AccessToken {
    /// Who issued it (`iss`).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What stands for whoever issued it: the same for each `iss` that one issuer writes. A
    /// subject is somebody only together with it.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whom it speaks for (`sub`).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The client it was issued to (`client_id`, RFC 9068; or `azp`).
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The scopes that it grants.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// When it expires, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// What conditions are asked about: the claims that have no method of their own, and of the
    /// others those that have one value in every token.
    pub(crate) fn claims(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut claims = self.other.clone();
        claims.insert("iss".to_owned(), self.issuer.as_str().into());
        claims.insert("sub".to_owned(), self.subject.as_str().into());
        claims.insert("exp".to_owned(), self.expires_at.into());
        if let Some(client) = &self.client {
            claims.insert("client_id".to_owned(), client.as_str().into());
        }
        claims
    }

    /// A claim that has no method of its own.
    pub fn claim(&self, name: &str) -> Option<&serde_json::Value> {
        self.other.get(name)
    }
}

#[cfg(test)]
impl AccessToken {
    /// One that grants these scopes, for tests of what comes after validation.
    pub(crate) fn granting(scopes: Vec<Scope>) -> Self {
        Self {
            authority: "test".into(),
            issuer: "test".to_owned(),
            subject: "ada".to_owned(),
            client: None,
            scopes,
            expires_at: u64::MAX,
            other: serde_json::Map::new(),
        }
    }
}

/// Not the claims: they can hold a person's data.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("client", &self.client)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
