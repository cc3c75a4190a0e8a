//! Opens whoever issues the tokens of a deployment.

use super::{Deployment, Failure};
use crate::{
    identity::{provider::Connections, revocation::RevocationWatch, token::Validator},
    issuer::Issuer,
    live::LivePolicy,
    remote::Remote,
    serve::Authority,
};

/// Who issues the tokens. Called inside a runtime, where a provider's keys are looked for.
pub(super) fn authority(
    deployment: &Deployment,
    connections: &Connections,
    policy: impl Into<LivePolicy>,
    name: &str,
) -> Result<Authority, Failure> {
    let embedded = match connections.main {
        None => Some(Issuer::open(&deployment.data, policy, name).map_err(Failure::refused)?),
        Some(_) => None,
    };
    Ok(Authority::connect(embedded, connections, Remote::default()))
}

/// The server's own check of a token, for commands that ask about one: with the keys and the
/// revocations of now.
pub(super) async fn validator(
    deployment: &Deployment,
    connections: &Connections,
    policy: impl Into<LivePolicy>,
    name: &str,
) -> Result<Validator, Failure> {
    let revocations =
        RevocationWatch::open(&deployment.data).map_err(Failure::refused)?.revocations;
    let authority = authority(deployment, connections, policy, name)?;
    authority.tried().await;
    Ok(authority.validator(revocations))
}
