//! Opens the providers of a deployment, and its validator.

use super::{Deployment, Failure};
use crate::{
    identity::{provider::ConfiguredProviders, revocation::RevocationWatch, token::Validator},
    issuer::Issuer,
    live::LivePolicy,
    remote::Remote,
    serve::Providers,
};

/// Opens the providers of a deployment. Must be called inside a Tokio runtime, because the
/// providers' keys are fetched in the background.
pub(super) fn providers(
    deployment: &Deployment,
    configured: &ConfiguredProviders,
    policy: impl Into<LivePolicy>,
    name: &str,
) -> Result<Providers, Failure> {
    let embedded = match configured.main {
        None => Some(Issuer::open(&deployment.data, policy, name).map_err(Failure::refused)?),
        Some(_) => None,
    };
    Ok(Providers::connect(embedded, configured, Remote::default()))
}

/// The server's own validator, for commands that check a token, with the present keys and
/// revocations.
pub(super) async fn validator(
    deployment: &Deployment,
    configured: &ConfiguredProviders,
    policy: impl Into<LivePolicy>,
    name: &str,
) -> Result<Validator, Failure> {
    let revocations =
        RevocationWatch::open(&deployment.data).map_err(Failure::refused)?.revocations;
    let providers = providers(deployment, configured, policy, name)?;
    providers.tried().await;
    Ok(providers.validator(revocations))
}
