//! The presets: one table for each provider, with the form of its access tokens and the place where
//! its registered scopes can be read. A provider has code of its own only where a table is not
//! enough.

use std::fmt;

use super::{Marker, TokenTypes};

/// A preset: the table of facts about one provider.
///
/// ```
/// use scopeward_policy::provider::{
///     AudienceIn, Marker, PRESETS, PrefixIn, Preset, RegisteredIn, Setup, TokenTypes, Tokens,
/// };
///
/// let cognito: &Preset = PRESETS.iter().find(|one| one.word == "cognito").ok_or("no preset")?;
/// assert!(matches!(cognito.audience, AudienceIn::ClientId));
/// // Each fact has its type, and a document that it comes from.
/// let facts: (&Tokens, &Marker, &PrefixIn, &RegisteredIn, &Setup, &TokenTypes) = (
///     &cognito.tokens, &cognito.marker, &cognito.prefix, &cognito.registered, &cognito.setup, &cognito.types,
/// );
/// assert!(!cognito.sources.is_empty());
/// # let _ = facts;
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Preset {
    /// The word in `policy.toml`.
    pub word: &'static str,
    /// The provider's name for people.
    pub title: &'static str,
    /// The form of its issuer, which is compared byte by byte.
    pub issuer: &'static str,
    /// The issuer, if it is the same in every deployment.
    pub fixed_issuer: Option<&'static str>,
    /// Where its keys are published.
    pub keys: &'static str,
    /// How its access tokens are checked.
    pub tokens: Tokens,
    /// The claim that names the audience of a token.
    pub audience: AudienceIn,
    /// The prefixes that an audience may have. Each form is accepted in tokens, whichever one the
    /// policy writes.
    pub audience_forms: &'static [&'static str],
    /// A hint for people: the value to write as `audience`.
    pub audience_hint: &'static str,
    /// The claims that may hold the scopes. Only the first one that a token has counts, because two
    /// claims must not add up to more.
    pub scope_claims: &'static [&'static str],
    /// Whether `scope` may be a list of strings in its tokens, and not only one string.
    pub takes_scope_list: bool,
    /// Where the policy's `scope_prefix` appears.
    pub prefix: PrefixIn,
    /// The mark that tells its access tokens from its other tokens.
    pub marker: Marker,
    /// The `typ` headers that its access tokens may have.
    pub types: TokenTypes,
    /// Where the registered scopes can be read.
    pub registered: RegisteredIn,
    /// How a deployment of it is reached.
    pub setup: Setup,
    /// The settings at the provider that a sign-in needs, and that cannot be seen from here.
    pub preconditions: &'static [&'static str],
    /// Its error for a client that asks for a scope which is not registered, if that is known.
    pub unregistered: Option<&'static str>,
    /// The documents that these facts come from.
    pub sources: &'static [&'static str],
}

/// How a provider's access tokens are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// JWTs, which are checked with the issuer's keys. With `opaque` in the policy, the issuer is
    /// asked about each token instead (RFC 7662).
    Jwt,
    /// Opaque tokens. This URL describes a token to everyone who has it.
    TokenInfo(&'static str),
}

/// Where the registered scopes can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisteredIn {
    /// The provider's own API, if the deployment has credentials for it; otherwise its metadata.
    Api(&'static str),
    /// `scopes_supported` of the authorization server's metadata.
    Metadata,
    /// Nowhere outside the provider. The policy lists the scopes (`registered`), or a snapshot
    /// does.
    Snapshot,
}

/// Where the prefix of a resource's scopes appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixIn {
    /// In requests for scopes only; tokens leave it out.
    Requests,
    /// In requests for scopes, and in tokens.
    RequestsAndTokens,
}

/// The claim that names the audience of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceIn {
    /// `aud` (RFC 9068, section 2.2).
    Aud,
    /// `client_id`, because access tokens of this issuer have no `aud`. If a token has an `aud` all
    /// the same, the `aud` must name the resource.
    ClientId,
}

/// How a deployment of a provider is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// By its issuer, whose metadata has the rest.
    ByIssuer,
    /// By the environment variables that a Scalekit user has.
    Scalekit,
}

const RFC_9068: &str = "RFC 9068, sections 2 and 4";
const RFC_8414: &str = "RFC 8414, section 2";
const BY_METADATA: &str = "jwks_uri of its metadata";
const THE_URL: &str = "the resource's URL (RFC 8707)";

/// The facts that most providers share. Each table writes only its differences.
const COMMON: Preset = Preset {
    word: "oidc",
    title: "Any OpenID Connect provider with JWT access tokens",
    issuer: "as its metadata says",
    fixed_issuer: None,
    keys: BY_METADATA,
    tokens: Tokens::Jwt,
    audience: AudienceIn::Aud,
    audience_forms: &[],
    audience_hint: THE_URL,
    scope_claims: &["scope", "scp", "scopes"],
    takes_scope_list: true,
    prefix: PrefixIn::RequestsAndTokens,
    marker: Marker::None,
    types: TokenTypes::AccessTokenOrPlain,
    registered: RegisteredIn::Metadata,
    setup: Setup::ByIssuer,
    preconditions: &[],
    unregistered: None,
    sources: &[RFC_9068, RFC_8414],
};

/// The presets of all providers except the embedded issuer.
pub static PRESETS: &[Preset] = &[
    Preset {
        word: "scalekit",
        setup: Setup::Scalekit,
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
        word: "auth0",
        title: "Auth0",
        issuer: "https://TENANT.REGION.auth0.com/, with the slash at its end",
        audience_hint: "the API's identifier",
        // `permissions` is left out, because it lists what the person may do, even if the client
        // was not granted it.
        scope_claims: &["scope"],
        registered: RegisteredIn::Snapshot,
        preconditions: &[
            "turn on the Resource Parameter Compatibility Profile (Settings, Advanced), because \
             clients of MCP name this server as `resource`; without it Auth0 answers \"The userinfo \
             audience is not allowed for third party clients\"",
        ],
        sources: &[
            "Auth0 docs, \"Access Token Profiles\"",
            "Auth0 docs, \"Validate Access Tokens\"",
            "Auth0 support, \"MCP Audience Error with Auth0\"",
        ],
        ..COMMON
    },
    Preset {
        word: "keycloak",
        title: "Keycloak",
        issuer: "https://HOST/realms/REALM",
        audience_hint: "what the realm's audience mapper writes",
        scope_claims: &["scope"],
        marker: Marker::Is("typ", "Bearer"),
        preconditions: &[
            "add an audience mapper for this server to a client scope, because Keycloak takes no \
             audience from `resource` unless its experimental resource indicators are on",
        ],
        sources: &["Keycloak docs, \"Integrating with Model Context Protocol\""],
        ..COMMON
    },
    Preset {
        word: "entra",
        title: "Microsoft Entra ID",
        issuer: "https://login.microsoftonline.com/TENANT/v2.0, or https://sts.windows.net/TENANT/ \
                 for tokens of version 1 (requestedAccessTokenVersion in the manifest of the API)",
        audience_forms: &["", "api://"],
        audience_hint: "the API's application id, or its api:// URI",
        // Callers without a person have tokens without `scp`, and their application permissions are
        // in `roles`.
        scope_claims: &["scp", "roles"],
        prefix: PrefixIn::Requests,
        // ID tokens can have the same audience and `roles`, but they have neither of these claims.
        marker: Marker::HasOne(&["azpacr", "appidacr"]),
        registered: RegisteredIn::Snapshot,
        sources: &[
            "Microsoft identity platform docs, \"Access token claims reference\"",
            "Microsoft identity platform docs, \"Scopes and permissions\"",
        ],
        ..COMMON
    },
    Preset {
        word: "okta",
        title: "Okta, a custom authorization server",
        issuer: "https://DOMAIN/oauth2/SERVER",
        audience_hint: "the audience of the authorization server, such as api://default",
        scope_claims: &["scp"],
        // ID tokens have no `cid`.
        marker: Marker::HasOne(&["cid"]),
        unregistered: Some(
            "invalid_scope: One or more scopes are not configured for the authorization server \
             resource",
        ),
        sources: &[
            "Okta docs, \"OpenID Connect & OAuth 2.0 API\", access token claims",
            "Okta support, \"Custom scopes are not allowed for this request\"",
        ],
        ..COMMON
    },
    Preset {
        word: "workos",
        title: "WorkOS AuthKit",
        issuer: "https://SUBDOMAIN.authkit.app",
        audience_hint: "the resource indicator of the MCP server, which is its URL",
        scope_claims: &["scope"],
        takes_scope_list: false,
        // Its metadata lists the scopes of OpenID Connect only.
        registered: RegisteredIn::Snapshot,
        sources: &["WorkOS docs, \"AuthKit: Model Context Protocol\""],
        ..COMMON
    },
    Preset {
        word: "descope",
        title: "Descope",
        issuer: "https://api.descope.com/v1/apps/agentic/PROJECT/MCP_SERVER",
        audience_hint: "the audience of the MCP server, which is its URL",
        scope_claims: &["scope"],
        takes_scope_list: false,
        sources: &["Descope docs, \"MCP Servers\" and \"Discovery Endpoints\""],
        ..COMMON
    },
    Preset {
        word: "cognito",
        title: "Amazon Cognito",
        issuer: "https://cognito-idp.REGION.amazonaws.com/USER_POOL",
        // Its access tokens have no `aud` unless a resource was requested.
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
        word: "google",
        title: "Google",
        issuer: "https://accounts.google.com",
        fixed_issuer: Some("https://accounts.google.com"),
        keys: "none: its access tokens are opaque",
        tokens: Tokens::TokenInfo("https://oauth2.googleapis.com/tokeninfo"),
        audience_hint: "the OAuth client's id",
        scope_claims: &["scope"],
        // Google's answer about an ID token has no `scope`.
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
        word: "oauth",
        title: "Any OAuth 2.0 authorization server: tokens after RFC 9068, or opaque ones",
        scope_claims: &["scope"],
        types: TokenTypes::AccessToken,
        ..COMMON
    },
];

/// Writes the preset as `provider show` prints it.
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
        writeln!(f, "{}: provider = \"{}\"\n", self.title, self.word)?;
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
        for precondition in self.preconditions {
            writeln!(f, "  at {:11}{precondition}", self.word)?;
        }
        writeln!(f, "  sources       {}", self.sources.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_printed_in_full() {
        let all: Vec<String> = PRESETS.iter().map(Preset::to_string).collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn each_preset_has_a_word_of_its_own() {
        for (number, preset) in PRESETS.iter().enumerate() {
            assert_ne!(preset.word, "embedded");
            assert!(PRESETS[..number].iter().all(|other| other.word != preset.word));
        }
    }
}
