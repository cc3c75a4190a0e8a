//! How a deployment reaches its provider: the policy and the environment put together.

use super::{PrefixIn, Preset, RegisteredIn, scalekit::ManagementApi};
use crate::{
    policy::{CompiledPolicy, Provider},
    remote::{RemoteError, checked},
    token::{ClaimRules, KeysAt},
};

/// A provider as this deployment has it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) preset: &'static Preset,
    /// The issuers that its tokens may name.
    pub(crate) issuers: Vec<String>,
    /// The audiences that its tokens may be for.
    pub(crate) audiences: Vec<String>,
    /// The resource itself.
    pub(crate) resource: String,
    /// What stands before its scopes in tokens.
    pub(crate) scope_prefix: Option<String>,
    pub(crate) keys: KeysAt,
    /// What protected resource metadata names (RFC 9728, section 2), and whose metadata is asked
    /// for the registered scopes.
    pub(crate) authorization_server: String,
    /// Scalekit's own API, which knows better than its metadata.
    pub(crate) management: Option<ManagementApi>,
    /// Where that metadata is, if not where the specification says.
    pub(crate) metadata_url: Option<String>,
}

/// What is missing, and how to give it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("provider = \"{provider}\" needs {what}\n  = help: {help}")]
    Missing { provider: &'static str, what: &'static str, help: &'static str },
    #[error(transparent)]
    Address(#[from] RemoteError),
}

impl Connection {
    /// `None` for the embedded issuer. `variable` reads a setting of the deployment.
    pub(crate) fn of(
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ConnectionError> {
        let Some(preset) = Preset::of(policy.provider()) else { return Ok(None) };
        let connection = match policy.provider() {
            Provider::Scalekit => Self::scalekit(preset, policy, variable),
            _ => Self::by_issuer(preset, policy, variable),
        }?;
        for url in connection.issuers.iter().chain([&connection.authorization_server]) {
            checked(url)?;
        }
        Ok(Some(connection))
    }

    fn by_issuer(
        preset: &'static Preset,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConnectionError> {
        let written = policy.issuer().map(str::to_owned);
        let issuer = variable("ISSUER_URL").or(written).ok_or(ConnectionError::Missing {
            provider: policy.provider().as_str(),
            what: "its issuer",
            help: "write `issuer = \"https://…\"` in `[resource]`, or set ISSUER_URL",
        })?;
        let audience = policy.audience().unwrap_or(policy.resource().as_str());
        let audiences = match preset.audience_forms {
            [] => vec![audience.to_owned()],
            // Written in one of the forms, accepted in each.
            forms => {
                let bare = forms.iter().filter_map(|form| audience.strip_prefix(*form)).next_back();
                forms.iter().map(|form| format!("{form}{}", bare.unwrap_or(audience))).collect()
            }
        };
        Ok(Self {
            preset,
            issuers: vec![issuer.clone()],
            audiences,
            resource: policy.resource().as_str().to_owned(),
            scope_prefix: granted_prefix(preset, policy),
            keys: KeysAt::Discovered { issuer: issuer.clone() },
            authorization_server: issuer,
            management: None,
            metadata_url: None,
        })
    }

    /// Scalekit's keys, issuers and audiences, as its own integrations have them (`sources` of its
    /// preset): keys at `{env}/keys`; the issuer is `{env}` or, since a migration,
    /// `{env}/resources/{id}`; the audience is the resource's id or its registered URL, which the
    /// dashboard writes with a slash at its end.
    fn scalekit(
        preset: &'static Preset,
        policy: &CompiledPolicy,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConnectionError> {
        let missing = |what| ConnectionError::Missing {
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
        let credentials = variable("SCALEKIT_CLIENT_ID").zip(variable("SCALEKIT_CLIENT_SECRET"));
        let management = credentials.map(|(client_id, client_secret)| ManagementApi {
            environment: environment.clone(),
            resource_id: id.clone(),
            client_id,
            client_secret,
        });
        let well_known = "/.well-known/oauth-authorization-server/resources";
        Ok(Self {
            preset,
            issuers: vec![environment.clone(), of_resource.clone()],
            audiences: vec![id.clone(), url.to_owned(), format!("{url}/")],
            resource: url.to_owned(),
            scope_prefix: granted_prefix(preset, policy),
            keys: KeysAt::Url(format!("{environment}/keys")),
            authorization_server: of_resource,
            management,
            metadata_url: Some(format!("{environment}{well_known}/{id}")),
        })
    }

    /// How its tokens are read.
    pub(crate) fn rules(&self) -> ClaimRules {
        ClaimRules {
            scopes: self.preset.scope_claims,
            prefix: self.scope_prefix.clone(),
            audience: self.preset.audience,
            marker: self.preset.marker,
        }
    }

    /// Whether the registered scopes can be asked for.
    pub(crate) fn says_registered_scopes(&self) -> bool {
        self.preset.registered == RegisteredIn::Metadata
    }
}

/// The prefix of the policy, if it stands in tokens as well.
fn granted_prefix(preset: &Preset, policy: &CompiledPolicy) -> Option<String> {
    let prefix = policy.scope_prefix().map(str::to_owned);
    prefix.filter(|_| preset.prefix == PrefixIn::RequestsAndTokens)
}
