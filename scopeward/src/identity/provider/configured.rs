//! How a deployment reaches its providers: the policy and the environment put together.

use std::collections::HashSet;

use super::{PrefixIn, Preset, RegisteredIn, Tokens, scalekit::ManagementApi};
use crate::{
    identity::token::{
        AudienceIn, ClaimRules, EndpointAt, Introspection, IntrospectionClient, IssuerRules,
        KeysAt, Marker,
    },
    policy::{CompiledPolicy, Provider, ProviderSettings},
    remote::{RemoteError, checked},
    secret::{Secret, SecretError},
};

/// The providers of a deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfiguredProviders {
    /// Where callers sign in; `None` for the embedded issuer.
    pub(crate) main: Option<ConfiguredProvider>,
    /// Those whose tokens are accepted besides.
    pub(crate) also: Vec<ConfiguredProvider>,
}

/// A provider as this deployment has it.
#[derive(Debug, Clone)]
pub(crate) struct ConfiguredProvider {
    pub(crate) preset: &'static Preset,
    /// The issuers that its tokens may name.
    pub(crate) issuers: Vec<String>,
    /// The audiences that its tokens may be for.
    pub(crate) audiences: Vec<String>,
    /// The resource itself.
    resource: String,
    /// What stands before its scopes in tokens.
    scope_prefix: Option<String>,
    /// What stands before them where they are asked for, and registered.
    pub(crate) asked_prefix: Option<String>,
    pub(crate) check: TokenCheck,
    /// What protected resource metadata names (RFC 9728, section 2), and whose metadata is asked
    /// for the registered scopes.
    pub(crate) authorization_server: String,
    /// Scalekit's own API, which knows better than its metadata.
    pub(crate) management: Option<ManagementApi>,
    /// Where that metadata is, if not where the specification says.
    pub(crate) metadata_url: Option<String>,
}

/// How its tokens are checked.
#[derive(Debug, Clone)]
pub(crate) enum TokenCheck {
    /// By its keys.
    Keys(KeysAt),
    /// By asking it.
    Asking(Introspection),
}

/// What is missing or too much, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderConfigError {
    #[error("provider = \"{provider}\" needs {what}\n  = help: {help}")]
    Missing { provider: &'static str, what: &'static str, help: &'static str },
    #[error(
        "two providers have the issuer {0}\n  = help: take one of them out: which rules its tokens \
         follow would be a guess"
    )]
    SameIssuer(String),
    #[error(
        "two providers have opaque tokens\n  = help: take one of them out: to find out whose a \
         token is, it would have to be shown to both"
    )]
    TwoOpaque,
    #[error(transparent)]
    Address(#[from] RemoteError),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl ConfiguredProviders {
    /// All providers that the policy names. `variable` reads a setting of the deployment.
    pub(crate) fn of(
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let main = ConfiguredProvider::of(policy.trust(), policy, &variable)?;
        // What overrides the policy's issuer is about the first one.
        let others = |name: &str| variable(name).filter(|_| name != "ISSUER_URL");
        let also = policy.also().iter().map(|trust| ConfiguredProvider::of(trust, policy, others));
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

    /// Every one.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ConfiguredProvider> {
        self.main.iter().chain(&self.also)
    }
}

impl ConfiguredProvider {
    /// `None` for the embedded issuer.
    fn of(
        trust: &ProviderSettings,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProviderConfigError> {
        let Some(preset) = Preset::of(trust.provider()) else { return Ok(None) };
        let configured = match trust.provider() {
            Provider::Scalekit => Self::scalekit(preset, trust, policy, variable),
            _ => Self::by_issuer(preset, trust, policy, variable),
        }?;
        for url in configured.issuers.iter().chain([&configured.authorization_server]) {
            checked(url)?;
        }
        Ok(Some(configured))
    }

    fn by_issuer(
        preset: &'static Preset,
        trust: &ProviderSettings,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let provider = preset.provider.as_str();
        let written = trust.issuer().or(preset.fixed_issuer).map(str::to_owned);
        let issuer = variable("ISSUER_URL").or(written).ok_or(ProviderConfigError::Missing {
            provider,
            what: "its issuer",
            help: "write `issuer = \"https://…\"` beside it, or set ISSUER_URL",
        })?;
        // A client's id cannot be guessed from a URL.
        let needs_audience =
            preset.audience == AudienceIn::ClientId || preset.tokens != Tokens::Jwt;
        let audience = match trust.audience() {
            Some(audience) => audience,
            None if needs_audience => {
                return Err(ProviderConfigError::Missing {
                    provider,
                    what: "the id of the OAuth client that its tokens are for",
                    help: "write it as `audience = \"…\"` beside it",
                });
            }
            None => policy.resource().as_str(),
        };
        let audiences = match preset.audience_forms {
            [] => vec![audience.to_owned()],
            // Written in one of the forms, accepted in each.
            forms => {
                let bare = forms.iter().filter_map(|form| audience.strip_prefix(*form)).next_back();
                forms.iter().map(|form| format!("{form}{}", bare.unwrap_or(audience))).collect()
            }
        };
        let check = match introspection(preset, trust, &issuer, variable)? {
            Some(introspection) => TokenCheck::Asking(introspection),
            None => TokenCheck::Keys(KeysAt::Discovered { issuer: issuer.clone() }),
        };
        Ok(Self {
            preset,
            issuers: vec![issuer.clone()],
            audiences,
            resource: policy.resource().as_str().to_owned(),
            scope_prefix: granted_prefix(preset, trust),
            asked_prefix: trust.scope_prefix().map(str::to_owned),
            check,
            authorization_server: issuer,
            management: None,
            metadata_url: None,
        })
    }

    /// Scalekit's keys, issuers and audiences, as its own integrations have them (`sources` of its
    /// preset): keys at `{env}/keys`; the issuer is `{env}` or, since a migration,
    /// `{env}/resources/{id}`; the audience is the resource's id or its registered URL, which the
    /// dashboard writes with a slash at its end and, for some servers, without the endpoint's path.
    fn scalekit(
        preset: &'static Preset,
        trust: &ProviderSettings,
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
        let of_resource = format!("{environment}/resources/{id}");
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
        let check = match introspection(preset, trust, &of_resource, variable)? {
            Some(introspection) => TokenCheck::Asking(introspection),
            None => TokenCheck::Keys(KeysAt::Url(format!("{environment}/keys"))),
        };
        let well_known = "/.well-known/oauth-authorization-server/resources";
        Ok(Self {
            preset,
            issuers: vec![environment.clone(), of_resource.clone()],
            audiences,
            resource: url.to_owned(),
            scope_prefix: granted_prefix(preset, trust),
            asked_prefix: trust.scope_prefix().map(str::to_owned),
            check,
            authorization_server: of_resource,
            management,
            metadata_url: Some(format!("{environment}{well_known}/{id}")),
        })
    }

    /// What its tokens must say.
    pub(crate) fn issuer(&self) -> IssuerRules {
        let mut rules = ClaimRules {
            scopes: self.preset.scope_claims,
            prefix: self.scope_prefix.clone(),
            audience: self.preset.audience,
            marker: self.preset.marker,
        };
        if let TokenCheck::Asking(Introspection::Standard { .. }) = self.check {
            // Its answers are not its tokens: they have the members of RFC 7662.
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
    }

    /// Whether the registered scopes can be asked for.
    pub(crate) fn says_registered_scopes(&self) -> bool {
        self.preset.registered != RegisteredIn::Snapshot
    }
}

/// How the provider is asked about its tokens; `None` if it is not.
fn introspection(
    preset: &Preset,
    trust: &ProviderSettings,
    issuer: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Introspection>, ProviderConfigError> {
    let url = variable("INTROSPECTION_URL");
    if let Some(url) = &url {
        checked(url)?;
    }
    let missing = |what| ProviderConfigError::Missing {
        provider: preset.provider.as_str(),
        what,
        help: "with `opaque = true` its tokens are checked by asking it, as a client of its own: \
               set it in the environment or in .env",
    };
    match (preset.tokens, trust.is_opaque()) {
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

/// The prefix of the policy, if it stands in tokens as well.
fn granted_prefix(preset: &Preset, trust: &ProviderSettings) -> Option<String> {
    let prefix = trust.scope_prefix().map(str::to_owned);
    prefix.filter(|_| preset.prefix == PrefixIn::RequestsAndTokens)
}
