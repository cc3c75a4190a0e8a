//! Opens whoever issues the tokens of a deployment.

use super::{Deployment, Failure};
use crate::{
    identity::{provider::ConfiguredProviders, revocation::RevocationWatch, token::Validator},
    issuer::Issuer,
    live::LivePolicy,
    remote::Remote,
    serve::Providers,
};

/// Who issues the tokens. Called inside a runtime, where a provider's keys are looked for.
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

/// The server's own check of a token, for commands that ask about one: with the keys and the
/// revocations of now.
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
