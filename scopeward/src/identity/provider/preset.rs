//! One table for each provider: what its access tokens look like, and where its registered scopes
//! can be read. There is no code for a provider where a table is enough.

use std::fmt;

use crate::{
    identity::token::{AudienceIn, Marker, TokenTypes},
    policy::Provider,
};

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
    /// The issuer, if it is always the same.
    pub fixed_issuer: Option<&'static str>,
    /// Where its keys are.
    pub keys: &'static str,
    /// How its access tokens are checked.
    pub tokens: Tokens,
    /// Which claim says whom a token is for.
    pub audience: AudienceIn,
    /// What may stand before an audience: each form is accepted, whichever is written.
    pub audience_forms: &'static [&'static str],
    /// What to write as `audience`.
    pub audience_hint: &'static str,
    /// The claims that may hold the scopes; the first that is there counts alone.
    pub scope_claims: &'static [&'static str],
    /// Where a `scope_prefix` stands.
    pub prefix: PrefixIn,
    /// What tells its access tokens from its other tokens.
    pub marker: Marker,
    /// The `typ` headers of its access tokens.
    pub types: TokenTypes,
    /// Where the registered scopes can be read.
    pub registered: RegisteredIn,
    /// Where these facts are from.
    pub sources: &'static [&'static str],
}

/// How access tokens are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tokens {
    /// They are JWTs, checked with the issuer's keys; with `opaque` in the policy the issuer is
    /// asked (RFC 7662).
    Jwt,
    /// They are opaque, and this address says what they are to whoever has them.
    TokenInfo(&'static str),
}

/// Where the registered scopes can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisteredIn {
    /// The provider's own API, for whoever has its credentials; else its metadata.
    Api(&'static str),
    /// `scopes_supported` of the authorization server's metadata.
    Metadata,
    /// Nowhere from outside: the policy says them (`registered`), or a snapshot does.
    Snapshot,
}

/// Where the prefix of a resource's scopes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixIn {
    /// Only where scopes are asked for; tokens leave it out.
    Requests,
    /// Also in the tokens.
    RequestsAndTokens,
}

const RFC_9068: &str = "RFC 9068, sections 2 and 4";
const RFC_8414: &str = "RFC 8414, section 2";
const BY_METADATA: &str = "jwks_uri of its metadata";
const THE_URL: &str = "the resource's URL (RFC 8707)";

/// What most providers have in common; each table says what is its own.
const COMMON: Preset = Preset {
    provider: Provider::Oidc,
    title: "Any OpenID Connect provider with JWT access tokens",
    issuer: "as its metadata says",
    fixed_issuer: None,
    keys: BY_METADATA,
    tokens: Tokens::Jwt,
    audience: AudienceIn::Aud,
    audience_forms: &[],
    audience_hint: THE_URL,
    scope_claims: &["scope", "scp", "scopes"],
    prefix: PrefixIn::RequestsAndTokens,
    marker: Marker::None,
    types: TokenTypes::AccessTokenOrPlain,
    registered: RegisteredIn::Metadata,
    sources: &[RFC_9068, RFC_8414],
};

/// Every provider but the embedded issuer.
pub static PRESETS: &[Preset] = &[
    Preset {
        provider: Provider::Scalekit,
        title: "Scalekit",
        issuer: "SCALEKIT_ENVIRONMENT_URL, or SCALEKIT_ENVIRONMENT_URL/resources/SCALEKIT_RESOURCE_ID",
        keys: "SCALEKIT_ENVIRONMENT_URL/keys",
        audience_hint: "SCALEKIT_RESOURCE_ID, or the resource's URL; nothing to write",
        scope_claims: &["scope", "scopes"],
        registered: RegisteredIn::Api(
            "its API, with SCALEKIT_CLIENT_ID and SCALEKIT_CLIENT_SECRET; else scopes_supported",
        ),
        sources: &["FastMCP 4.1, server/auth/providers/scalekit.py", "scalekit-sdk-python 2.21.0"],
        ..COMMON
    },
    Preset {
        provider: Provider::Auth0,
        title: "Auth0",
        issuer: "https://TENANT.REGION.auth0.com/, with the slash at its end",
        audience_hint: "the API's identifier",
        // Not `permissions`: it lists what the person may do, whatever the client was granted.
        scope_claims: &["scope"],
        registered: RegisteredIn::Snapshot,
        sources: &[
            "Auth0 docs, \"Access Token Profiles\"",
            "Auth0 docs, \"Validate Access Tokens\"",
        ],
        ..COMMON
    },
    Preset {
        provider: Provider::Keycloak,
        title: "Keycloak",
        issuer: "https://HOST/realms/REALM",
        audience_hint: "what the realm's audience mapper writes",
        scope_claims: &["scope"],
        marker: Marker::Is("typ", "Bearer"),
        sources: &["Keycloak docs, \"Integrating with Model Context Protocol\""],
        ..COMMON
    },
    Preset {
        provider: Provider::Entra,
        title: "Microsoft Entra ID",
        issuer: "https://login.microsoftonline.com/TENANT/v2.0, or https://sts.windows.net/TENANT/ \
                 for tokens of version 1 (requestedAccessTokenVersion in the manifest of the API)",
        audience_forms: &["", "api://"],
        audience_hint: "the API's application id, or its api:// URI",
        // `roles` are the application permissions of callers without a person, whose tokens have
        // no `scp`.
        scope_claims: &["scp", "roles"],
        prefix: PrefixIn::Requests,
        // ID tokens have neither, and can have the same audience and `roles`.
        marker: Marker::HasOne(&["azpacr", "appidacr"]),
        registered: RegisteredIn::Snapshot,
        sources: &[
            "Microsoft identity platform docs, \"Access token claims reference\"",
            "Microsoft identity platform docs, \"Scopes and permissions\"",
        ],
        ..COMMON
    },
    Preset {
        provider: Provider::Okta,
        title: "Okta, a custom authorization server",
        issuer: "https://DOMAIN/oauth2/SERVER",
        audience_hint: "the audience of the authorization server, such as api://default",
        scope_claims: &["scp"],
        // ID tokens have no `cid`.
        marker: Marker::HasOne(&["cid"]),
        sources: &["Okta docs, \"OpenID Connect & OAuth 2.0 API\", access token claims"],
        ..COMMON
    },
    Preset {
        provider: Provider::Workos,
        title: "WorkOS AuthKit",
        issuer: "https://SUBDOMAIN.authkit.app",
        audience_hint: "the resource indicator of the MCP server, which is its URL",
        scope_claims: &["scope"],
        // Its metadata lists the scopes of OpenID Connect only.
        registered: RegisteredIn::Snapshot,
        sources: &["WorkOS docs, \"AuthKit: Model Context Protocol\""],
        ..COMMON
    },
    Preset {
        provider: Provider::Descope,
        title: "Descope",
        issuer: "https://api.descope.com/v1/apps/agentic/PROJECT/MCP_SERVER",
        audience_hint: "the audience of the MCP server, which is its URL",
        scope_claims: &["scope"],
        sources: &["Descope docs, \"MCP Servers\" and \"Discovery Endpoints\""],
        ..COMMON
    },
    Preset {
        provider: Provider::Cognito,
        title: "Amazon Cognito",
        issuer: "https://cognito-idp.REGION.amazonaws.com/USER_POOL",
        // Its access tokens have no `aud` unless a resource was asked for.
        audience: AudienceIn::ClientId,
        audience_hint: "the app client's id",
        scope_claims: &["scope"],
        marker: Marker::Is("token_use", "access"),
        // Its metadata lists the scopes of OpenID Connect only.
        registered: RegisteredIn::Snapshot,
        sources: &[
            "Amazon Cognito docs, \"Understanding the access token\"",
            "Amazon Cognito docs, \"Scopes, M2M, and resource servers\"",
        ],
        ..COMMON
    },
    Preset {
        provider: Provider::Google,
        title: "Google",
        issuer: "https://accounts.google.com",
        fixed_issuer: Some("https://accounts.google.com"),
        keys: "none: its access tokens are opaque",
        tokens: Tokens::TokenInfo("https://oauth2.googleapis.com/tokeninfo"),
        audience_hint: "the OAuth client's id",
        scope_claims: &["scope"],
        // What it says of ID tokens has no `scope`.
        marker: Marker::HasOne(&["scope"]),
        // Its metadata lists the scopes of OpenID Connect only.
        registered: RegisteredIn::Snapshot,
        sources: &[
            "google-auth-library for Node, OAuth2Client.getTokenInfo",
            "Google Identity docs, \"OpenID Connect\"",
        ],
        ..COMMON
    },
    COMMON,
    Preset {
        provider: Provider::Oauth,
        title: "Any OAuth 2.0 authorization server: tokens after RFC 9068, or opaque ones",
        scope_claims: &["scope"],
        types: TokenTypes::AccessToken,
        ..COMMON
    },
];

impl Preset {
    /// What is known of a provider; `None` for the embedded issuer.
    pub fn of(provider: Provider) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.provider == provider)
    }
}

/// As `provider show` prints it.
impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audience = match self.audience {
            AudienceIn::Aud => "aud",
            AudienceIn::ClientId => "client_id",
        };
        let prefix = match self.prefix {
            PrefixIn::Requests => "where scopes are asked for; its tokens leave it out",
            PrefixIn::RequestsAndTokens => "where scopes are asked for, and in its tokens",
        };
        let types = match self.types {
            TokenTypes::AccessToken => "at+jwt",
            TokenTypes::AccessTokenOrPlain => "at+jwt, JWT or none",
        };
        let registered = match self.registered {
            RegisteredIn::Api(how) => how,
            RegisteredIn::Metadata => "scopes_supported of its metadata",
            RegisteredIn::Snapshot => "it does not say: write them as `registered` in [server]",
        };
        writeln!(f, "{}: provider = \"{}\"\n", self.title, self.provider.as_str())?;
        writeln!(f, "  issuer        {}", self.issuer)?;
        writeln!(f, "  keys          {}", self.keys)?;
        if let Tokens::TokenInfo(url) = self.tokens {
            writeln!(f, "  tokens        opaque: {url} is asked")?;
        }
        writeln!(f, "  audience      {audience}: {}", self.audience_hint)?;
        writeln!(f, "  scopes        {}", self.scope_claims.join(", else "))?;
        writeln!(f, "  scope_prefix  {prefix}")?;
        writeln!(f, "  typ           {types}")?;
        if self.marker != Marker::None {
            writeln!(f, "  access token  {}", self.marker)?;
        }
        writeln!(f, "  registered    {registered}")?;
        writeln!(f, "  sources       {}", self.sources.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_each() {
        let all: Vec<String> = PRESETS.iter().map(Preset::to_string).collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn every_word_of_the_policy_has_one_table() {
        for provider in Provider::all() {
            let tables = PRESETS.iter().filter(|preset| preset.provider == provider).count();
            assert_eq!(
                tables,
                usize::from(provider != Provider::Embedded),
                "{}",
                provider.as_str()
            );
        }
    }
}
