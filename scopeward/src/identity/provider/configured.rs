//! The providers of a deployment, as the policy and the environment configure them.

use std::collections::HashSet;

use super::scalekit::ManagementApi;
use crate::{
    identity::token::{
        ClaimRules, EndpointAt, Introspection, IntrospectionClient, IssuerRules, KeysAt,
        LearnedIssuer,
    },
    policy::{
        CompiledPolicy, ProviderSettings,
        provider::{AudienceIn, Marker, PrefixIn, Preset, RegisteredIn, Setup, Tokens},
    },
    remote::{RemoteError, checked},
    secret::{Secret, SecretError},
};

/// The providers of a deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfiguredProviders {
    /// The provider where callers sign in; `None` for the embedded issuer.
    pub(crate) main: Option<ConfiguredProvider>,
    /// Further providers whose tokens are accepted.
    pub(crate) also: Vec<ConfiguredProvider>,
}

/// A provider as this deployment configures it.
#[derive(Debug, Clone)]
pub(crate) struct ConfiguredProvider {
    pub(crate) preset: &'static Preset,
    /// The values of `iss` that its tokens may have.
    pub(crate) issuers: Vec<String>,
    /// The audiences that its tokens may be issued for.
    pub(crate) audiences: Vec<String>,
    /// The URL of the protected resource.
    pub(super) resource: String,
    /// The prefix of this resource's scopes in tokens.
    pub(super) scope_prefix: Option<String>,
    /// The prefix of this resource's scopes where scopes are requested and registered.
    pub(crate) asked_prefix: Option<String>,
    /// How its tokens are checked.
    pub(crate) check: TokenCheck,
    /// The authorization server, unless the metadata names another one.
    pub(super) authorization_server: String,
    /// Scalekit's management API. It is asked instead of the metadata, because it says exactly
    /// which scopes are registered for the resource.
    pub(crate) management: Option<ManagementApi>,
    /// The URL of the metadata, if it is not at the address that the specification gives.
    pub(crate) metadata_url: Option<String>,
    /// The issuer that the metadata names, if it may be another one.
    pub(crate) learned: LearnedIssuer,
}

/// How a provider's tokens are checked.
#[derive(Debug, Clone)]
pub(crate) enum TokenCheck {
    /// With the provider's public keys.
    Keys(KeysAt),
    /// By asking the provider about each token.
    Asking(Introspection),
}

/// A mistake in the configuration of the providers, with its fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderConfigError {
    #[error(
        "the program brings a provider of its own ({custom}), and the policy names another one: \
         {written}\n  = help: write `provider = \"{word}\"` in `[server]`, without an `issuer`; or take \
         the provider out of the program"
    )]
    OtherThanCustom { word: &'static str, custom: String, written: String },
    #[error("provider = \"{provider}\" needs {what}\n  = help: {help}")]
    Missing { provider: &'static str, what: &'static str, help: &'static str },
    #[error(
        "two providers have the issuer {0}\n  = help: remove one of them, because it would be a \
         guess whose rules apply to a token; for several audiences, write `audience` as a list"
    )]
    SameIssuer(String),
    #[error(
        "two providers have opaque tokens\n  = help: remove one of them, because a token would have \
         to be shown to both to find out whose it is"
    )]
    TwoOpaque,
    #[error(transparent)]
    Address(#[from] RemoteError),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl ConfiguredProviders {
    /// Configures all providers that the policy names. `variable` reads a setting of the
    /// deployment.
    pub(crate) fn of(
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let main = ConfiguredProvider::of(policy.provider_settings(), policy, &variable)?;
        // ISSUER_URL overrides the issuer of the main provider only.
        let others = |name: &str| variable(name).filter(|_| name != "ISSUER_URL");
        let also =
            policy.also().iter().map(|settings| ConfiguredProvider::of(settings, policy, others));
        let also = also.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let providers = Self { main, also };
        let mut seen = HashSet::new();
        for issuer in providers.all().flat_map(|configured| &configured.issuers) {
            if !seen.insert(issuer) {
                return Err(ProviderConfigError::SameIssuer(issuer.clone()));
            }
        }
        let is_opaque =
            |configured: &&ConfiguredProvider| matches!(configured.check, TokenCheck::Asking(_));
        if providers.all().filter(is_opaque).count() > 1 {
            return Err(ProviderConfigError::TwoOpaque);
        }
        Ok(providers)
    }

    /// All providers, the main one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ConfiguredProvider> {
        self.main.iter().chain(&self.also)
    }
}

impl ConfiguredProvider {
    /// Configures one provider; gives `None` for the embedded issuer.
    fn of(
        settings: &ProviderSettings,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProviderConfigError> {
        let Some(preset) = settings.provider().preset() else { return Ok(None) };
        let configured = match preset.setup {
            Setup::Scalekit => Self::scalekit(preset, settings, policy, variable),
            Setup::ByIssuer => Self::by_issuer(preset, settings, policy, variable),
        }?;
        for url in configured.issuers.iter().chain([&configured.authorization_server]) {
            checked(url)?;
        }
        Ok(Some(configured))
    }

    /// Configures a provider that is found by its issuer alone.
    fn by_issuer(
        preset: &'static Preset,
        settings: &ProviderSettings,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let provider = preset.word;
        let written = settings.issuer().or(preset.fixed_issuer).map(str::to_owned);
        let issuer = variable("ISSUER_URL").or(written).ok_or(ProviderConfigError::Missing {
            provider,
            what: "its issuer",
            help: "write `issuer = \"https://…\"` beside it, or set ISSUER_URL",
        })?;
        // The id of a client must be written, because it cannot be derived from a URL.
        let needs_audience =
            preset.audience == AudienceIn::ClientId || preset.tokens != Tokens::Jwt;
        let written = match settings.audiences() {
            [] if needs_audience => {
                return Err(ProviderConfigError::Missing {
                    provider,
                    what: "the id of the OAuth client that its tokens are for",
                    help: "write it as `audience = \"…\"` beside it",
                });
            }
            [] => &[policy.resource().as_str().to_owned()],
            several => several,
        };
        let audiences = written.iter().flat_map(|one| every_form(preset, one)).collect();
        let check = match introspection(preset, settings, &issuer, variable)? {
            Some(introspection) => TokenCheck::Asking(introspection),
            None => TokenCheck::Keys(KeysAt::Discovered { issuer: issuer.clone() }),
        };
        Ok(Self {
            preset,
            issuers: vec![issuer.clone()],
            audiences,
            resource: policy.resource().as_str().to_owned(),
            scope_prefix: granted_prefix(preset, settings),
            asked_prefix: settings.scope_prefix().map(str::to_owned),
            check,
            authorization_server: issuer,
            management: None,
            metadata_url: None,
            learned: LearnedIssuer::default(),
        })
    }

    /// Configures Scalekit with the keys, issuers and audiences that its own integrations use
    /// (`sources` of its preset). The keys are at `{env}/keys`. The issuer is `{env}` or, since a
    /// migration, `{env}/resources/{id}`. The audience is the resource's id or its registered URL.
    /// The dashboard writes that URL with a slash at its end and, for some servers, without the
    /// endpoint's path.
    fn scalekit(
        preset: &'static Preset,
        settings: &ProviderSettings,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let missing = |what| ProviderConfigError::Missing {
            provider: "scalekit",
            what,
            help: "set it in the environment or in .env; Scalekit's dashboard shows it",
        };
        let environment = variable("SCALEKIT_ENVIRONMENT_URL")
            .ok_or_else(|| missing("SCALEKIT_ENVIRONMENT_URL"))?;
        let environment = environment.trim_end_matches('/').to_owned();
        let id = variable("SCALEKIT_RESOURCE_ID").ok_or_else(|| missing("SCALEKIT_RESOURCE_ID"))?;
        let resource_issuer = format!("{environment}/resources/{id}");
        let url = policy.resource().as_str();
        let registered = variable("MCP_URL");
        let registered = registered.as_deref().map_or(url, |url| url.trim_end_matches('/'));
        let mut audiences = vec![id.clone()];
        audiences.extend([url.to_owned(), format!("{url}/")]);
        if registered != url {
            audiences.extend([registered.to_owned(), format!("{registered}/")]);
        }
        let secret = Secret::setting("SCALEKIT_CLIENT_SECRET", &variable)?;
        let credentials = variable("SCALEKIT_CLIENT_ID").zip(secret);
        let management = credentials.map(|(client_id, client_secret)| ManagementApi {
            environment: environment.clone(),
            resource_id: id.clone(),
            client_id,
            client_secret,
        });
        let check = match introspection(preset, settings, &resource_issuer, variable)? {
            Some(introspection) => TokenCheck::Asking(introspection),
            None => TokenCheck::Keys(KeysAt::Url(format!("{environment}/keys"))),
        };
        let well_known = "/.well-known/oauth-authorization-server/resources";
        Ok(Self {
            preset,
            issuers: vec![environment.clone(), resource_issuer.clone()],
            audiences,
            resource: url.to_owned(),
            scope_prefix: granted_prefix(preset, settings),
            asked_prefix: settings.scope_prefix().map(str::to_owned),
            check,
            authorization_server: resource_issuer,
            management,
            metadata_url: Some(format!("{environment}{well_known}/{id}")),
            learned: LearnedIssuer::at(format!("/resources/{id}")),
        })
    }

    /// The authorization server that protected resource metadata names (RFC 9728, section 2), and whose
    /// metadata lists the registered scopes: the one that the metadata names, once it was read.
    pub(crate) fn authorization_server(&self) -> &str {
        self.learned.names().first().map_or(&self.authorization_server, |learned| &**learned)
    }

    /// The rules for this provider's tokens.
    pub(crate) fn issuer(&self) -> IssuerRules {
        let mut rules = ClaimRules {
            scopes: self.preset.scope_claims,
            takes_list: self.preset.takes_scope_list,
            prefix: self.scope_prefix.clone(),
            audience: self.preset.audience,
            marker: self.preset.marker,
        };
        if let TokenCheck::Asking(Introspection::Standard { .. }) = self.check {
            // An introspection answer has the members of RFC 7662, not the claims of a token.
            rules.scopes = &["scope"];
            if let Marker::HasOne(_) = rules.marker {
                rules.marker = Marker::HasOne(&["token_type"]);
            }
        }
        IssuerRules::new(
            self.issuers.clone(),
            self.audiences.clone(),
            self.resource.clone(),
            self.preset.types,
            rules,
        )
        .or_learned(self.learned.clone())
    }

    /// Whether the provider can be asked for the registered scopes.
    pub(crate) fn says_registered_scopes(&self) -> bool {
        self.preset.registered != RegisteredIn::Snapshot
    }
}

/// The forms that an audience may have in tokens, whichever one the policy writes.
fn every_form(preset: &Preset, audience: &str) -> Vec<String> {
    let forms = preset.audience_forms;
    if forms.is_empty() {
        return vec![audience.to_owned()];
    }
    let bare = forms.iter().filter_map(|form| audience.strip_prefix(*form)).next_back();
    forms.iter().map(|form| format!("{form}{}", bare.unwrap_or(audience))).collect()
}

/// How the provider is asked about its tokens; `None` if they are checked with its keys.
fn introspection(
    preset: &Preset,
    settings: &ProviderSettings,
    issuer: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Introspection>, ProviderConfigError> {
    let url = variable("INTROSPECTION_URL");
    if let Some(url) = &url {
        checked(url)?;
    }
    let missing = |what| ProviderConfigError::Missing {
        provider: preset.word,
        what,
        help: "with `opaque = true` the server asks the provider about each token, as an OAuth client: \
               set it in the environment or in .env",
    };
    match (preset.tokens, settings.is_opaque()) {
        (Tokens::TokenInfo(fixed), _) => {
            let url = url.unwrap_or_else(|| fixed.to_owned());
            Ok(Some(Introspection::TokenInfo { url }))
        }
        (Tokens::Jwt, false) => Ok(None),
        (Tokens::Jwt, true) => {
            let id = variable("INTROSPECTION_CLIENT_ID");
            let id = id.ok_or_else(|| missing("INTROSPECTION_CLIENT_ID"))?;
            let secret = Secret::setting("INTROSPECTION_CLIENT_SECRET", &variable)?;
            let secret = secret.ok_or_else(|| missing("INTROSPECTION_CLIENT_SECRET"))?;
            let endpoint = match url {
                Some(url) => EndpointAt::Url(url),
                None => EndpointAt::Discovered { issuer: issuer.to_owned() },
            };
            let client = IntrospectionClient { id, secret };
            Ok(Some(Introspection::Standard { endpoint, client }))
        }
    }
}

/// The policy's scope prefix, if this provider's tokens contain it.
pub(super) fn granted_prefix(preset: &Preset, settings: &ProviderSettings) -> Option<String> {
    let prefix = settings.scope_prefix().map(str::to_owned);
    prefix.filter(|_| preset.prefix == PrefixIn::RequestsAndTokens)
}
