//! Authorization server metadata (RFC 8414, OpenID Connect discovery).

use serde_json::Value;
use url::Url;

use crate::{
    policy::Scope,
    remote::{JsonAnswer, Remote, RemoteError, checked},
};

const EXPECTED: &str = "authorization server metadata (RFC 8414)";

/// What an issuer says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    /// Where it was found.
    pub(crate) url: String,
    pub(crate) answer: JsonAnswer,
}

impl Metadata {
    /// Looks at the addresses that the MCP specification gives, in its order (2026-07-28,
    /// "Authorization Server Metadata Discovery").
    pub(crate) async fn discover(remote: &Remote, issuer: &str) -> Result<Self, RemoteError> {
        let (mut told, mut first_error) = (None, None);
        for url in addresses(issuer)? {
            match Self::at(remote, &url, issuer).await {
                Ok(metadata) => return Ok(metadata),
                // Where the server answers and says that there is nothing, the next is asked. What
                // is wrong with something that is there says more.
                Err(error @ RemoteError::Answer { .. }) => {
                    told = told.or(Some(error));
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(told.or(first_error).unwrap_or_else(|| RemoteError::Address(issuer.to_owned())))
    }

    /// The document at one address. Its `issuer` must be the one that was asked for (RFC 8414,
    /// section 3.3), or it could speak for another.
    async fn at(remote: &Remote, url: &str, issuer: &str) -> Result<Self, RemoteError> {
        Self::of_any(remote, url, &[issuer.to_owned()]).await
    }

    /// The document at one address, of one of these issuers.
    pub(crate) async fn of_any(
        remote: &Remote,
        url: &str,
        issuers: &[String],
    ) -> Result<Self, RemoteError> {
        let answer = remote.get(url, EXPECTED).await?;
        if issuers.iter().any(|issuer| answer.json["issuer"] == issuer.as_str()) {
            return Ok(Self { url: url.to_owned(), answer });
        }
        Err(RemoteError::Answer {
            url: url.to_owned(),
            expected: EXPECTED,
            reason: format!(
                "its `issuer` is {}, not {}",
                shown(&answer.json),
                issuers.join(" or ")
            ),
        })
    }

    /// Where the keys are.
    pub(crate) fn jwks_uri(&self) -> Result<&str, RemoteError> {
        self.answer.json["jwks_uri"].as_str().ok_or_else(|| self.wrong("it has no `jwks_uri`"))
    }

    /// Where opaque tokens are asked about (RFC 7662).
    pub(crate) fn introspection_endpoint(&self) -> Result<&str, RemoteError> {
        let endpoint = self.answer.json["introspection_endpoint"].as_str();
        endpoint.ok_or_else(|| self.wrong("it has no `introspection_endpoint`"))
    }

    /// The scopes that it says it supports; `None` if it does not say.
    pub(crate) fn scopes(&self) -> Result<Option<Vec<Scope>>, RemoteError> {
        let Some(list) = self.answer.json.get("scopes_supported") else { return Ok(None) };
        let list = list.as_array().ok_or_else(|| self.wrong("`scopes_supported` is no list"))?;
        let scope = |scope: &Value| {
            let scope = scope.as_str().ok_or_else(|| self.wrong("a scope is not a string"))?;
            Scope::parse(scope).map_err(|error| self.wrong(&format!("a scope is none: {error}")))
        };
        list.iter().map(scope).collect::<Result<_, _>>().map(Some)
    }

    fn wrong(&self, reason: &str) -> RemoteError {
        RemoteError::Answer { url: self.url.clone(), expected: EXPECTED, reason: reason.to_owned() }
    }
}

/// The issuer that the document names, as far as it can be shown.
fn shown(json: &Value) -> String {
    let fits = |c: &char| c.is_ascii_graphic();
    json["issuer"].as_str().unwrap_or("missing").chars().filter(fits).take(200).collect()
}

fn addresses(issuer: &str) -> Result<Vec<String>, RemoteError> {
    let url: Url = checked(issuer)?;
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    let mut addresses = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        addresses.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_those_of_the_specification() {
        assert_eq!(
            addresses("https://as.example").unwrap(),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            addresses("https://as.example/tenant/").unwrap(),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant",
                "https://as.example/.well-known/openid-configuration/tenant",
                "https://as.example/tenant/.well-known/openid-configuration"
            ]
        );
        for wrong in ["as.example", "http://as.example", "file:///etc"] {
            assert!(addresses(wrong).is_err(), "{wrong}");
        }
    }
}
