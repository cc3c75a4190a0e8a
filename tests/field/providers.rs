//! Reports about providers: the shapes of tokens that they issue, as their documents and their users
//! have them.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::Report;
use crate::{
    harness::{POLICY, Server},
    keys::keys,
    standin::Provider,
};

/// A token of a provider: the settings in `[server]`, and what its claims have that others do not.
struct Token {
    provider: &'static str,
    settings: &'static str,
    /// The rule of `list_todos`, if it is not that of the shipped policy.
    rule: &'static str,
    claims: fn() -> Value,
}

/// A caller that is not among the staff needs `admin:access` as well.
const STAFF: &str = r#"
[tools.list_todos]
read = "todo"

[[tools.list_todos.when]]
if = "!('staff' in claims.groups)"
all_of = ["admin:access"]
"#;

/// The status of a call of `list_todos`, and a part of the reason.
type Answer = (u16, &'static str);

/// Two app clients of one pool.
const TWO_CLIENTS: &str = "audience = [\"web\", \"desktop\"]\nregistered = [\"todo:read\", \"todo:write\", \"admin:access\"]";

const REPORTS: &[Report<Token, Answer>] = &[
    Report {
        source: "spring-authorization-server 877, cosmo 3251: `scope` is a list",
        input: Token {
            provider: "oidc",
            settings: "",
            rule: "",
            claims: || json!({ "scope": ["openid", "todo:read"] }),
        },
        expected: (200, ""),
    },
    Report {
        source: "IdentityServer4 1061: `scope` is a list, with the `typ` of RFC 9068",
        input: Token {
            provider: "oauth",
            settings: "",
            rule: "",
            claims: || json!({ "typ": "at+jwt", "scope": ["todo:read"] }),
        },
        expected: (200, ""),
    },
    Report {
        source: "fastify-auth0-verify 10, google-api-java-client 474: two clients of one issuer, the first",
        input: Token {
            provider: "cognito",
            settings: TWO_CLIENTS,
            rule: "",
            claims: || json!({ "aud": null, "client_id": "web", "token_use": "access" }),
        },
        expected: (200, ""),
    },
    Report {
        source: "fastify-auth0-verify 10, google-api-java-client 474: two clients of one issuer, the second",
        input: Token {
            provider: "cognito",
            settings: TWO_CLIENTS,
            rule: "",
            claims: || json!({ "aud": null, "client_id": "desktop", "token_use": "access" }),
        },
        expected: (200, ""),
    },
    Report {
        source: "google-api-java-client 474: a client that is not listed",
        input: Token {
            provider: "cognito",
            settings: TWO_CLIENTS,
            rule: "",
            claims: || json!({ "aud": null, "client_id": "other", "token_use": "access" }),
        },
        expected: (401, "client_id must be web or desktop"),
    },
    Report {
        source: "Keycloak's Server Administration Guide, \"Audience support\": no mapper was added",
        input: Token {
            provider: "keycloak",
            settings: "",
            rule: "",
            claims: || json!({ "typ": "Bearer", "aud": "account" }),
        },
        expected: (401, "aud must be"),
    },
    Report {
        source: "keycloak 13956: a token with 900 roles",
        input: Token {
            provider: "keycloak",
            settings: "",
            rule: "",
            claims: || {
                let roles: Vec<String> = (0..900).map(|n| format!("department-{n:04}")).collect();
                json!({ "typ": "Bearer", "realm_access": { "roles": roles } })
            },
        },
        expected: (200, ""),
    },
    Report {
        source: "keycloak 13956: a token with 2,500 roles",
        input: Token {
            provider: "keycloak",
            settings: "",
            rule: "",
            claims: || {
                let roles: Vec<String> = (0..2500).map(|n| format!("department-{n:04}")).collect();
                json!({ "typ": "Bearer", "realm_access": { "roles": roles } })
            },
        },
        expected: (431, "longer than 32768 bytes, which is the limit MAX_TOKEN"),
    },
    Report {
        source: "fastmcp 3467, 4630: a group is the ground, and the caller is in it",
        input: Token {
            provider: "oidc",
            settings: "",
            rule: STAFF,
            claims: || json!({ "groups": ["sales", "staff"] }),
        },
        expected: (200, ""),
    },
    Report {
        source: "ContextForge 6482: a group is the ground, and the caller is in another",
        input: Token {
            provider: "oidc",
            settings: "",
            rule: STAFF,
            claims: || json!({ "groups": ["sales"] }),
        },
        expected: (403, "admin:access"),
    },
    Report {
        source: "ContextForge 6482: a group is the ground, and the token has no groups",
        input: Token { provider: "oidc", settings: "", rule: STAFF, claims: || json!({}) },
        expected: (403, "admin:access"),
    },
    Report {
        source: "Scalekit, \"API quickstart for machines\": `scopes`, a list",
        input: Token {
            provider: "oidc",
            settings: "",
            rule: "",
            claims: || json!({ "scope": null, "scopes": ["todo:read"] }),
        },
        expected: (200, ""),
    },
];

#[test]
fn the_reports_about_providers() {
    let provider = Provider::start();
    for Report { source, input, expected } in REPORTS {
        let text = format!(
            "provider = \"{}\"\nissuer = \"{}\"\n{}",
            input.provider, provider.url, input.settings
        );
        let mut policy = POLICY.replace("provider = \"embedded\"", &text);
        if !input.rule.is_empty() {
            let others = policy.lines().filter(|line| !line.starts_with("list_todos"));
            policy = others.collect::<Vec<_>>().join("\n") + input.rule;
        }
        let server = Server::with_policy(&policy);
        let mut claims = json!({ "iss": provider.url, "aud": server.url() });
        let more = (input.claims)();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let token = if input.provider == "oauth" {
            at_jwt(&provider, &claims)
        } else {
            provider.token(&claims)
        };
        let reply = server.call(&token, "list_todos", &json!({}));
        let said = reply.challenge("error_description").unwrap_or_default();
        assert_eq!(reply.status, expected.0, "{source}: {said}");
        assert!(said.contains(expected.1), "{source}: {said}");
    }
}

/// The same token with the `typ` header of RFC 9068.
fn at_jwt(provider: &Provider, claims: &Value) -> String {
    let plain = provider.sign(claims, Algorithm::RS256, "rsa", &keys().rsa);
    let claims: Value = jsonwebtoken::dangerous::insecure_decode(&plain).unwrap().claims;
    let mut header = jsonwebtoken::Header::new(Algorithm::RS256);
    header.kid = Some("rsa".to_owned());
    header.typ = Some("at+jwt".to_owned());
    jsonwebtoken::encode(&header, &claims, &keys().rsa).unwrap()
}
