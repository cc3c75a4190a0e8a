//! Opaque tokens, which the server introspects at their issuer (RFC 7662).

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{lists, policy, shapes::REGISTERED};
use crate::{
    harness::{Server, run, stderr},
    standin::{Mode, Provider, SECRET, now},
};

fn opaque(provider: &Provider) -> Server {
    let text = format!(
        "provider = \"oauth\"\nissuer = \"{}\"\nopaque = true\naudience = \"api\"",
        provider.url
    );
    let credentials = [("INTROSPECTION_CLIENT_ID", "rs"), ("INTROSPECTION_CLIENT_SECRET", SECRET)];
    Server::with_settings(&policy(&text), &credentials)
}

/// Sets the provider's introspection response for `token`.
fn says(provider: &Provider, token: &str, changes: &Value) {
    let mut answer = json!({ "active": true, "token_type": "Bearer", "aud": "api", "sub": "ada",
        "client_id": "c", "exp": now() + 600, "scope": "todo:read" });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            answer.as_object_mut().unwrap().remove(name);
        } else {
            answer[name] = value.clone();
        }
    }
    provider.opaque.lock().unwrap().insert(token.to_owned(), answer);
}

#[test]
fn an_opaque_token_is_what_its_issuer_says() {
    let provider = Provider::start();
    let server = opaque(&provider);
    for (number, good) in [
        json!({}),
        json!({ "aud": ["x", "api"] }),
        json!({ "iss": provider.url }),
        json!({ "exp": null }),
        json!({ "token_type": null }),
        json!({ "token_type": "bearer" }),
        // Spring Authorization Server sends a list.
        json!({ "scope": ["openid", "todo:read"] }),
        // django-oauth-toolkit sends `username` instead of `sub`.
        json!({ "sub": null, "username": "ada" }),
    ]
    .iter()
    .enumerate()
    {
        let token = format!("good-{number}");
        says(&provider, &token, good);
        assert_eq!(lists(&server, &token), 200, "{good}");
        let reply = server.call(&token, "create_todo", &json!({ "title": "x" }));
        assert_eq!(reply.status, 403, "{good}");
    }
    for (number, (bad, why)) in [
        (json!({ "active": false }), "not active"),
        (json!({ "aud": "other" }), "aud must be api"),
        (json!({ "aud": null }), "aud claim is missing"),
        (json!({ "iss": "https://other.example" }), "its iss must be"),
        (json!({ "exp": now() - 3_600 }), "expired"),
        (json!({ "nbf": now() + 3_600 }), "not valid yet"),
        (json!({ "sub": null }), "missing or malformed"),
        (json!({ "sub": "" }), "sub claim is missing"),
        (json!({ "token_type": "N_A" }), "typ"),
        (json!({ "token_type": "refresh_token" }), "typ"),
        (json!({ "scope": [1] }), "scope claim is missing or malformed"),
        (json!({ "scope": null, "scp": ["todo:read"] }), "writes them in scope"),
        (json!({ "nonce": "n" }), "an ID token"),
    ]
    .iter()
    .enumerate()
    {
        let token = format!("bad-{number}");
        says(&provider, &token, bad);
        let reply = server.call(&token, "list_todos", &json!({}));
        assert_eq!(reply.status, 401, "{bad} {reply:?}");
        let description = reply.challenge("error_description").unwrap();
        assert!(description.contains(why), "{bad}: {description}");
    }
    assert_eq!(lists(&server, "never-issued"), 401);
    // A token that looks like a JWT is introspected as well.
    let jwt = provider.token(&json!({ "iss": provider.url, "aud": "api" }));
    assert_eq!(lists(&server, &jwt), 401);
    says(&provider, "no-word", &json!({ "active": "true" }));
    assert_eq!(lists(&server, "no-word"), 503, "no answer is not a yes");
    assert!(!server.log().contains(SECRET) && !server.log().contains("good-0"));
}

/// Concurrent requests with one token cause one introspection. Its result is cached, and a new
/// introspection follows when the result has expired.
#[test]
fn introspection_results_are_shared_and_cached() {
    let provider = Provider::start();
    let server = opaque(&provider);
    says(&provider, "good", &json!({}));
    // The token expires in 3 seconds, with the leeway of 60 seconds, so its result is cached no
    // longer.
    says(&provider, "short", &json!({ "exp": now() - 57 }));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(lists(&server, "good"), 200));
        }
    });
    assert_eq!(provider.introspected(), 1);
    assert_eq!(lists(&server, "good"), 200);
    assert_eq!(provider.introspected(), 1, "kept");
    assert_eq!(lists(&server, "bad"), 401);
    assert_eq!(lists(&server, "bad"), 401);
    assert_eq!(provider.introspected(), 2, "a refusal is kept as well");
    assert_eq!(lists(&server, "short"), 200);

    // The provider fails. Cached tokens still work, unknown tokens are refused, and no restart is
    // needed.
    provider.set(Mode::Status(500));
    assert_eq!(lists(&server, "good"), 200);
    let reply = server.call("new", "list_todos", &json!({}));
    assert_eq!((reply.status, reply.header("retry-after")), (503, "5"));
    for mode in [Mode::Html, Mode::Redirect, Mode::Large, Mode::Broken, Mode::Slow] {
        provider.set(mode);
        assert_eq!(lists(&server, "new"), 503, "{mode:?}");
        assert_eq!(lists(&server, "good"), 200, "{mode:?}");
    }
    provider.set(Mode::Good);
    says(&provider, "new", &json!({}));
    assert_eq!(lists(&server, "new"), 200, "that there was no answer is not kept");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(lists(&server, "short"), 401, "it has expired while its answer was kept");
    // A token that was inactive and is now active is accepted within ten seconds.
    says(&provider, "bad", &json!({}));
    thread::sleep(Duration::from_secs(10));
    assert_eq!(lists(&server, "bad"), 200);
    assert_eq!(server.log().matches("opaque tokens cannot be checked now").count(), 1);
}

#[test]
fn the_credentials_are_needed_and_named() {
    let text = "provider = \"oauth\"\nissuer = \"https://as.example\"\nopaque = true";
    let output = run(&policy(text), &["policy", "check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("needs INTROSPECTION_CLIENT_ID"), "{}", stderr(&output));
}

/// Wrong introspection credentials let nobody in. The log says so, and does not hold the
/// credentials.
#[test]
fn wrong_credentials_are_logged() {
    let provider = Provider::start();
    says(&provider, "good", &json!({}));
    let text = format!(
        "provider = \"oauth\"\nissuer = \"{}\"\nopaque = true\naudience = \"api\"",
        provider.url
    );
    let credentials = [("INTROSPECTION_CLIENT_ID", "rs"), ("INTROSPECTION_CLIENT_SECRET", "wr0ng")];
    let server = Server::with_settings(&policy(&text), &credentials);
    assert_eq!(lists(&server, "good"), 503);
    let log = server.log();
    assert!(log.contains("its status is 401") && !log.contains("wr0ng"), "{log}");
}

/// `google-auth-library`, `TokenInfo`: numbers are text, there is no `active` and no `iss`, and
/// `aud` is the client.
#[test]
fn google_tokens() {
    let provider = Provider::start();
    let text = format!("provider = \"google\"\naudience = \"c.apps\"\n{REGISTERED}");
    let url = format!("{}/tokeninfo", provider.url);
    let server = Server::with_settings(&policy(&text), &[("INTROSPECTION_URL", &url)]);
    let say = |token: &str, changes: &Value| {
        let mut answer = json!({ "azp": "c.apps", "aud": "c.apps", "sub": "1169", "scope":
            "openid todo:read", "exp": (now() + 600).to_string(), "expires_in": "600",
            "access_type": "online" });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                answer.as_object_mut().unwrap().remove(name);
            } else {
                answer[name] = value.clone();
            }
        }
        provider.opaque.lock().unwrap().insert(token.to_owned(), answer);
    };
    say("ya29.good", &json!({}));
    assert_eq!(lists(&server, "ya29.good"), 200);
    assert_eq!(server.call("ya29.good", "create_todo", &json!({ "title": "x" })).status, 403);
    for (number, (bad, why)) in [
        (json!({ "aud": "other.apps" }), "aud must be c.apps"),
        (json!({ "exp": "soon" }), "exp claim is missing"),
        (json!({ "exp": (now() - 600).to_string() }), "expired"),
        (json!({ "sub": null }), "missing or malformed"),
        (json!({ "scope": null }), "it must have scope"),
    ]
    .iter()
    .enumerate()
    {
        let token = format!("ya29.bad-{number}");
        say(&token, bad);
        let reply = server.call(&token, "list_todos", &json!({}));
        assert_eq!(reply.status, 401, "{bad}");
        let description = reply.challenge("error_description").unwrap();
        assert!(description.contains(why), "{bad}: {description}");
    }
    assert_eq!(lists(&server, "ya29.unknown"), 401);
}

/// A page and an app of one project are two OAuth clients at Google, with one issuer.
#[test]
fn google_tokens_of_two_clients() {
    let provider = Provider::start();
    let text =
        format!("provider = \"google\"\naudience = [\"web.apps\", \"app.apps\"]\n{REGISTERED}");
    let url = format!("{}/tokeninfo", provider.url);
    let server = Server::with_settings(&policy(&text), &[("INTROSPECTION_URL", &url)]);
    let say = |token: &str, client: &Value| {
        let answer = json!({ "azp": client, "aud": client, "sub": "1169", "scope": "openid todo:read",
            "exp": (now() + 600).to_string() });
        provider.opaque.lock().unwrap().insert(token.to_owned(), answer);
    };
    for (token, client) in [("ya29.web", "web.apps"), ("ya29.app", "app.apps")] {
        say(token, &json!(client));
        assert_eq!(lists(&server, token), 200, "{client}");
    }
    for (token, client) in [
        ("ya29.other", json!("other.apps")),
        ("ya29.part", json!("app.app")),
        ("ya29.both", json!("web.apps app.apps")),
        ("ya29.none", json!(null)),
    ] {
        say(token, &client);
        let reply = server.call(token, "list_todos", &json!({}));
        assert_eq!(reply.status, 401, "{client}");
    }
    say("ya29.other", &json!("other.apps"));
    let reply = server.call("ya29.other", "list_todos", &json!({}));
    let why = reply.challenge("error_description").unwrap();
    assert!(why.contains("aud must be web.apps or app.apps"), "{why}");
}

/// During a migration from opaque tokens to JWTs, both kinds of token are accepted.
#[test]
fn jwts_and_opaque_tokens_side_by_side() {
    let (new, old) = (Provider::start(), Provider::start());
    let head = format!("provider = \"oidc\"\nissuer = \"{}\"\naudience = \"api\"", new.url);
    let also = format!(
        "[[server.also]]\nprovider = \"oauth\"\nissuer = \"{}\"\naudience = \"api\"\nopaque = true\n\n[scopes]",
        old.url
    );
    let credentials = [("INTROSPECTION_CLIENT_ID", "rs"), ("INTROSPECTION_CLIENT_SECRET", SECRET)];
    let server = Server::with_settings(&policy(&head).replace("[scopes]", &also), &credentials);
    says(&old, "opaque", &json!({}));
    assert_eq!(lists(&server, "opaque"), 200);
    let jwt = new.token(&json!({ "iss": new.url, "aud": "api" }));
    assert_eq!(lists(&server, &jwt), 200);
    assert_eq!(old.introspected(), 1, "a token of the one is not shown to the other");
    let forged = new.token(&json!({ "iss": new.url, "aud": "other" }));
    assert_eq!(lists(&server, &forged), 401);
    assert_eq!(old.introspected(), 1);
}

/// A secret in a file, as secret managers write it, can be replaced without a restart, and is never
/// logged.
#[test]
fn a_secret_in_a_file_is_exchanged_without_a_restart() {
    let provider = Provider::start();
    let text = format!(
        "provider = \"oauth\"\nissuer = \"{}\"\nopaque = true\naudience = \"api\"",
        provider.url
    );
    let settings =
        [("INTROSPECTION_CLIENT_ID", "rs"), ("INTROSPECTION_CLIENT_SECRET_FILE", "secret")];
    let mut server = Server::prepare(&policy(&text), &settings);
    let output = server.command().output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("cannot read the secret in secret"), "{output:?}");
    let path = server.folder.path().join("secret");
    std::fs::write(&path, "the-old-secret\n").unwrap();
    server.launch();
    says(&provider, "one", &json!({}));
    assert_eq!(lists(&server, "one"), 503, "the provider does not know the old secret any more");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    assert_eq!(lists(&server, "one"), 200);
    std::fs::remove_file(&path).unwrap();
    says(&provider, "two", &json!({}));
    assert_eq!(lists(&server, "two"), 503);
    assert!(!server.log().contains("the-old-secret") && !server.log().contains(SECRET));
    server.set("INTROSPECTION_CLIENT_SECRET", SECRET);
    let output = server.command().output().unwrap();
    assert!(stderr(&output).contains("are both set"), "{output:?}");
}
