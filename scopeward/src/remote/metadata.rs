//! Authorization server metadata (RFC 8414, OpenID Connect discovery).

use serde_json::Value;
use url::Url;

use crate::{
    policy::Scope,
    remote::{JsonAnswer, Remote, RemoteError, checked},
};

const EXPECTED: &str = "authorization server metadata (RFC 8414)";

/// The metadata of an issuer.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    /// The URL where the document was found.
    pub(crate) url: String,
    pub(crate) answer: JsonAnswer,
}

impl Metadata {
    /// Finds an issuer's metadata. The addresses are those of the MCP specification, in its order
    /// (2026-07-28, "Authorization Server Metadata Discovery").
    pub(crate) async fn discover(remote: &Remote, issuer: &str) -> Result<Self, RemoteError> {
        let (mut first_mistake, mut first_error) = (None, None);
        for url in addresses(issuer)? {
            match Self::at(remote, &url, issuer).await {
                Ok(metadata) => return Ok(metadata),
                // The next address is asked after each failure. If all fail, a mistake in a
                // document is reported before a missing document, because it says more.
                Err(error @ RemoteError::Answer { .. }) => {
                    first_mistake = first_mistake.or(Some(error));
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_mistake
            .or(first_error)
            .unwrap_or_else(|| RemoteError::Address(issuer.to_owned())))
    }

    /// Fetches the document at one address. Its `issuer` must be the issuer that was asked for (RFC
    /// 8414, section 3.3), because otherwise the document could speak for another issuer.
    async fn at(remote: &Remote, url: &str, issuer: &str) -> Result<Self, RemoteError> {
        Self::of_any(remote, url, &[issuer.to_owned()], |named| named == issuer).await
    }

    /// Fetches the document at one address, whose `issuer` must be the provider's. `issuers` are those
    /// that a message names.
    pub(crate) async fn of_any(
        remote: &Remote,
        url: &str,
        issuers: &[String],
        is_own: impl FnOnce(&str) -> bool,
    ) -> Result<Self, RemoteError> {
        let answer = remote.get(url, EXPECTED).await?;
        if answer.json["issuer"].as_str().is_some_and(is_own) {
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

    /// The URL of the issuer's keys (`jwks_uri`).
    pub(crate) fn jwks_uri(&self) -> Result<&str, RemoteError> {
        self.answer.json["jwks_uri"].as_str().ok_or_else(|| self.wrong("it has no `jwks_uri`"))
    }

    /// The URL where opaque tokens are asked about (RFC 7662).
    pub(crate) fn introspection_endpoint(&self) -> Result<&str, RemoteError> {
        let endpoint = self.answer.json["introspection_endpoint"].as_str();
        endpoint.ok_or_else(|| self.wrong("it has no `introspection_endpoint`"))
    }

    /// The scopes that the issuer says it supports (`scopes_supported`); `None` if it does not say.
    pub(crate) fn scopes(&self) -> Result<Option<Vec<Scope>>, RemoteError> {
        let Some(list) = self.answer.json.get("scopes_supported") else { return Ok(None) };
        let list = list.as_array().ok_or_else(|| self.wrong("`scopes_supported` is not a list"))?;
        let scope = |scope: &Value| {
            let scope = scope.as_str().ok_or_else(|| self.wrong("a scope is not a string"))?;
            Scope::parse(scope)
                .map_err(|error| self.wrong(&format!("a scope is not valid: {error}")))
        };
        list.iter().map(scope).collect::<Result<_, _>>().map(Some)
    }

    fn wrong(&self, reason: &str) -> RemoteError {
        RemoteError::Answer { url: self.url.clone(), expected: EXPECTED, reason: reason.to_owned() }
    }
}

/// The issuer that the document names, cut to its first 200 printable characters, because it is
/// untrusted text.
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
