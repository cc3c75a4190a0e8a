//! Access that is taken away before it expires.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{POLICY, Reply, Server, stderr, stdout};

fn lists(server: &Server, token: &str) -> Reply {
    server.call(token, "list_todos", &json!({}))
}

/// Runs `revocation …`, asserts that the command succeeds, and returns its output.
fn revocation(server: &Server, arguments: &[&str]) -> String {
    let output = server.command().arg("revocation").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stdout(&output)
}

fn claim(token: &str, name: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    claims[name].as_str().unwrap().to_owned()
}

fn is_revoked(reply: &Reply) {
    assert_eq!(reply.status, 401, "{reply:#?}");
    assert_eq!(reply.challenge("error"), Some("invalid_token"));
    assert_eq!(reply.challenge("error_description"), Some("the token was revoked"));
}

/// A revocation refuses the next request, with a cached token and with a new token, and still after
/// a restart.
#[test]
fn a_revocation_applies_from_the_next_request_on() {
    let mut server = Server::start();
    let (ada, other) = (server.token("todo:read"), server.token("todo:write"));
    let grace = server.token_for("grace", "todo:read");
    assert_eq!(lists(&server, &ada).status, 200);
    let said = revocation(&server, &["add", "--subject", "ada", "--reason", "laptop lost"]);
    assert_eq!(said, "revoked: subject ada  (laptop lost)\n");
    is_revoked(&lists(&server, &ada));
    is_revoked(&lists(&server, &other));
    assert_eq!(lists(&server, &grace).status, 200);
    assert!(server.monitor("/metrics").text.contains("scopeward_revocations 1\n"));
    assert_eq!(revocation(&server, &["list"]), "subject ada  (laptop lost)\n");
    server.kill();
    server.launch();
    is_revoked(&lists(&server, &ada));
    revocation(&server, &["remove", "--subject", "ada"]);
    assert_eq!(lists(&server, &ada).status, 200);
}

#[test]
fn one_token_or_one_client_is_revoked() {
    let server = Server::start();
    let (one, other) = (server.token("todo:read"), server.token("todo:read"));
    assert_eq!((lists(&server, &one).status, lists(&server, &other).status), (200, 200));
    revocation(&server, &["add", "--token", &claim(&one, "jti")]);
    is_revoked(&lists(&server, &one));
    assert_eq!(lists(&server, &other).status, 200);
    revocation(&server, &["add", "--client", &claim(&other, "client_id")]);
    is_revoked(&lists(&server, &other));
}

/// `--sign-out` revokes the tokens that were issued before. A person who signs in again is let in.
#[test]
fn sign_out_revokes_earlier_tokens() {
    let server = Server::start();
    let before = server.token("todo:read");
    revocation(&server, &["add", "--subject", "ada", "--sign-out"]);
    is_revoked(&lists(&server, &before));
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(lists(&server, &server.token("todo:read")).status, 200);
    is_revoked(&lists(&server, &before));
}

/// A revocation with an issuer does not affect the same subject at another issuer.
#[test]
fn a_subject_is_revoked_at_one_issuer() {
    let server = Server::start();
    let ada = server.token("todo:read");
    revocation(&server, &["add", "--subject", "ada", "--issuer", "https://other.example"]);
    assert_eq!(lists(&server, &ada).status, 200);
    revocation(&server, &["add", "--subject", "ada", "--issuer", &server.origin()]);
    is_revoked(&lists(&server, &ada));
}

/// When the list of revocations cannot be read or is missing, earlier revocations stay, and the log
/// says so.
#[test]
fn a_broken_or_missing_list_keeps_earlier_revocations() {
    let server = Server::start();
    let ada = server.token("todo:read");
    revocation(&server, &["add", "--subject", "ada"]);
    let path = server.folder.path().join("data/revoked.toml");
    let good = fs::read_to_string(&path).unwrap();
    let refused = || server.monitor("/health").json["revocations"]["refused"].as_u64().unwrap();
    let within_five_seconds = |condition: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !condition() {
            assert!(Instant::now() < deadline, "not within five seconds");
            thread::sleep(Duration::from_millis(20));
        }
    };
    let bad =
        ["", "[[revoked]]\nsubject = \"grace\"\nsubjekt = \"x\"\n", " \n", "[[revoked", "gone"];
    for bad in bad {
        let before = refused();
        if bad == "gone" {
            fs::remove_file(&path).unwrap();
        } else {
            fs::write(&path, bad).unwrap();
        }
        within_five_seconds(&|| {
            is_revoked(&lists(&server, &ada));
            refused() > before
        });
        assert!(server.log().contains("what was revoked before stays revoked"));
    }
    // An edit by hand works like the command.
    fs::write(&path, good.replace("ada", "grace")).unwrap();
    within_five_seconds(&|| lists(&server, &ada).status == 200);
    is_revoked(&lists(&server, &server.token_for("grace", "todo:read")));
}

#[test]
fn a_server_does_not_start_with_a_list_that_it_cannot_read() {
    let mut server = Server::start();
    server.kill();
    let said = revocation(&server, &["add", "--subject", "ada"]);
    assert!(said.contains("in force when one starts"), "{said}");
    fs::write(server.folder.path().join("data/revoked.toml"), "[[revoked]]\n").unwrap();
    let output = server.command().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("must have one of"), "{output:?}");
}

#[test]
fn mistakes_in_arguments_are_refused() {
    let server = Server::start();
    for arguments in [
        &["add"][..],
        &["add", "--subject", ""],
        &["add", "--subject", "a", "--client", "b"],
        &["add", "--token", "a", "--sign-out"],
        &["remove", "--subject", "nobody"],
    ] {
        let output = server.command().arg("revocation").args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains("error:"), "{output:?}");
    }
}

/// `policy explain` and `doctor` refuse a revoked token, as the server does.
#[test]
fn explain_and_doctor_know_revocations() {
    let server = Server::start();
    let token = server.token("todo:read");
    let file = server.folder.path().join("token");
    fs::write(&file, &token).unwrap();
    let explain = || {
        let mut command = server.command();
        command
            .args(["policy", "explain", "--tool", "list_todos", "--token"])
            .arg(&file)
            .output()
            .unwrap()
    };
    let doctor = || server.command().args(["doctor", "--token"]).arg(&file).output().unwrap();
    assert_eq!(explain().status.code(), Some(0));
    assert!(!stdout(&doctor()).contains("revoked"));
    revocation(&server, &["add", "--subject", "ada"]);
    let explained = explain();
    assert_ne!(explained.status.code(), Some(0));
    assert!(stderr(&explained).contains("the token was revoked"), "{explained:?}");
    let examined = doctor();
    assert_ne!(examined.status.code(), Some(0));
    assert!(stdout(&examined).contains("was revoked"), "{examined:?}");
    // While the list cannot be read, both commands fail.
    fs::write(server.folder.path().join("data/revoked.toml"), "[[").unwrap();
    for output in [explain(), doctor()] {
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        assert!(stderr(&output).contains("revoked.toml"), "{output:?}");
    }
}

/// A revocation ends the stream of a session, and refuses further requests of the session.
#[test]
fn a_revocation_ends_the_stream_of_a_session() {
    let server = Server::with_settings(&POLICY, &[("MCP_SESSIONS", "true")]);
    let bearer = format!("Bearer {}", server.token("todo:read"));
    let begin = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        },
    });
    let answer = server.post_with(&[("authorization", &bearer)], &begin.to_string());
    let session = answer.header("mcp-session-id").to_owned();
    let headers = [("authorization", &*bearer), ("mcp-session-id", &*session)];
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    assert_eq!(server.post_with(&headers, &ready).status, 202);
    let stream = ureq::get(server.url())
        .header("authorization", &bearer)
        .header("mcp-session-id", &session)
        .header("accept", "text/event-stream")
        .config()
        .timeout_global(Some(Duration::from_mins(1)))
        .build()
        .call()
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    revocation(&server, &["add", "--subject", "ada"]);
    // The stream ends before the timeout.
    stream.into_body().read_to_string().unwrap();
    is_revoked(&server.post_with(&headers, &ready));
}

/// Identifiers are base64url in many providers, so that some begin with a hyphen.
#[test]
fn an_identifier_that_begins_with_a_hyphen_is_revoked() {
    let server = Server::start();
    for (option, word) in [("--token", "jti"), ("--subject", "subject"), ("--client", "client")] {
        let said = revocation(&server, &["add", option, "-Rx_7"]);
        assert!(said.contains("-Rx_7"), "{word}: {said}");
        revocation(&server, &["remove", option, "-Rx_7"]);
    }
    assert_eq!(revocation(&server, &["list"]).matches("-Rx_7").count(), 0);
}
