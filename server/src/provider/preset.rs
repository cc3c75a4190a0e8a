//! One table for each provider: what its access tokens look like, and where its registered scopes
//! can be read. There is no code for a provider where a table is enough.

use crate::{policy::Provider, token::TokenTypes};

/// What is known of a provider.
#[derive(Debug)]
#[non_exhaustive]
pub struct Preset {
    /// The word in `policy.toml`.
    pub provider: Provider,
    /// Its name.
    pub title: &'static str,
    /// What an issuer looks like; it is compared byte by byte.
    pub issuer: &'static str,
    /// The claims that may hold the scopes; the first that is there counts alone.
    pub scope_claims: &'static [&'static str],
    /// A claim that its access tokens have, and the value that tells them from its other tokens.
    pub marker: Option<(&'static str, &'static str)>,
    /// The `typ` headers of its access tokens.
    pub types: TokenTypes,
    /// Where the registered scopes can be read.
    pub registered: RegisteredIn,
    /// Where these facts are from.
    pub sources: &'static [&'static str],
}

/// Where the registered scopes can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisteredIn {
    /// `scopes_supported` of the authorization server's metadata.
    Metadata,
    /// Nowhere from outside: the policy says them (`registered`), or a snapshot does.
    Snapshot,
}

const RFC_9068: &str = "RFC 9068, sections 2 and 4";
const RFC_8414: &str = "RFC 8414, section 2";

/// Every provider but the embedded issuer.
pub static PRESETS: &[Preset] = &[
    Preset {
        provider: Provider::Scalekit,
        title: "Scalekit",
        issuer: "SCALEKIT_ENVIRONMENT_URL, or SCALEKIT_ENVIRONMENT_URL/resources/SCALEKIT_RESOURCE_ID",
        scope_claims: &["scope", "scopes"],
        marker: None,
        types: TokenTypes::AccessTokenOrPlain,
        registered: RegisteredIn::Metadata,
        sources: &["FastMCP 4.1, server/auth/providers/scalekit.py", "scalekit-sdk-python 2.21.0"],
    },
    Preset {
        provider: Provider::Auth0,
        title: "Auth0",
        issuer: "https://TENANT.REGION.auth0.com/, with the slash at its end",
        // Not `permissions`: it lists what the person may do, whatever the client was granted.
        scope_claims: &["scope"],
        marker: None,
        types: TokenTypes::AccessTokenOrPlain,
        registered: RegisteredIn::Snapshot,
        sources: &[
            "Auth0 docs, \"Access Token Profiles\"",
            "Auth0 docs, \"Validate Access Tokens\"",
        ],
    },
    Preset {
        provider: Provider::Keycloak,
        title: "Keycloak",
        issuer: "https://HOST/realms/REALM",
        scope_claims: &["scope"],
        marker: Some(("typ", "Bearer")),
        types: TokenTypes::AccessTokenOrPlain,
        registered: RegisteredIn::Metadata,
        sources: &["Keycloak docs, \"Integrating with Model Context Protocol\""],
    },
    Preset {
        provider: Provider::Oidc,
        title: "Any OpenID Connect or OAuth 2.0 provider with JWT access tokens",
        issuer: "as its metadata says",
        scope_claims: &["scope", "scp", "scopes"],
        marker: None,
        types: TokenTypes::AccessTokenOrPlain,
        registered: RegisteredIn::Metadata,
        sources: &[RFC_9068, RFC_8414],
    },
];

impl Preset {
    /// What is known of a provider; `None` for the embedded issuer.
    pub fn of(provider: Provider) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.provider == provider)
    }
}
