//! Providers: who issues the tokens, and how the operator configured each.

use super::{Scope, settings::word};

/// Who issues the tokens, by its word in `policy.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Provider {
    /// The embedded issuer, for development on one machine.
    #[default]
    Embedded,
    /// Scalekit.
    Scalekit,
    /// Auth0.
    Auth0,
    /// Keycloak.
    Keycloak,
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// `WorkOS` `AuthKit`.
    Workos,
    /// Descope.
    Descope,
    /// Amazon Cognito.
    Cognito,
    /// Google.
    Google,
    /// Any OpenID Connect provider with JWT access tokens, by its issuer.
    Oidc,
    /// Any OAuth 2.0 authorization server with access tokens after RFC 9068, by its issuer.
    Oauth,
}

impl Provider {
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("embedded", Self::Embedded),
        ("scalekit", Self::Scalekit),
        ("auth0", Self::Auth0),
        ("keycloak", Self::Keycloak),
        ("entra", Self::Entra),
        ("okta", Self::Okta),
        ("workos", Self::Workos),
        ("descope", Self::Descope),
        ("cognito", Self::Cognito),
        ("google", Self::Google),
        ("oidc", Self::Oidc),
        ("oauth", Self::Oauth),
    ];

    /// Every provider that a policy can name.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::WORDS.iter().map(|(_, provider)| *provider)
    }

    /// The provider's word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// The settings of a provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderSettings {
    pub(super) provider: Provider,
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) scope_prefix: Option<Scope>,
    pub(super) opaque: bool,
}

impl ProviderSettings {
    /// The provider.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The provider's issuer, if the policy names it.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The audience of the provider's tokens for this server, if it is not the server's URL.
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// The prefix that the provider writes before this server's scopes. The embedded issuer has none.
    pub fn scope_prefix(&self) -> Option<&str> {
        let prefix = self.scope_prefix.as_ref().map(Scope::as_str);
        prefix.filter(|_| self.provider != Provider::Embedded)
    }

    /// Whether tokens are checked by asking the provider (RFC 7662), and not by its keys.
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Each setting with its value as text, for messages.
    pub(crate) fn settings(&self) -> [(&'static str, String); 5] {
        let text = |setting: Option<&str>| setting.unwrap_or("not written").to_owned();
        [
            ("provider", self.provider.as_str().to_owned()),
            ("issuer", text(self.issuer())),
            ("audience", text(self.audience())),
            ("scope_prefix", text(self.scope_prefix())),
            ("opaque", self.opaque.to_string()),
        ]
    }

    /// The written settings in one line: `keycloak, https://…`.
    pub(crate) fn describe(&self) -> String {
        let settings = self.settings().into_iter();
        let written = settings.filter(|(_, value)| value != "not written" && value != "false");
        written.map(|(_, value)| value).collect::<Vec<_>>().join(", ")
    }
}
