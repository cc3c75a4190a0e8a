//! Scalekit's management API: which scopes are registered for a resource.
//!
//! The paths, forms and fields are those of the API description in `scalekit-sdk-python` 2.21.0: a
//! token by `POST /oauth/token` with client credentials, the resource by `GET
//! /api/v1/resources/{id}`. The `scopes` of the resource are all scopes of the environment; a scope
//! with `enabled` is registered for the resource.

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    policy::Scope,
    remote::{Remote, RemoteError},
    secret::Secret,
};

/// The management API of one environment, with the credentials for it.
#[derive(Debug, Clone)]
pub(crate) struct ManagementApi {
    pub(crate) environment: String,
    pub(crate) resource_id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
}

impl ManagementApi {
    /// The URL of the resource in the API. The answer lists the registered scopes.
    pub(crate) fn resource_url(&self) -> String {
        format!("{}/api/v1/resources/{}", self.environment, self.resource_id)
    }

    /// Fetches the scopes that are registered for the resource.
    pub(crate) async fn registered(&self, remote: &Remote) -> Result<Vec<Scope>, RemoteError> {
        const TOKENS: &str = "Scalekit's token endpoint";
        const RESOURCES: &str = "Scalekit's resource API";
        let url = format!("{}/oauth/token", self.environment);
        let secret = self
            .client_secret
            .read()
            .map_err(|error| RemoteError::Secret { url: url.clone(), reason: error.to_string() })?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", secret.expose_secret()),
        ];
        let answer = remote.post_form(&url, &form, TOKENS).await?.json;
        let wrong = |url: &str, expected, reason: &str| RemoteError::Answer {
            url: url.to_owned(),
            expected,
            reason: reason.to_owned(),
        };
        let token = answer["access_token"].as_str();
        let token = token.ok_or_else(|| wrong(&url, TOKENS, "it gives no access token"))?;

        let url = self.resource_url();
        let answer = remote.get_with(&url, token, RESOURCES).await?.json;
        let scopes = answer["resource"]["scopes"].as_array();
        let scopes = scopes.ok_or_else(|| wrong(&url, RESOURCES, "it lists no scopes"))?;
        let enabled = scopes.iter().filter(|scope| scope["enabled"] == Value::Bool(true));
        let scope = |scope: &Value| {
            let name = scope["name"].as_str().unwrap_or_default();
            Scope::parse(name).map_err(|error| wrong(&url, RESOURCES, &error.to_string()))
        };
        enabled.map(scope).collect()
    }
}
