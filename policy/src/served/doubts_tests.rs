//! Each preset's known preconditions: settings with which a server starts and nobody can sign in.

use crate::{CompiledPolicy, diagnostic::Source};

/// The doubts about a provider with these lines of `[server]`, and these scopes.
fn doubts(lines: &str, scopes: &str) -> Vec<String> {
    let text = format!(
        "version = 1\n[server]\nurl = \"https://mcp.example.com/mcp\"\n{lines}\n[scopes]\n{scopes}\n"
    );
    let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
    let doubts = policy.provider_doubts(&|_| None);
    doubts.iter().map(|doubt| format!("{}: {}", doubt.message(), doubt.help())).collect()
}

const OWN: &str = "\"todo:read\" = \"See\"";

#[test]
fn settings_with_which_nobody_can_sign_in_are_doubted() {
    for (lines, scopes, words) in [
        // The org authorization server has no scopes of one's own.
        (
            "provider = \"okta\"\nissuer = \"https://dev-1.okta.com\"",
            OWN,
            &["invalid_scope", "https://DOMAIN/oauth2/default"][..],
        ),
        (
            "provider = \"okta\"\nissuer = \"https://dev-1.okta.com/oauth2/default/\"",
            OWN,
            &["has not the form", "byte by byte"],
        ),
        (
            "provider = \"google\"\naudience = \"1.apps.googleusercontent.com\"",
            OWN,
            &["Google grants its own scopes alone", "todo:read", "400: invalid_scope"],
        ),
        (
            "provider = \"google\"\naudience = \"my-client\"",
            "\"https://www.googleapis.com/auth/drive\" = \"See\"",
            &["my-client", ".apps.googleusercontent.com"],
        ),
        (
            "provider = \"cognito\"\nissuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A\"\naudience = \"c\"",
            OWN,
            &["begin with the identifier", "todo:read", "scope_prefix"],
        ),
        (
            "provider = \"cognito\"\nissuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A\"\naudience = \"c\"\nscope_prefix = \"api\"",
            OWN,
            &["a slash after it"],
        ),
        (
            "provider = \"cognito\"\nissuer = \"https://auth.example.com\"\naudience = \"c\"\nscope_prefix = \"api/\"",
            OWN,
            &["has not the form of an issuer"],
        ),
        (
            "provider = \"descope\"\nissuer = \"https://api.descope.com/P1\"",
            OWN,
            &["has not the form of an issuer of Descope"],
        ),
        (
            "provider = \"workos\"\nissuer = \"https://a.authkit.app/\"",
            OWN,
            &["has not the form of an issuer"],
        ),
        (
            "provider = \"auth0\"\nissuer = \"https://a.auth0.com\"",
            OWN,
            &["with the slash at its end"],
        ),
        (
            "provider = \"keycloak\"\nissuer = \"https://sso.example.com/auth\"",
            OWN,
            &["has not the form of an issuer of Keycloak"],
        ),
        (
            "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/common/v2.0\"\nscope_prefix = \"https://mcp.example.com/mcp/\"",
            OWN,
            &["they name the tenant"],
        ),
        (
            "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/t/v2.0\"",
            OWN,
            &["AADSTS9010010"],
        ),
    ] {
        let said = doubts(lines, scopes).join("\n");
        for word in words {
            assert!(said.contains(word), "{lines}: {word} is not in: {said}");
        }
    }
}

#[test]
fn settings_as_the_provider_documents_them_are_not_doubted() {
    for (lines, scopes) in [
        ("provider = \"okta\"\nissuer = \"https://dev-1.okta.com/oauth2/default\"", OWN),
        (
            "provider = \"google\"\naudience = [\"1.apps.googleusercontent.com\", \"2.apps.googleusercontent.com\"]",
            "\"https://www.googleapis.com/auth/drive\" = \"See\"",
        ),
        ("provider = \"google\"\naudience = \"1.apps.googleusercontent.com\"", ""),
        (
            "provider = \"cognito\"\nissuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A\"\naudience = \"c\"\nscope_prefix = \"api/\"",
            OWN,
        ),
        (
            "provider = \"cognito\"\nissuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A\"\naudience = \"c\"",
            "\"api/todo.read\" = \"See\"",
        ),
        ("provider = \"descope\"\nissuer = \"https://api.descope.com/v1/apps/P1\"", OWN),
        ("provider = \"workos\"\nissuer = \"https://a.authkit.app\"", OWN),
        ("provider = \"auth0\"\nissuer = \"https://a.auth0.com/\"", OWN),
        ("provider = \"keycloak\"\nissuer = \"https://sso.example.com/realms/a\"", OWN),
        (
            "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/t/v2.0\"\nscope_prefix = \"https://mcp.example.com/mcp/\"",
            OWN,
        ),
        ("provider = \"oidc\"\nissuer = \"https://login.example.com\"", OWN),
    ] {
        assert_eq!(doubts(lines, scopes), Vec::<String>::new(), "{lines}");
    }
}
