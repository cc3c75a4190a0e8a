//! Asks the authorization server which scopes are registered: through the resource's own metadata
//! (RFC 9728) to the authorization server's (RFC 8414), and there `scopes_supported`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::{ResourceUrl, Snapshot};
use crate::policy::{Scope, ScopeError};

/// Nothing that is asked here is larger than this.
const LARGEST_ANSWER: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the registered scopes could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// Nobody answered.
    #[error("cannot ask {url}: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why there is no answer.
        reason: String,
    },
    /// The answer is not what the RFC says.
    #[error("{url} does not answer as {expected} should: {reason}")]
    Answer {
        /// What was asked.
        url: String,
        /// What it should be.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A scope that is none.
    #[error("{url} names the scope {scope:?}: {source}")]
    Scope {
        /// What was asked.
        url: String,
        /// The scope.
        scope: String,
        /// Why it is none.
        source: ScopeError,
    },
}

/// Takes a snapshot. Without an `issuer` the resource is asked who its authorization server is.
pub async fn pull(resource: &ResourceUrl, issuer: Option<&str>) -> Result<Snapshot, PullError> {
    let mut client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // An issuer is who it is, not who it points to.
        .redirect(reqwest::redirect::Policy::none());
    if resource.is_loopback() {
        client = client.no_proxy();
    }
    let client = client.build().map_err(|error| unreachable(resource.as_str(), &error))?;
    let issuer = match issuer {
        Some(issuer) => issuer.to_owned(),
        None => issuer_of(&client, resource).await?,
    };
    let (url, metadata) = metadata_of(&client, &issuer).await?;
    let wrong = |reason: &str| PullError::Answer {
        url: url.clone(),
        expected: "authorization server metadata (RFC 8414)",
        reason: reason.to_owned(),
    };
    let supported = metadata["scopes_supported"].as_array();
    let supported = supported.ok_or_else(|| wrong("it has no `scopes_supported`"))?;
    let scopes = supported.iter().map(|scope| {
        let scope = scope.as_str().ok_or_else(|| wrong("a scope is not a string"))?;
        Scope::parse(scope).map_err(|source| PullError::Scope {
            url: url.clone(),
            scope: scope.to_owned(),
            source,
        })
    });
    let scopes = scopes.collect::<Result<_, _>>()?;
    Ok(Snapshot::new(resource.as_str(), &issuer, Timestamp::now(), scopes))
}

/// The first authorization server that the resource names (RFC 9728, section 3).
async fn issuer_of(client: &reqwest::Client, resource: &ResourceUrl) -> Result<String, PullError> {
    const EXPECTED: &str = "protected resource metadata (RFC 9728)";
    let url = resource.metadata_url();
    let metadata = get(client, &url, EXPECTED).await?;
    let wrong = |reason: String| PullError::Answer { url: url.clone(), expected: EXPECTED, reason };
    // RFC 9728, section 3.3: the resource that was asked for, or nothing in it may be used.
    if metadata["resource"] != resource.as_str() {
        return Err(wrong(format!("its `resource` is not {resource}")));
    }
    let issuer = metadata["authorization_servers"][0].as_str();
    issuer.map(str::to_owned).ok_or_else(|| wrong("it names no authorization server".to_owned()))
}

/// The metadata of an issuer, from the addresses that the MCP specification gives, in its order
/// (2026-07-28, "Authorization Server Metadata Discovery").
async fn metadata_of(client: &reqwest::Client, issuer: &str) -> Result<(String, Value), PullError> {
    const EXPECTED: &str = "authorization server metadata (RFC 8414)";
    let mut first_error = None;
    for url in addresses(issuer) {
        match get(client, &url, EXPECTED).await {
            // RFC 8414, section 3.3.
            Ok(metadata) if metadata["issuer"] == issuer => return Ok((url, metadata)),
            Ok(_) => {
                let reason = format!("its `issuer` is not {issuer}");
                return Err(PullError::Answer { url, expected: EXPECTED, reason });
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| PullError::Unreachable {
        url: issuer.to_owned(),
        reason: "the issuer must be an https URL (http is for loopback only)".to_owned(),
    }))
}

fn addresses(issuer: &str) -> Vec<String> {
    // The same rule as for a resource: https, and http on loopback only.
    let may_be_asked = |_: &Url| ResourceUrl::parse(issuer).is_ok();
    let Some(url) = Url::parse(issuer).ok().filter(may_be_asked) else { return vec![] };
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    let mut addresses = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        addresses.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    addresses
}

async fn get(
    client: &reqwest::Client,
    url: &str,
    expected: &'static str,
) -> Result<Value, PullError> {
    let wrong = |reason: String| PullError::Answer { url: url.to_owned(), expected, reason };
    let mut answer = client.get(url).send().await.map_err(|error| unreachable(url, &error))?;
    if !answer.status().is_success() {
        return Err(wrong(format!("its status is {}", answer.status())));
    }
    let mut body = vec![];
    while let Some(part) = answer.chunk().await.map_err(|error| unreachable(url, &error))? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST_ANSWER {
            return Err(wrong(format!("it is larger than {LARGEST_ANSWER} bytes")));
        }
    }
    serde_json::from_slice(&body).map_err(|_| wrong("it is not JSON".to_owned()))
}

fn unreachable(url: &str, error: &reqwest::Error) -> PullError {
    // The innermost cause says most: "connection refused".
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    PullError::Unreachable { url: url.to_owned(), reason: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_those_of_the_specification() {
        assert_eq!(
            addresses("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            addresses("https://as.example/tenant/"),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/.well-known/openid-configuration/tenant",
                "https://as.example/tenant/.well-known/openid-configuration"
            ]
        );
        for wrong in ["as.example", "http://as.example", "https://as.example/#x", "file:///etc"] {
            assert!(addresses(wrong).is_empty(), "{wrong}");
        }
    }
}
