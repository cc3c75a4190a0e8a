//! A provider that the program configures in its own code.

use super::{
    ConfiguredProvider, ConfiguredProviders, ProviderConfigError, TokenCheck,
    configured::granted_prefix,
};
use crate::{
    identity::token::{KeysAt, LearnedIssuer},
    policy::{CompiledPolicy, provider::Preset},
    remote::checked,
};

/// A provider that the program configures in its own code, in place of settings in the policy and the
/// environment. Its access tokens are JWTs, which are checked with its keys.
///
/// The policy says `provider = "oidc"` or `provider = "oauth"`, so that everybody who reads it knows
/// that the embedded issuer is not in use.
///
/// ```
/// use scopeward::CustomProvider;
///
/// let provider = CustomProvider::oidc("https://id.example.com/tenants/7")
///     .audience("https://notes.example.com/mcp")
///     .audience("notes");
/// ```
///
/// ```
/// use scopeward::CustomProvider;
///
/// // A server without metadata, whose keys stand at an address of their own.
/// let provider = CustomProvider::oauth("https://as.example.com").keys_at("https://as.example.com/keys");
/// ```
#[derive(Debug, Clone)]
pub struct CustomProvider {
    word: &'static str,
    issuer: String,
    audiences: Vec<String>,
    keys: Option<String>,
}

impl CustomProvider {
    /// An OpenID Connect provider. Its keys are found in its metadata (OpenID Connect Discovery 1.0).
    pub fn oidc(issuer: impl Into<String>) -> Self {
        Self::of("oidc", issuer)
    }

    /// An OAuth 2.0 authorization server. Its keys are found in its metadata (RFC 8414).
    pub fn oauth(issuer: impl Into<String>) -> Self {
        Self::of("oauth", issuer)
    }

    fn of(word: &'static str, issuer: impl Into<String>) -> Self {
        Self { word, issuer: issuer.into(), audiences: vec![], keys: None }
    }

    /// Adds an audience that tokens may be for. Without any, tokens must be for the server's URL
    /// (RFC 8707).
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the address of the provider's keys (a JWK Set, RFC 7517, section 5), for a provider that
    /// has no metadata.
    #[must_use]
    pub fn keys_at(mut self, url: impl Into<String>) -> Self {
        self.keys = Some(url.into());
        self
    }

    /// The providers of a server whose policy names this one.
    pub(crate) fn configured(
        &self,
        policy: &CompiledPolicy,
    ) -> Result<ConfiguredProviders, ProviderConfigError> {
        let settings = policy.provider_settings();
        let preset = self.preset_of(policy)?;
        checked(&self.issuer)?;
        if let Some(url) = &self.keys {
            checked(url)?;
        }
        let resource = policy.resource().as_str().to_owned();
        let audiences = match &*self.audiences {
            [] => vec![resource.clone()],
            given => given.to_vec(),
        };
        let keys = match &self.keys {
            Some(url) => KeysAt::Url(url.clone()),
            None => KeysAt::Discovered { issuer: self.issuer.clone() },
        };
        let main = ConfiguredProvider {
            preset,
            issuers: vec![self.issuer.clone()],
            audiences,
            resource,
            scope_prefix: granted_prefix(preset, settings),
            asked_prefix: settings.scope_prefix().map(str::to_owned),
            check: TokenCheck::Keys(keys),
            authorization_server: self.issuer.clone(),
            management: None,
            metadata_url: None,
            learned: LearnedIssuer::default(),
        };
        Ok(ConfiguredProviders { main: Some(main), also: vec![] })
    }

    /// The preset, if the policy names this provider and no further one.
    fn preset_of(&self, policy: &CompiledPolicy) -> Result<&'static Preset, ProviderConfigError> {
        let settings = policy.provider_settings();
        let named = settings.provider();
        let written = match (named.preset(), settings.issuer(), policy.also()) {
            (Some(preset), ..) if preset.word != self.word => format!("`{}`", preset.word),
            (_, Some(issuer), _) if issuer != self.issuer => format!("`issuer = \"{issuer}\"`"),
            (_, _, [further, ..]) => format!("also `{}`", further.provider().as_str()),
            (Some(preset), ..) => return Ok(preset),
            (None, ..) => format!("`{}`", named.as_str()),
        };
        let custom = format!("`{}`, {}", self.word, self.issuer);
        Err(ProviderConfigError::OtherThanCustom { word: self.word, custom, written })
    }
}
