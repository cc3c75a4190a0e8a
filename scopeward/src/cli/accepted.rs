//! Whether the server would accept a token, for commands that examine one. The token goes through the
//! same check as a request, from the header on.

use http::{HeaderMap, HeaderValue, header};

use super::{Deployment, Failure};
use crate::{
    identity::{
        provider::ConfiguredProviders,
        revocation::RevocationWatch,
        token::{AccessToken, BearerError, Rejected, TokenError, Validator, bearer},
    },
    live::LivePolicy,
    serve::startup,
};

/// Why the server would not accept a token, in the words of its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unaccepted {
    #[error(
        "no header can hold it: it has a line break, or another character that is not ASCII text"
    )]
    NoHeader,
    #[error(transparent)]
    Unreadable(#[from] BearerError),
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl Unaccepted {
    /// The error of the validator, if the token came as far.
    pub(super) fn error(&self) -> Option<&TokenError> {
        match self {
            Self::Rejected(rejected) => Some(rejected.reason()),
            Self::NoHeader | Self::Unreadable(_) => None,
        }
    }
}

/// The token, if the server would accept it.
pub(super) async fn accepted(
    validator: &Validator,
    token: &str,
) -> Result<AccessToken, Unaccepted> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let value = value.map_err(|_| Unaccepted::NoHeader)?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let token = bearer(&headers)?.ok_or(BearerError::Malformed)?;
    Ok(validator.authenticate(token).await?)
}

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
