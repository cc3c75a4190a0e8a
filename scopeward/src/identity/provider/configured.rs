//! The providers of a deployment, as the policy and the environment configure them.

use super::scalekit::ManagementApi;
use crate::{
    identity::token::{
        ClaimRules, EndpointAt, Introspection, IntrospectionClient, IssuerRules, KeysAt,
        LearnedIssuer,
    },
    policy::{
        CompiledPolicy, ProviderSettings,
        provider::{Marker, PrefixIn, Preset, RegisteredIn},
        served::{Asked, ProviderFault, Reached, ServedProvider, ServedProviders},
    },
    remote::RemoteError,
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
    #[error("{}", all(.0))]
    Faults(Vec<ProviderFault>),
    #[error(transparent)]
    Address(#[from] RemoteError),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl ProviderConfigError {
    /// Each mistake with what to do about it.
    pub(crate) fn into_faults(self) -> Vec<ProviderFault> {
        match self {
            Self::Faults(faults) => faults,
            other => vec![fault(&other)],
        }
    }
}

/// An error as a fault: its text ends in its help, if it has one.
pub(crate) fn fault(error: &impl ToString) -> ProviderFault {
    let text = error.to_string();
    let (text, help) = text.split_once("\n  = help: ").unwrap_or((&text, "correct it"));
    ProviderFault::new(text, help)
}

/// All faults as one message, each with its own help.
fn all(faults: &[ProviderFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("\nerror: ")
}

impl ConfiguredProviders {
    /// Configures all providers that the policy names. `variable` reads a setting of the
    /// deployment.
    pub(crate) fn of(
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let ServedProviders { main, also } =
            policy.served_providers(&variable).map_err(ProviderConfigError::Faults)?;
        let configured = |served| ConfiguredProvider::of(served, policy, &variable);
        let main = main.map(configured).transpose()?;
        let also = also.into_iter().map(configured).collect::<Result<_, _>>()?;
        Ok(Self { main, also })
    }

    /// All providers, the main one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ConfiguredProvider> {
        self.main.iter().chain(&self.also)
    }
}

impl ConfiguredProvider {
    /// Configures one provider.
    fn of(
        served: ServedProvider<'_>,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProviderConfigError> {
        let ServedProvider { preset, settings, reached, asked } = served;
        let url = policy.resource().as_str();
        let (issuers, authorization_server) = (reached.issuers(), reached.authorization_server());
        let introspection = introspection(asked, &authorization_server, &variable)?;
        let by_keys_at = |keys| introspection.map_or(TokenCheck::Keys(keys), TokenCheck::Asking);
        let (audiences, check, management, metadata_url, learned) = match reached {
            Reached::ByIssuer { issuer } => {
                let audiences = match settings.audiences() {
                    [] => &[url.to_owned()],
                    several => several,
                };
                let audiences = audiences.iter().flat_map(|one| every_form(preset, one)).collect();
                let check = by_keys_at(KeysAt::Discovered { issuer });
                (audiences, check, None, None, LearnedIssuer::default())
            }
            Reached::Scalekit { environment, resource } => {
                let audiences = scalekit_audiences(&resource, url, &variable);
                let check = by_keys_at(KeysAt::Url(format!("{environment}/keys")));
                let management = management(&environment, &resource, &variable)?;
                let metadata = format!(
                    "{environment}/.well-known/oauth-authorization-server/resources/{resource}"
                );
                let learned = LearnedIssuer::at(format!("/resources/{resource}"));
                (audiences, check, management, Some(metadata), learned)
            }
        };
        Ok(Self {
            preset,
            issuers,
            audiences,
            resource: url.to_owned(),
            scope_prefix: granted_prefix(preset, settings),
            asked_prefix: settings.scope_prefix().map(str::to_owned),
            check,
            authorization_server,
            management,
            metadata_url,
            learned,
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

/// The audiences of Scalekit's tokens, as its own integrations use them (`sources` of its preset): the
/// resource's id, or its registered URL. The dashboard writes that URL with a slash at its end and, for
/// some servers, without the endpoint's path.
fn scalekit_audiences(
    resource: &str,
    url: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let registered = variable("MCP_URL");
    let registered = registered.as_deref().map_or(url, |url| url.trim_end_matches('/'));
    let mut audiences = vec![resource.to_owned(), url.to_owned(), format!("{url}/")];
    if registered != url {
        audiences.extend([registered.to_owned(), format!("{registered}/")]);
    }
    audiences
}

/// Scalekit's management API, if the deployment has credentials for it.
fn management(
    environment: &str,
    resource: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<ManagementApi>, SecretError> {
    let secret = Secret::setting("SCALEKIT_CLIENT_SECRET", &variable)?;
    let credentials = variable("SCALEKIT_CLIENT_ID").zip(secret);
    Ok(credentials.map(|(client_id, client_secret)| ManagementApi {
        environment: environment.to_owned(),
        resource_id: resource.to_owned(),
        client_id,
        client_secret,
    }))
}

/// How the provider is asked about its tokens; `None` if they are checked with its keys.
fn introspection(
    asked: Asked,
    issuer: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Introspection>, SecretError> {
    const SECRET: &str = "INTROSPECTION_CLIENT_SECRET";
    let (url, client) = match asked {
        Asked::Never => return Ok(None),
        Asked::TokenInfo { url } => return Ok(Some(Introspection::TokenInfo { url })),
        Asked::Introspection { url, client } => (url, client),
    };
    let secret = Secret::setting(SECRET, &variable)?;
    let secret = secret.ok_or_else(|| SecretError::Empty(SECRET.to_owned()))?;
    let discovered = EndpointAt::Discovered { issuer: issuer.to_owned() };
    let endpoint = url.map_or(discovered, EndpointAt::Url);
    Ok(Some(Introspection::Standard {
        endpoint,
        client: IntrospectionClient { id: client, secret },
    }))
}

/// The policy's scope prefix, if this provider's tokens contain it.
pub(super) fn granted_prefix(preset: &Preset, settings: &ProviderSettings) -> Option<String> {
    let prefix = settings.scope_prefix().map(str::to_owned);
    prefix.filter(|_| preset.prefix == PrefixIn::RequestsAndTokens)
}
