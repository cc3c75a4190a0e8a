//! The forms of token that providers document, and forms that differ slightly and are refused.

use jsonwebtoken::{Algorithm, Header, encode};
use serde_json::{Value, json};

use super::{lists, policy};
use crate::{
    harness::{Reply, Server},
    keys::keys,
    standin::{Provider, now},
};

/// Auth0, "Access Token Profiles": the issuer ends in a slash, `aud` lists the API and the
/// user-info endpoint, `scope` is a string, and the client is `azp`. `permissions` do not count,
/// because they are the person's and were not granted to the client.
#[test]
fn auth0_tokens() {
    let provider = Provider::start();
    let settings = format!("audience = \"https://api.example\"\n{REGISTERED}");
    let shape = json!({ "azp": "c", "scope": "openid profile todo:read", "aud":
        ["https://api.example", format!("{}/userinfo", provider.url)],
        "permissions": ["todo:read", "todo:write"] });
    let auth0 = Shaped::new(&provider, "auth0", &settings, &shape);
    auth0.is_accepted(&json!({}));
    auth0.is_accepted(&json!({ "aud": "https://api.example" }));
    auth0.is_refused(&json!({ "aud": "https://api.example/" }), "aud must be https://api.example");
    auth0.is_refused(&json!({ "aud": auth0.server.url() }), "aud must be https://api.example");
    let expected = format!("its iss must be {}", provider.url);
    auth0.is_refused(&json!({ "iss": format!("{}/", provider.url) }), &expected);
    auth0.is_refused(&json!({ "scope": null, "scp": ["todo:read"] }), "writes them in scope");
    auth0.is_refused(&json!({ "nonce": "n" }), "an ID token, by its nonce claim");
    let permissions = auth0.call(&json!({ "scope": null }), "list_todos");
    assert_eq!(permissions.status, 403, "what the person may is not what was granted");
}

/// Keycloak, "Integrating with Model Context Protocol": the claim `typ` says which kind of token it
/// is.
#[test]
fn keycloak_tokens() {
    let provider = Provider::start();
    let shape = json!({ "azp": "c", "typ": "Bearer", "scope": "profile email todo:read",
        "realm_access": { "roles": ["todo:write"] } });
    let keycloak = Shaped::new(&provider, "keycloak", "", &shape);
    keycloak.is_accepted(&json!({}));
    keycloak.is_accepted(&json!({ "aud": ["account", keycloak.server.url()] }));
    for other in [json!("ID"), json!("Refresh"), json!("Offline"), json!("bearer"), json!(null)] {
        keycloak.is_refused(&json!({ "typ": other }), "its typ must be Bearer");
    }
    keycloak.is_refused(&json!({ "aud": "account" }), "aud must be http://localhost");
    keycloak.is_refused(&json!({ "aud": null }), "aud claim is missing");
    keycloak.is_refused(&json!({ "scope": null, "scp": "todo:read" }), "writes them in scope");
}

pub(super) const REGISTERED: &str =
    "registered = [\"todo:read\", \"todo:write\", \"admin:access\"]";

/// A server for a preset, and the claims of a good token of this preset, `shape`.
struct Shaped<'a> {
    provider: &'a Provider,
    server: Server,
    shape: Value,
}

impl<'a> Shaped<'a> {
    fn new(provider: &'a Provider, preset: &str, settings: &str, shape: &Value) -> Self {
        let issuer = &provider.url;
        let text = format!("provider = \"{preset}\"\nissuer = \"{issuer}\"\n{settings}");
        let server = Server::with_settings(&policy(&text), &[]);
        let mut all =
            json!({ "iss": issuer, "client_id": null, "scope": null, "aud": server.url() });
        all.as_object_mut().unwrap().extend(shape.as_object().unwrap().clone());
        Self { provider, server, shape: all }
    }

    fn call(&self, changes: &Value, tool: &str) -> Reply {
        let mut claims = self.shape.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.server.call(&self.provider.token(&claims), tool, &json!({ "title": "x" }))
    }

    /// Asserts that a token with these changes may read and not write.
    fn is_accepted(&self, changes: &Value) {
        assert_eq!(self.call(changes, "list_todos").status, 200, "{changes}");
        assert_eq!(self.call(changes, "create_todo").status, 403, "{changes}");
    }

    fn is_refused(&self, changes: &Value, says: &str) {
        let reply = self.call(changes, "list_todos");
        let description = reply.challenge("error_description").unwrap_or_default();
        assert_eq!(reply.status, 401, "{changes} {reply:?}");
        assert!(description.contains(says), "{changes}: {description}");
    }
}

/// Microsoft, "Access token claims reference": `scp` is a string without the API's prefix, which
/// clients have to write when they request scopes. `aud` is the application id or its URI, and
/// `roles` are application permissions.
#[test]
fn entra_tokens() {
    let provider = Provider::start();
    let id = "6731de76-14a6-49ae-97bc-6eba6914391e";
    let settings =
        format!("audience = \"api://{id}\"\nscope_prefix = \"api://{id}/\"\n{REGISTERED}");
    let shape = json!({ "aud": id, "scp": "todo:read", "ver": "2.0", "azp": "c", "azpacr": "0" });
    let entra = Shaped::new(&provider, "entra", &settings, &shape);
    entra.is_accepted(&json!({}));
    let first = json!({ "aud": format!("api://{id}"), "ver": "1.0", "azp": null, "azpacr": null,
        "appid": "c", "appidacr": "0" });
    entra.is_accepted(&first);
    entra.is_accepted(&json!({ "scp": null, "roles": ["todo:read"] }));
    entra.is_accepted(&json!({ "roles": ["todo:write"] }));
    entra.is_refused(
        &json!({ "aud": entra.server.url() }),
        &format!("aud must be {id} or api://{id}"),
    );
    entra.is_refused(&json!({ "aud": format!("api://{id}/") }), "aud must be");
    entra.is_refused(&json!({ "scp": null, "scope": "todo:read" }), "writes them in scp");
    let id_token = json!({ "azp": null, "azpacr": null, "roles": ["todo:read"], "scp": null });
    entra.is_refused(&id_token, "it must have azpacr or appidacr");
    entra.is_refused(&json!({ "iss": "https://sts.windows.net/x/" }), "its iss must be");

    let reply = entra.call(&json!({}), "create_todo");
    assert_eq!(reply.challenge("scope"), Some(&*format!("api://{id}/todo:write")));
    let metadata = entra.server.get("/.well-known/oauth-protected-resource/mcp").json;
    assert_eq!(metadata["scopes_supported"][0], format!("api://{id}/todo:read"));
}

/// Okta, "OpenID Connect & OAuth 2.0 API": `scp` is a list, and the client is `cid`.
#[test]
fn okta_tokens() {
    let provider = Provider::start();
    let shape =
        json!({ "aud": "api://default", "ver": 1, "cid": "c", "scp": ["openid", "todo:read"] });
    let okta = Shaped::new(&provider, "okta", "audience = \"api://default\"", &shape);
    okta.is_accepted(&json!({}));
    okta.is_refused(&json!({ "aud": "api://other" }), "aud must be api://default");
    okta.is_refused(&json!({ "scp": null, "scope": "todo:read" }), "writes them in scp");
    okta.is_refused(&json!({ "cid": null, "aud": "c" }), "it must have cid");
    okta.is_refused(&json!({ "scp": { "todo:read": true } }), "scp claim is missing or malformed");
}

/// Amazon, "Understanding the access token": `aud` is there only if a resource was requested,
/// `token_use` says which kind of token it is, and the resource server's identifier is a prefix of
/// each scope.
#[test]
fn cognito_tokens() {
    let provider = Provider::start();
    let settings = format!("audience = \"3n4b5\"\nscope_prefix = \"todos/\"\n{REGISTERED}");
    let shape = json!({ "aud": null, "client_id": "3n4b5", "token_use": "access",
        "scope": "openid todos/todo:read" });
    let cognito = Shaped::new(&provider, "cognito", &settings, &shape);
    cognito.is_accepted(&json!({}));
    cognito.is_accepted(&json!({ "aud": cognito.server.url() }));
    cognito.is_refused(&json!({ "aud": "https://other.example" }), "client_id must be 3n4b5");
    cognito.is_refused(&json!({ "client_id": "9z9z9" }), "client_id must be 3n4b5");
    cognito.is_refused(&json!({ "client_id": null, "aud": "3n4b5" }), "client_id claim is missing");
    cognito.is_refused(&json!({ "token_use": "id" }), "its token_use must be access");
    cognito.is_refused(&json!({ "token_use": null }), "its token_use must be access");
    for another in ["todo:read", "other/todo:read", "todos/", "todos/todos/todo:read"] {
        let status = cognito.call(&json!({ "scope": another }), "list_todos").status;
        assert!(matches!(status, 401 | 403), "{another}: {status}");
    }
    let reply = cognito.call(&json!({}), "create_todo");
    assert_eq!(reply.challenge("scope"), Some("todos/todo:write"));
}

/// `WorkOS`, "Model Context Protocol", and Descope, "MCP Servers": `aud` is the resource, and
/// `scope` is a string.
#[test]
fn workos_and_descope_tokens() {
    let provider = Provider::start();
    for (preset, settings) in [("workos", REGISTERED), ("descope", "")] {
        let shaped =
            Shaped::new(&provider, preset, settings, &json!({ "scope": "openid todo:read" }));
        shaped.is_accepted(&json!({}));
        shaped.is_accepted(&json!({ "permissions": ["todo:write"] }));
        shaped.is_refused(&json!({ "aud": "client_01" }), "aud must be http://localhost");
        shaped.is_refused(&json!({ "scope": null, "scp": ["todo:read"] }), "writes them in scope");
        shaped
            .is_refused(&json!({ "scope": ["todo:read"] }), "scope claim is missing or malformed");
        shaped.is_refused(&json!({ "nonce": "n" }), "an ID token, by its nonce claim");
    }
}

/// RFC 9068: the preset `oauth` accepts only the `typ` `at+jwt`. The preset `oidc` also accepts the
/// older forms.
#[test]
fn oauth_is_rfc_9068() {
    let provider = Provider::start();
    let oauth = Shaped::new(&provider, "oauth", "", &json!({ "scope": "todo:read" }));
    oauth.is_refused(&json!({}), "typ");
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("rsa".to_owned());
    header.typ = Some("at+jwt".to_owned());
    let mut claims = oauth.shape.clone();
    claims["sub"] = json!("ada");
    claims["client_id"] = json!("c");
    claims["exp"] = json!(now() + 600);
    let good = encode(&header, &claims, &keys().rsa).unwrap();
    assert_eq!(lists(&oauth.server, &good), 200);
    let oidc = Shaped::new(&provider, "oidc", "", &json!({ "scope": "todo:read" }));
    oidc.is_accepted(&json!({}));
    oidc.is_accepted(&json!({ "scope": null, "scp": ["todo:read"] }));
    oidc.is_refused(&json!({ "aud": "other" }), "aud must be");
    oidc.is_refused(&json!({ "c_hash": "h" }), "an ID token, by its c_hash claim");
}

/// Spring Authorization Server, Duende and `IdentityServer` write `scope` as a list of strings.
#[test]
fn scopes_may_be_a_list() {
    let provider = Provider::start();
    for preset in ["keycloak", "oidc"] {
        let shape = json!({ "typ": "Bearer", "client_id": "c", "scope": ["profile", "todo:read"] });
        let shaped = Shaped::new(&provider, preset, "", &shape);
        shaped.is_accepted(&json!({}));
        shaped.is_accepted(&json!({ "scope": "todo:read" }));
        let malformed = "scope claim is missing or malformed";
        for wrong in
            [json!(["todo:read", 1]), json!(["todo:read todo:write"]), json!([["todo:read"]])]
        {
            shaped.is_refused(&json!({ "scope": wrong }), malformed);
        }
        shaped.is_refused(&json!({ "scope": { "0": "todo:read" } }), malformed);
        assert_eq!(shaped.call(&json!({ "scope": [] }), "list_todos").status, 403, "{preset}");
    }
}
