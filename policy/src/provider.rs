//! Providers: who issues the tokens, and how the operator configured it.
//!
//! A provider is one table of [`PRESETS`]; its name in the policy, its facts and its documentation come
//! from there.

mod marker;
mod preset;
mod token_types;

use std::sync::LazyLock;

pub use marker::Marker;
pub use preset::{AudienceIn, PRESETS, PrefixIn, Preset, RegisteredIn, Setup, Tokens};
pub use token_types::TokenTypes;

use super::Scope;

/// A provider, as `provider = "…"` names it: the embedded issuer, or one of the [`PRESETS`].
///
/// ```
/// use scopeward_policy::provider::Provider;
///
/// let keycloak = Provider::named("keycloak").expect("a preset");
/// assert_eq!(keycloak.preset().map(|preset| preset.title), Some("Keycloak"));
/// assert!(Provider::named("embedded").is_some_and(Provider::is_embedded));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Provider(Option<&'static Preset>);

/// The word of the embedded issuer.
const EMBEDDED: &str = "embedded";

/// Every word and its provider, in the order in which messages list them.
static WORDS: LazyLock<Vec<(&str, Provider)>> = LazyLock::new(|| {
    let presets = PRESETS.iter().map(|preset| (preset.word, Provider(Some(preset))));
    std::iter::once((EMBEDDED, Provider(None))).chain(presets).collect()
});

impl Provider {
    /// The provider of this word; `None` if there is none.
    pub fn named(word: &str) -> Option<Self> {
        Self::words().iter().find(|(known, _)| *known == word).map(|(_, provider)| *provider)
    }

    pub(crate) fn words() -> &'static [(&'static str, Self)] {
        &WORDS
    }

    /// The provider's word in `policy.toml`.
    pub fn as_str(self) -> &'static str {
        self.0.map_or(EMBEDDED, |preset| preset.word)
    }

    /// The provider's table of facts; `None` for the embedded issuer.
    pub fn preset(self) -> Option<&'static Preset> {
        self.0
    }

    /// Whether it is the embedded issuer, for development.
    pub fn is_embedded(self) -> bool {
        self.0.is_none()
    }
}

/// By its word: there is one preset of each.
impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Provider {}

/// The settings of a provider whose tokens are accepted.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Provider, diagnostic::Source};
///
/// let text = r#"
///     version = 1
///     [server]
///     url = "https://mcp.example.com/mcp"
///     provider = "oidc"
///     issuer = "https://login.example.com"
///     opaque = true
/// "#;
/// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
/// let settings = policy.provider_settings();
/// assert_eq!(settings.provider().as_str(), "oidc");
/// assert_eq!(settings.issuer(), Some("https://login.example.com"));
/// assert!(settings.is_opaque() && settings.audiences().is_empty() && settings.scope_prefix().is_none());
/// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderSettings {
    pub(super) provider: Provider,
    pub(super) issuer: Option<String>,
    pub(super) audiences: Vec<String>,
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

    /// The audiences of the provider's tokens for this server; none if it is the server's URL.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, diagnostic::Source};
    ///
    /// let text = r#"
    ///     version = 1
    ///     [server]
    ///     url = "https://mcp.example.com/mcp"
    ///     provider = "oidc"
    ///     issuer = "https://login.example.com"
    ///     audience = ["web", "desktop"]
    /// "#;
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// assert_eq!(policy.provider_settings().audiences(), ["web", "desktop"]);
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The prefix that the provider writes before this server's scopes. The embedded issuer has none.
    pub fn scope_prefix(&self) -> Option<&str> {
        let prefix = self.scope_prefix.as_ref().map(Scope::as_str);
        prefix.filter(|_| !self.provider.is_embedded())
    }

    /// Whether tokens are checked by asking the provider (RFC 7662), and not by its keys.
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Each setting with its value as text, for messages.
    pub(crate) fn settings(&self) -> [(&'static str, String); 5] {
        let text = |setting: Option<&str>| setting.unwrap_or("not written").to_owned();
        let audience = match &*self.audiences {
            [] => text(None),
            several => several.join(" or "),
        };
        [
            ("provider", self.provider.as_str().to_owned()),
            ("issuer", text(self.issuer())),
            ("audience", audience),
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
