//! Pulls the registered scopes: the resource's metadata (RFC 9728) names the authorization server,
//! and `scopes_supported` in the metadata of that server (RFC 8414) lists the scopes.

use std::time::SystemTime;

use crate::{
    policy::{Provider, ResourceUrl, Snapshot},
    remote::{Metadata, Remote, RemoteError},
};

const EXPECTED: &str = "protected resource metadata (RFC 9728)";

/// Takes a snapshot of the registered scopes. Without an `issuer`, the resource is asked for its
/// authorization server.
pub(crate) async fn pull(
    resource: &ResourceUrl,
    provider: Provider,
    issuer: Option<&str>,
) -> Result<Snapshot, RemoteError> {
    let remote = Remote::default();
    let issuer = match issuer {
        Some(issuer) => issuer.to_owned(),
        None => issuer_of(&remote, resource).await?,
    };
    let metadata = Metadata::discover(&remote, &issuer).await?;
    let scopes = metadata.scopes()?.ok_or_else(|| RemoteError::Answer {
        url: metadata.url.clone(),
        expected: "authorization server metadata (RFC 8414)",
        reason: "it has no `scopes_supported`".to_owned(),
    })?;
    let snapshot = Snapshot::new(resource.as_str(), &issuer, SystemTime::now(), scopes);
    Ok(snapshot.said_by(provider.as_str(), &metadata.url))
}

/// The first authorization server that the resource names (RFC 9728, section 3).
async fn issuer_of(remote: &Remote, resource: &ResourceUrl) -> Result<String, RemoteError> {
    let url = resource.metadata_url();
    let metadata = remote.get(&url, EXPECTED).await?.json;
    let wrong = |reason: String| RemoteError::Answer { url, expected: EXPECTED, reason };
    // Metadata that names another resource must not be used (RFC 9728, section 3.3).
    if metadata["resource"] != resource.as_str() {
        return Err(wrong(format!("its `resource` is not {resource}")));
    }
    let issuer = metadata["authorization_servers"][0].as_str();
    issuer.map(str::to_owned).ok_or_else(|| wrong("it names no authorization server".to_owned()))
}
