//! Several issuers at once, as during a migration.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{lists, policy};
use crate::{
    harness::{Server, run, stderr, stdout},
    keys::keys,
    standin::{Mode, Provider},
};

const BOTH: &str = "provider = \"oidc\"\nissuer = \"NEW\"\naudience = \"new\"\n";

/// A policy in which callers sign in at `new`, and tokens of `old` are still accepted.
fn migration(new: &Provider, old: &Provider) -> String {
    let also = format!(
        "\n[[server.also]]\nprovider = \"keycloak\"\nissuer = \"{}\"\naudience = \"old\"\n\n[scopes]",
        old.url
    );
    policy(&BOTH.replace("NEW", &new.url)).replace("[scopes]", &also)
}

#[test]
fn a_token_is_checked_by_the_issuer_that_it_names() {
    let (new, old) = (Provider::start(), Provider::start());
    let server = Server::with_policy(&migration(&new, &old));
    let of_new = json!({ "iss": new.url, "aud": "new" });
    let of_old = json!({ "iss": old.url, "aud": "old", "typ": "Bearer" });
    assert_eq!(lists(&server, &new.token(&of_new)), 200);
    assert_eq!(lists(&server, &old.token(&of_old)), 200);
    for (near, why) in [
        (json!({ "iss": new.url, "aud": "old" }), "the audience of the other"),
        (json!({ "iss": old.url, "aud": "old" }), "the shape of the other"),
        (json!({ "iss": old.url, "aud": "new", "typ": "Bearer" }), "the audience of the other"),
        (json!({ "iss": format!("{}/", new.url), "aud": "new" }), "nobody's issuer"),
    ] {
        assert_eq!(lists(&server, &new.token(&near)), 401, "{why}");
    }
    let nobody = server.call(&new.token(&json!({ "iss": "https://x" })), "list_todos", &json!({}));
    let expected = format!("{} or {}", new.url, old.url);
    assert!(nobody.challenge("error_description").unwrap().contains(&expected), "{nobody:?}");
    let metadata = server.get("/.well-known/oauth-protected-resource/mcp").json;
    assert_eq!(metadata["authorization_servers"], json!([new.url, old.url]));

    // Each issuer has its own keys: a key that one issuer removes is not taken from the other
    // issuer.
    std::thread::sleep(std::time::Duration::from_secs(11));
    old.set(Mode::Rotated);
    let unknown = old.sign(&of_old, Algorithm::RS256, "unknown", &keys().rsa);
    assert_eq!(lists(&server, &unknown), 401);
    assert_eq!(lists(&server, &old.token(&of_old)), 401, "its key is gone");
    assert_eq!(lists(&server, &new.token(&of_new)), 200);
}

/// `ada` at one issuer is another person than `ada` at another issuer, with separate todos.
#[test]
fn the_same_subject_of_two_issuers_is_two_people() {
    let (new, old) = (Provider::start(), Provider::start());
    let server = Server::with_policy(&migration(&new, &old));
    let scope = "todo:read todo:write";
    let here = new.token(&json!({ "iss": new.url, "aud": "new", "scope": scope }));
    let there =
        old.token(&json!({ "iss": old.url, "aud": "old", "typ": "Bearer", "scope": scope }));
    let todo = server.call(&here, "create_todo", &json!({ "title": "Here" })).result().clone();
    let id = json!({ "id": todo["id"] });
    assert_eq!(server.call(&there, "list_todos", &json!({})).result()["todos"], json!([]));
    assert_eq!(server.call(&there, "get_todo", &id).json["result"]["isError"], true);
    assert_eq!(server.call(&there, "delete_todo", &id).json["result"]["isError"], true);
    assert_eq!(server.call(&here, "get_todo", &id).result()["title"], "Here");
}

/// A subject is the same person, whichever of its two issuers Scalekit writes into the token.
#[test]
fn two_spellings_of_one_issuer_are_one_person() {
    let provider = Provider::start();
    let server = super::scalekit(&provider);
    let scope = "todo:read todo:write";
    let one = provider.token(&json!({ "scope": scope }));
    let other = provider.token(&json!({ "scope": scope, "iss": provider.url }));
    server.call(&one, "create_todo", &json!({ "title": "Mine" })).result();
    let todos = server.call(&other, "list_todos", &json!({})).result()["todos"].clone();
    assert_eq!(todos[0]["title"], "Mine");
}

#[test]
fn ambiguous_and_incomplete_providers_are_refused() {
    let also = |text: &str| {
        let also = format!("\n[[server.also]]\n{text}\n\n[scopes]");
        policy("provider = \"oidc\"\nissuer = \"https://a.example\"").replace("[scopes]", &also)
    };
    for (text, says) in [
        ("provider = \"okta\"\nissuer = \"https://a.example\"", "two providers have the issuer"),
        ("provider = \"okta\"", "provider = \"okta\" needs its issuer"),
        ("issuer = \"https://b.example\"", "does not say which provider it accepts"),
        ("provider = \"embedded\"", "the embedded issuer cannot be a further one"),
        ("provider = \"okto\"", "did you mean \"okta\"?"),
        ("provider = \"oauth\"\nissuer = \"http://b.example\"", "must begin with https://"),
        ("provider = \"okta\"\nisuer = \"https://b.example\"", "did you mean `issuer`?"),
        ("provider = \"google\"", "the id of the OAuth client"),
    ] {
        let output = run(&also(text), &["policy", "check"]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(stderr(&output).contains(says), "{text}: {}", stderr(&output));
    }
    let two = "provider = \"google\"\naudience = \"c\"\n\n[[server.also]]\nprovider = \"google\"\naudience = \"d\"\nissuer = \"https://g.example\"";
    let output = run(&also(two), &["policy", "check"]);
    assert!(stderr(&output).contains("two providers have opaque tokens"), "{}", stderr(&output));
}

/// Each of these starts no server, and `policy lint` says so before.
#[test]
fn the_lint_finds_what_the_server_refuses() {
    for (text, says) in [
        ("provider = \"google\"\nregistered = [\"todo:read\"]", "the id of the OAuth client"),
        ("provider = \"cognito\"\nissuer = \"https://c.example\"", "the id of the OAuth client"),
        ("provider = \"auth0\"", "needs its issuer"),
        (
            "provider = \"oidc\"\nissuer = \"https://a.example\"\n[[server.also]]\n\
             provider = \"okta\"\nissuer = \"https://a.example\"\n",
            "two providers have the issuer https://a.example",
        ),
        ("issuer = \"https://a.example\"", "`issuer` has no effect without `provider`"),
        ("provider = \"scalekit\"\naudience = \"res_1\"", "`audience` has no effect with Scalekit"),
    ] {
        // A table below `[server]` stands after all of its keys.
        let (keys, also) = text.split_once("[[").unwrap_or((text, ""));
        let mut policy = policy(keys.trim_end());
        if !also.is_empty() {
            policy = policy.replace("[scopes]", &format!("[[{also}\n[scopes]"));
        }
        let output = run(&policy, &["policy", "lint", "--deny", "warning"]);
        let said = stdout(&output) + &stderr(&output);
        assert_ne!(output.status.code(), Some(0), "{text}");
        assert!(said.contains(says), "{text}: {said}");
    }
}

/// Scopes of OpenID Connect are the provider's, wherever they are registered.
#[test]
fn scopes_about_signing_in_are_left_alone() {
    let standard = ["openid", "profile", "email", "address", "phone", "offline_access"];
    let registered = format!(
        "provider = \"oidc\"\nissuer = \"https://a.example\"\nregistered = [\"todo:read\", \
         \"todo:write\", \"admin:access\", \"{}\"]",
        standard.join("\", \"")
    );
    let output = run(&policy(&registered), &["policy", "lint", "--deny", "warning"]);
    let said = stdout(&output) + &stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");

    let listed =
        Server::prepare(&policy("provider = \"oidc\"\nissuer = \"https://a.example\""), &[]);
    let snapshot = format!(
        "version = 1\nresource = \"{}\"\nissuer = \"https://a.example\"\npulled_at = \
         \"2099-01-01T00:00:00Z\"\nscopes = [\"todo:read\", \"todo:write\", \"admin:access\", \"{}\"]\n",
        listed.url(),
        standard.join("\", \"")
    );
    std::fs::write(listed.folder.path().join("registered-scopes.toml"), snapshot).unwrap();
    let output = listed.command().args(["policy", "lint"]).output().unwrap();
    let said = stdout(&output) + &stderr(&output);
    assert!(!said.contains("unused-scope"), "{said}");
}
