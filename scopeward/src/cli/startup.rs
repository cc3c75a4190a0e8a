//! The startup check of a deployment: the policy, the tools and the registered scopes must agree,
//! and the server must be allowed to serve at its address.

use super::{
    Deployment, Environment, Failure,
    deployment::{refuse, render},
    runtime::block_on,
};
use crate::{
    identity::provider::{ConfiguredProvider, ConfiguredProviders, Registered},
    issuer::Issuer,
    policy::{
        CompiledPolicy, Registry, Snapshot,
        agreement::{self, Checked},
    },
    remote::Remote,
    serve::server,
};

const NO_START: &str = "the server does not start";

/// A policy that passed the startup check, with its providers and registered scopes.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) policy: CompiledPolicy,
    pub(super) configured: ConfiguredProviders,
    pub(super) registered: Registered,
}

/// Compiles the policy and checks it against the tools. Findings are printed, and an error ends the
/// command unless the policy says `startup_check = "warn"`.
pub(super) fn checked(deployment: &Deployment, registry: &Registry) -> Result<Served, Failure> {
    let source = deployment.source()?;
    // The policy is compiled first to find its provider. Its mistakes are reported below, together
    // with the other findings.
    let (configured, registered) = match CompiledPolicy::compile(source.clone()) {
        Ok(policy) => {
            let policy = deployment.deploy(policy)?;
            let configured = configured(&policy)?;
            let registered = registered(deployment, &policy, configured.main.as_ref())?;
            (configured, registered)
        }
        Err(_) => (ConfiguredProviders::default(), Registered::Policy),
    };
    let Checked { policy, found } = agreement::check(&source, registry, registered.snapshot())
        .map_err(|found| refuse(&found, NO_START))?;
    if !found.is_empty() {
        anstream::eprint!("{}", render(&found));
    }
    let policy = deployment.deploy(policy)?;
    server::may_serve(policy.resource()).map_err(Failure::refused)?;
    if policy.provider().is_embedded() {
        Issuer::may_serve(policy.resource()).map_err(Failure::refused)?;
        if let Some(host) = deployment.host().filter(|host| !host.is_loopback()) {
            return Err(Failure::refused(format!(
                "the embedded issuer lets anyone sign in under any name, so it listens on \
                 loopback only, and {host} is not loopback"
            )));
        }
    }
    Ok(Served { policy, configured, registered })
}

/// The providers of a policy, with their settings from the environment.
pub(super) fn configured(policy: &CompiledPolicy) -> Result<ConfiguredProviders, Failure> {
    ConfiguredProviders::of(policy, Environment::setting).map_err(Failure::refused)
}

/// The registered scopes, from the first of three sources that has them: the policy, the provider,
/// the committed snapshot. Without any the server does not start, because it would have to guess.
pub(super) fn registered(
    deployment: &Deployment,
    policy: &CompiledPolicy,
    configured: Option<&ConfiguredProvider>,
) -> Result<Registered, Failure> {
    let Some(configured) = configured.filter(|_| policy.registered_at().is_none()) else {
        return Ok(Registered::Policy);
    };
    let asked =
        block_on(async { configured.registered(&Remote::default(), policy.resource()).await })?;
    let error = match asked {
        Ok(snapshot) => return Ok(Registered::Provider(snapshot)),
        Err(error) => error,
    };
    if let Some(snapshot) = deployment.snapshot(None)? {
        anstream::eprintln!("warning: {error}\n  = note: {}\n", snapshot.describe());
        return Ok(Registered::Snapshot(snapshot));
    }
    Err(Failure::refused(format!(
        "{error}\n  = help: run `resource pull` while it answers, and commit the file; or write \
         `registered = […]` in `[server]`"
    )))
}

/// The registered scopes by the provider. `None` if the policy has them, or the provider does not
/// give them.
pub(super) async fn ask_registered(
    policy: &CompiledPolicy,
    configured: Option<&ConfiguredProvider>,
    remote: &Remote,
) -> Option<Snapshot> {
    let configured = configured.filter(|_| policy.registered_at().is_none())?;
    configured.registered(remote, policy.resource()).await.ok()
}
