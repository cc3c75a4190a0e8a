//! Providers as the policy names them: who issues the tokens, and how the operator configured it.

use super::{Scope, settings::word};

/// Who issues the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Provider {
    /// The embedded issuer, for development.
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

    /// The word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, &self)
    }
}

/// A provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderSettings {
    pub(super) provider: Provider,
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) scope_prefix: Option<Scope>,
    pub(super) opaque: bool,
}

impl ProviderSettings {
    /// Which one.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Its issuer, if the policy says it.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What its tokens for this resource name as their audience, if it is not the URL.
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// What it writes before the scopes of this resource; the embedded issuer has none.
    pub fn scope_prefix(&self) -> Option<&str> {
        let prefix = self.scope_prefix.as_ref().map(Scope::as_str);
        prefix.filter(|_| self.provider != Provider::Embedded)
    }

    /// Whether its tokens are checked by asking it (RFC 7662), not by its keys.
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Each setting and its value, for messages.
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

    /// In one line: `keycloak, https://…`.
    pub(crate) fn describe(&self) -> String {
        let settings = self.settings().into_iter();
        let written = settings.filter(|(_, value)| value != "not written" && value != "false");
        written.map(|(_, value)| value).collect::<Vec<_>>().join(", ")
    }
}
