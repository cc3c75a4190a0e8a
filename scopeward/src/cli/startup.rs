//! The startup check of a deployment: the policy, the tools and the registered scopes agree, and the
//! server may serve where it is to.

use super::{
    Deployment, Environment, Failure,
    deployment::{refuse, render},
    runtime::block_on,
};
use crate::{
    identity::provider::{ConfiguredProvider, ConfiguredProviders, Registered},
    issuer::Issuer,
    policy::{
        CompiledPolicy, Provider, Registry, Snapshot,
        agreement::{self, Checked},
    },
    remote::Remote,
    serve::server,
};

const NO_START: &str = "the server does not start";

/// A policy that may serve, and what it was held against.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) policy: CompiledPolicy,
    pub(super) configured: ConfiguredProviders,
    pub(super) registered: Registered,
}

/// Compiles the policy and holds it against the tools; what disagrees is printed, and an error
/// ends the command unless the policy says `startup_check = "warn"`.
pub(super) fn checked(deployment: &Deployment, registry: &Registry) -> Result<Served, Failure> {
    let source = deployment.source()?;
    // What the file says of its provider comes first; its mistakes are reported with all
    // others below.
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
    if policy.provider() == Provider::Embedded {
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

/// The configured of a policy to its providers.
pub(super) fn configured(policy: &CompiledPolicy) -> Result<ConfiguredProviders, Failure> {
    ConfiguredProviders::of(policy, Environment::setting).map_err(Failure::refused)
}

/// The registered scopes: as the policy says; or as the provider says; or, if it does not say or
/// does not answer, as the committed snapshot says. With none of the three the server would only
/// guess, and does not start.
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

/// What the provider says, if it does.
pub(super) async fn ask_registered(
    policy: &CompiledPolicy,
    configured: Option<&ConfiguredProvider>,
    remote: &Remote,
) -> Option<Snapshot> {
    let configured = configured.filter(|_| policy.registered_at().is_none())?;
    configured.registered(remote, policy.resource()).await.ok()
}
