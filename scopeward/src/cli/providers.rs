//! The server's own validator, for commands that check a token.

use super::{Deployment, Failure};
use crate::{
    identity::{provider::ConfiguredProviders, revocation::RevocationWatch, token::Validator},
    live::LivePolicy,
    serve::startup,
};

/// The server's own validator, with the present keys and revocations.
pub(super) async fn validator(
    deployment: &Deployment,
    configured: &ConfiguredProviders,
    policy: &LivePolicy,
    name: &str,
) -> Result<Validator, Failure> {
    let revocations =
        RevocationWatch::open(&deployment.data).map_err(Failure::refused)?.revocations;
    let providers = startup::open_providers(deployment, configured, policy, name)?;
    providers.tried().await;
    Ok(providers.validator(revocations))
}
