//! Scalekit: its tokens, its metadata, and its API.

use serde_json::json;

use super::{lists, policy, scalekit};
use crate::{
    harness::{Server, stdout},
    standin::{ALL, Mode, Provider, RESOURCE_ID, now},
};

#[test]
fn scalekit_tokens_are_accepted_in_each_documented_form_and_in_no_other() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let (environment, url) = (provider.url.clone(), server.url());
    for issuer in [environment.clone(), format!("{environment}/resources/{RESOURCE_ID}")] {
        for audience in
            [json!(RESOURCE_ID), json!([RESOURCE_ID, "x"]), json!(url), json!([format!("{url}/")])]
        {
            let token = provider.token(&json!({ "iss": issuer, "aud": audience }));
            assert_eq!(lists(&server, &token), 200, "{issuer} {audience}");
        }
    }
    let list = json!({ "scope": null, "scopes": ["todo:read", "todo:write"] });
    assert_eq!(lists(&server, &provider.token(&list)), 200, "scopes as a list");
    for (changes, says) in [
        (json!({ "iss": format!("{environment}/") }), "another issuer"),
        (json!({ "iss": format!("{environment}/resources/res_124") }), "another issuer"),
        (json!({ "aud": "res_124" }), "another resource"),
        (json!({ "aud": "RES_123" }), "another resource"),
        (json!({ "aud": null }), "missing or malformed"),
        (json!({ "aud": url.to_uppercase() }), "another resource"),
        (json!({ "exp": now() - 3_600 }), "expired"),
        (json!({ "nonce": "n" }), "an ID token, by its nonce claim"),
        (json!({ "at_hash": "h" }), "an ID token, by its at_hash claim"),
    ] {
        let reply = server.call(&provider.token(&changes), "list_todos", &json!({}));
        assert_eq!(reply.status, 401, "{changes}");
        assert!(
            reply.challenge("error_description").unwrap().contains(says),
            "{changes} {reply:?}"
        );
    }
    let nothing = provider.token(&json!({ "scope": null }));
    assert_eq!(lists(&server, &nothing), 403, "a token without scopes may do nothing");
}

#[test]
fn scalekit_discovery_is_forwarded_and_cached() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let resource = server.get("/.well-known/oauth-protected-resource/mcp").json;
    let authority = format!("{}/resources/{RESOURCE_ID}", provider.url);
    assert_eq!(resource["authorization_servers"], json!([authority]));
    assert_eq!(server.get("/oauth/authorize").status, 404, "there is no embedded issuer");
    let forwarded = server.get("/.well-known/oauth-authorization-server");
    assert_eq!((forwarded.status, &forwarded.json["issuer"]), (200, &json!(authority)));
    provider.set(Mode::Status(500));
    let again = server.get("/.well-known/oauth-authorization-server");
    assert_eq!((again.status, again.json), (200, forwarded.json));
    let status = |mode: Mode| {
        let provider = Provider::start();
        let server = scalekit(&provider);
        provider.set(mode);
        let reply = server.get("/.well-known/oauth-authorization-server");
        assert!(reply.json["error"].is_string() && !reply.text.contains("127.0.0.1"), "{reply:?}");
        reply.status
    };
    assert_eq!(status(Mode::Status(500)), 502);
    assert_eq!(status(Mode::Html), 502);
    assert_eq!(status(Mode::Slow), 503);
}

#[test]
fn the_policy_is_compared_with_the_registered_scopes() {
    let provider = Provider::start();
    provider.register(&["todo:read", "todo:write", "todo:share"]);
    let server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let check = || server.command().args(["policy", "check"]).output().unwrap();
    let output = check();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("nobody could ever call `purge_todos`: admin:access is not registered"));
    assert!(text.contains("`todo:share` is registered, and the policy does not know it"), "{text}");

    provider.register(&ALL);
    assert_eq!(check().status.code(), Some(0), "{:?}", check());
    // Without a response and without a snapshot the check fails, because the registered scopes are
    // unknown. With a snapshot it passes.
    provider.set(Mode::Status(503));
    let output = check();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("resource pull"), "{output:?}");
    provider.set(Mode::Good);
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert_eq!(pull.status.code(), Some(0), "{pull:?}");
    provider.set(Mode::Status(503));
    let output = check();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("registered-scopes.toml says"));
    let written =
        std::fs::read_to_string(server.folder.path().join("registered-scopes.toml")).unwrap();
    let source = "/.well-known/oauth-authorization-server/resources/res_123\"";
    assert!(written.contains("provider = \"scalekit\"") && written.contains(source), "{written}");
    provider.set(Mode::Good);
    let live = String::from_utf8(check().stdout).unwrap();
    assert!(live.contains("/resources/res_123 says what is registered now"), "{live}");
}

/// Scalekit's API gives the scopes that are enabled for the resource. Its secret is never shown.
#[test]
fn scalekit_s_api_gives_the_registered_scopes() {
    let provider = Provider::start();
    let mut server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    server.set("SCALEKIT_CLIENT_ID", "skc_1");
    server.set("SCALEKIT_CLIENT_SECRET", "s+/cret");
    let run =
        |server: &Server, arguments: &[&str]| server.command().args(arguments).output().unwrap();
    let output = run(&server, &["resource", "pull"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("3 scopes registered: todo:read, todo:write, admin:access"), "{text}");
    provider.register(&["todo:read", "todo:write"]);
    let output = run(&server, &["policy", "check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("admin:access is not registered"));
    std::fs::remove_file(server.folder.path().join("registered-scopes.toml")).unwrap();
    server.set("SCALEKIT_CLIENT_SECRET", "wrong+secret");
    let output = run(&server, &["policy", "check"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("/oauth/token does not answer as Scalekit's token endpoint should"),
        "{text}"
    );
    assert!(!text.contains("wrong+secret") && !text.contains("wrong%2Bsecret"), "{text}");
}

/// `resource status` shows the registered scopes, their source, and whether the committed snapshot
/// still equals them.
#[test]
fn resource_status_compares_the_snapshot_with_the_provider() {
    let provider = Provider::start();
    let server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let run = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, text) = run(&["resource", "status"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("has registered: todo:read, todo:write, admin:access"), "{text}");
    assert!(text.contains("There is no registered-scopes.toml."), "{text}");
    assert_eq!(run(&["resource", "pull"]).0, Some(0));
    assert!(run(&["resource", "status"]).1.ends_with("They agree.\n"));
    provider.register(&["todo:read"]);
    let (code, text) = run(&["resource", "status"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("They differ: run `resource pull`"), "{text}");
    provider.set(Mode::Status(500));
    let (code, text) = run(&["resource", "status"]);
    assert_eq!(code, Some(0), "the snapshot is there: {text}");
    assert!(text.contains("The provider does not say"), "{text}");
    std::fs::remove_file(server.folder.path().join("registered-scopes.toml")).unwrap();
    assert_eq!(run(&["resource", "status"]).0, Some(1), "nobody says anything");
}

/// A production environment has a domain of its own (Scalekit, "Launch checklist"). Either address in
/// `SCALEKIT_ENVIRONMENT_URL` works: the metadata says which one the tokens name, and clients are sent
/// there.
#[test]
fn an_environment_with_a_domain_of_its_own() {
    let provider = Provider::start();
    let domain = provider.at_its_own_domain();
    let issuer = format!("{domain}/resources/{RESOURCE_ID}");
    for environment in [&provider.url, &domain] {
        let settings =
            [("SCALEKIT_ENVIRONMENT_URL", &**environment), ("SCALEKIT_RESOURCE_ID", RESOURCE_ID)];
        let server = Server::with_settings(&policy("provider = \"scalekit\""), &settings);
        for iss in [&issuer, &domain, environment] {
            let token = provider.token(&json!({ "iss": iss }));
            assert_eq!(lists(&server, &token), 200, "{environment}: {iss}");
        }
        for iss in [
            "https://evil.example".to_owned(),
            format!("{domain}/resources/res_124"),
            format!("{domain}/"),
        ] {
            let reply =
                server.call(&provider.token(&json!({ "iss": iss })), "list_todos", &json!({}));
            assert_eq!(reply.status, 401, "{iss}");
            assert!(reply.challenge("error_description").unwrap().contains(&issuer), "{reply:#?}");
        }
        let resource = server.get("/.well-known/oauth-protected-resource/mcp").json;
        assert_eq!(resource["authorization_servers"], json!([issuer]));
        let forwarded = server.get("/.well-known/oauth-authorization-server").json;
        assert_eq!(forwarded["issuer"], json!(issuer));
        let output = server.command().arg("doctor").output().unwrap();
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let is_other = *environment != domain;
        assert_eq!(text.contains(&format!("the issuer is {issuer}")), is_other, "{text}");
    }
}

/// The environment does not answer at the start. A token that names its own domain is not refused, as
/// long as nobody has said which the issuer is.
#[test]
fn a_domain_that_is_not_known_yet() {
    let provider = Provider::start();
    let domain = provider.at_its_own_domain();
    let mut server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert!(pull.status.success(), "{pull:?}");
    provider.set(Mode::Down);
    server.launch();
    let token = provider.token(&json!({ "iss": domain }));
    assert_eq!(lists(&server, &token), 503);
    provider.set(Mode::Good);
    crate::availability::until("the issuer is known", || match lists(&server, &token) {
        503 => false,
        status => {
            assert_eq!(status, 200);
            true
        }
    });
}

/// Metadata that names something else than an address with the path of the resource is no metadata of
/// it.
#[test]
fn the_metadata_of_another_resource_is_refused() {
    let provider = Provider::start();
    let settings =
        [("SCALEKIT_ENVIRONMENT_URL", &*provider.url), ("SCALEKIT_RESOURCE_ID", "res_other")];
    let server = Server::prepare(&policy("provider = \"scalekit\""), &settings);
    let output = server.command().arg("doctor").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}
