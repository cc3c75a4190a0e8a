//! The startup check of a deployment: the policy, the tools and the registered scopes must agree,
//! and the server must be allowed to serve at its address.

use std::time::Duration;

use super::{Providers, StartError, deployment::Deployment, server};
use crate::{
    identity::provider::{
        ConfiguredProvider, ConfiguredProviders, ProviderConfigError, Registered, fault,
    },
    issuer::Issuer,
    live::LivePolicy,
    policy::{
        CheckedPolicy, CompiledPolicy, Registry, Snapshot, agreement, diagnostic::Source,
        served::ProviderFault,
    },
    remote::Remote,
};

const NO_START: &str = "the server does not start";

/// A policy that passed the startup check, with its providers and registered scopes.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) policy: CheckedPolicy,
    pub(crate) configured: ConfiguredProviders,
    pub(crate) registered: Registered,
    /// Warnings for the operator although the server starts: why the provider did not say its
    /// registered scopes, if the committed snapshot stands in for it, and which secrets are not set.
    pub(crate) warnings: Vec<String>,
}

/// Compiles the policy and checks it against the tools. An error ends the start unless the policy
/// says `startup_check = "warn"`. The findings that do not end it are in the checked policy.
pub(crate) async fn checked(
    deployment: &Deployment,
    registry: &Registry,
) -> Result<Served, StartError> {
    let source = deployment.source()?;
    // The policy is compiled first to find its provider. Its mistakes are reported below, together
    // with the other findings.
    let (configured, (registered, warning)) = match CompiledPolicy::compile(source.clone()) {
        Ok(policy) => {
            let policy = deployment.deploy(policy)?;
            let configured = configured(deployment, &policy)?;
            deployment.given.check(&configured, deployment.sessions)?;
            let main = configured.main.as_ref();
            let registered = registered(deployment, &policy, main).await?;
            (configured, registered)
        }
        Err(_) => (ConfiguredProviders::default(), (Registered::Policy, None)),
    };
    let policy = agreement::check(&source, registry, registered.snapshot())
        .map_err(|found| StartError::found(found, NO_START))?;
    let url = deployment.url_of(policy.policy())?;
    let policy = policy.at(url);
    let resource = policy.policy().resource();
    server::may_serve(resource).map_err(StartError::refused)?;
    if let Some(fault) = embedded_fault(deployment, policy.policy()) {
        return Err(StartError::refused(fault));
    }
    let unset = unset_secrets(policy.policy());
    let warnings = warning.into_iter().chain(unset.iter().map(ToString::to_string)).collect();
    Ok(Served { policy, configured, registered, warnings })
}

/// The clients of the embedded issuer whose secret is not set. It reads the process environment, as the
/// issuer does.
pub(crate) fn unset_secrets(policy: &CompiledPolicy) -> Vec<ProviderFault> {
    policy.unset_secrets(&crate::secret::variable)
}

/// Why no server starts here with the providers of the policy; none if one does.
pub(crate) fn faults(deployment: &Deployment, policy: &CompiledPolicy) -> Vec<ProviderFault> {
    let wrong = try_configured(deployment, policy).err();
    let faults = wrong.map(ProviderConfigError::into_faults).unwrap_or_default();
    faults.into_iter().chain(embedded_fault(deployment, policy)).collect()
}

/// Why the embedded issuer is not served here, although the policy allows it.
fn embedded_fault(deployment: &Deployment, policy: &CompiledPolicy) -> Option<ProviderFault> {
    if !policy.provider().is_embedded() || !policy.resource().is_loopback() {
        return None;
    }
    if let Err(refused) = Issuer::may_serve(policy.resource()) {
        return Some(fault(&refused));
    }
    let host = deployment.host().filter(|host| !host.is_loopback())?;
    let message = format!(
        "the embedded issuer lets anyone sign in under any name, so it listens on loopback only, and \
         {host} is not loopback"
    );
    Some(ProviderFault::new(message, "remove HOST, or name a provider in `[server]`"))
}

/// The providers of a policy, with their settings in this deployment.
pub(crate) fn configured(
    deployment: &Deployment,
    policy: &CompiledPolicy,
) -> Result<ConfiguredProviders, StartError> {
    try_configured(deployment, policy).map_err(StartError::refused)
}

/// As [`configured`], with the mistake as it was found.
pub(crate) fn try_configured(
    deployment: &Deployment,
    policy: &CompiledPolicy,
) -> Result<ConfiguredProviders, ProviderConfigError> {
    match &deployment.custom {
        Some(provider) => provider.configured(policy),
        None => ConfiguredProviders::of(policy, |name| deployment.settings.get(name)),
    }
}

/// Opens the providers of a deployment. Must be called inside a Tokio runtime, because the
/// providers' keys are fetched in the background.
pub(crate) fn open_providers(
    deployment: &Deployment,
    configured: &ConfiguredProviders,
    policy: &LivePolicy,
    name: &str,
) -> Result<Providers, StartError> {
    let embedded = match configured.main {
        None => Some(Issuer::open(&deployment.data, policy, name).map_err(StartError::refused)?),
        Some(_) => None,
    };
    let oldest_keys = Duration::from_secs(deployment.max_key_age);
    let longest_token = usize::try_from(deployment.max_token).unwrap_or(usize::MAX);
    Ok(Providers::connect(embedded, configured, Remote::default(), oldest_keys, longest_token))
}

/// The registered scopes, from the first of three sources that has them: the policy, the provider,
/// the committed snapshot. Without any the server does not start, because it would have to guess.
async fn registered(
    deployment: &Deployment,
    policy: &CompiledPolicy,
    configured: Option<&ConfiguredProvider>,
) -> Result<(Registered, Option<String>), StartError> {
    let Some(configured) = configured.filter(|_| policy.registered_at().is_none()) else {
        return Ok((Registered::Policy, None));
    };
    let error = match configured.registered(&Remote::default(), policy.resource()).await {
        Ok(snapshot) => return Ok((Registered::Provider(snapshot), None)),
        Err(error) => error,
    };
    if let Some(snapshot) = deployment.snapshot(None)? {
        let warning = format!("{error}\n  = note: {}", snapshot.describe());
        return Ok((Registered::Snapshot(snapshot), Some(warning)));
    }
    Err(StartError::refused(format!(
        "{error}\n  = help: run `resource pull` while it answers, and commit the file; or write \
         `registered = […]` in `[server]`"
    )))
}

/// The registered scopes for a policy that is to replace another one: as at the start, and those
/// that are `known` if neither the provider nor a snapshot says them now.
pub(crate) async fn registered_again(
    deployment: &Deployment,
    source: &Source,
    main: Option<(&ConfiguredProvider, &Remote)>,
    known: Registered,
) -> Result<Registered, StartError> {
    // The mistakes of the policy are reported by its check.
    let Ok(policy) = CompiledPolicy::compile(source.clone()) else { return Ok(known) };
    let Some((main, remote)) = main.filter(|_| policy.registered_at().is_none()) else {
        return Ok(Registered::Policy);
    };
    let url = deployment.url_of(&policy)?;
    if let Ok(snapshot) = main.registered(remote, &url).await {
        return Ok(Registered::Provider(snapshot));
    }
    Ok(match (deployment.snapshot(None)?, known) {
        (Some(snapshot), _) => Registered::Snapshot(snapshot),
        (None, Registered::Policy) => {
            return Err(StartError::refused(
                "the provider does not say which scopes are registered\n  = help: run `resource \
                 pull` while it answers, or write `registered = […]` in `[server]`",
            ));
        }
        (None, known) => known,
    })
}

/// The registered scopes by the provider. `None` if the policy has them, or the provider does not
/// give them.
pub(crate) async fn ask_registered(
    policy: &CompiledPolicy,
    configured: Option<&ConfiguredProvider>,
    remote: &Remote,
) -> Option<Snapshot> {
    let configured = configured.filter(|_| policy.registered_at().is_none())?;
    configured.registered(remote, policy.resource()).await.ok()
}
