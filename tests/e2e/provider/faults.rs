//! Faults of a provider let nobody in, do not stop callers whose tokens can be checked, and need no
//! restart.

use std::{
    thread,
    time::{Duration, Instant},
};

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{lists, policy, scalekit, shapes::REGISTERED};
use crate::{
    harness::Server,
    keys::keys,
    standin::{
        Mode, Provider,
        tls::{CertificateAuthority, Shown},
    },
};

/// Waits until a call gets this status, for at most 30 seconds, the longest time of a recovery.
fn becomes(server: &Server, token: &str, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while lists(server, token) != status {
        assert!(Instant::now() < deadline, "not {status}:\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
}

/// With every fault of a provider at the start, the server starts from its snapshot, refuses every
/// call with `Retry-After`, and recovers by itself.
#[test]
fn a_provider_that_fails_at_the_start_lets_nobody_in_until_it_answers() {
    let faults = [
        Mode::Down,
        Mode::Status(500),
        Mode::Slow,
        Mode::Html,
        Mode::Redirect,
        Mode::Large,
        Mode::Broken,
        Mode::NoKeys,
    ];
    thread::scope(|scope| {
        for mode in faults {
            scope.spawn(move || {
                let provider = Provider::start();
                let mut server =
                    Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
                let pull = server.command().args(["resource", "pull"]).output().unwrap();
                assert!(pull.status.success(), "{pull:?}");
                provider.set(mode);
                server.launch();
                let token = provider.token(&json!({}));
                let reply = server.call(&token, "list_todos", &json!({}));
                assert_eq!((reply.status, reply.header("retry-after")), (503, "5"), "{mode:?}");
                assert_eq!(lists(&server, "not.a.token"), 401, "{mode:?}");
                assert!(server.log().contains("no token can be checked yet"), "{mode:?}");
                provider.set(Mode::Good);
                becomes(&server, &token, 200);
            });
        }
    });
}

/// With every later fault of a provider, the server keeps the known keys, accepts no unknown key,
/// and sees changed keys after the recovery without a restart.
#[test]
fn a_provider_that_fails_later_takes_nothing_away() {
    let faults = [
        Mode::Down,
        Mode::Status(500),
        Mode::Slow,
        Mode::Html,
        Mode::Redirect,
        Mode::Large,
        Mode::Broken,
        Mode::NoKeys,
    ];
    thread::scope(|scope| {
        for mode in faults {
            scope.spawn(move || {
                let provider = Provider::start();
                let server = scalekit(&provider);
                let good = provider.token(&json!({}));
                assert_eq!(lists(&server, &good), 200);
                provider.set(mode);
                // Waits 11 seconds, because an unknown key causes a fetch at most every 10 seconds.
                thread::sleep(Duration::from_secs(11));
                let unknown = provider.sign(&json!({}), Algorithm::RS256, "other", &keys().rsa);
                assert_eq!(lists(&server, &unknown), 503, "{mode:?}: nobody knows its key");
                let deadline = Instant::now() + Duration::from_secs(10);
                while !server.log().contains("the keys that are there stay") {
                    assert!(Instant::now() < deadline, "{mode:?}:\n{}", server.log());
                    thread::sleep(Duration::from_millis(50));
                }
                assert_eq!(lists(&server, &good), 200, "{mode:?}");
                provider.set(Mode::Rotated);
                becomes(&server, &good, 401);
                let new = provider.sign(&json!({}), Algorithm::ES256, "ec", &keys().ec);
                assert_eq!(lists(&server, &new), 200, "{mode:?}");
            });
        }
    });
}

/// Many unknown keys cause one fetch. The first token with a new key makes the server fetch it, and
/// a key that is no longer published verifies nothing.
#[test]
fn keys_rotate_without_a_restart_and_without_a_flood() {
    let provider = Provider::start();
    let server = scalekit(&provider);
    let old = provider.token(&json!({}));
    assert_eq!(lists(&server, &old), 200);
    let before = provider.asked();
    thread::sleep(Duration::from_secs(11));
    thread::scope(|scope| {
        for number in 0..32 {
            let (server, provider) = (&server, &provider);
            scope.spawn(move || {
                let id = format!("unknown-{number}");
                let token = provider.sign(&json!({}), Algorithm::RS256, &id, &keys().rsa);
                // A token that comes after the fetch was not looked for.
                assert!([401, 503].contains(&lists(server, &token)));
            });
        }
    });
    assert_eq!(provider.asked(), before + 1, "one fetch for all of them");

    provider.set(Mode::Rotated);
    let new = provider.sign(&json!({}), Algorithm::ES256, "new", &keys().ec);
    thread::sleep(Duration::from_secs(11));
    // Only the RSA key has been removed. Any token with an unknown key makes the server fetch the
    // keys and notice.
    assert_eq!(lists(&server, &new), 401);
    assert_eq!(lists(&server, &old), 401, "its key is not published any more");
    let known = provider.sign(&json!({}), Algorithm::ES256, "ec", &keys().ec);
    assert_eq!(lists(&server, &known), 200);
}

/// With an expired certificate at the start, nobody is let in. With a certificate that expires
/// later, known keys stay. A good certificate ends both.
#[test]
fn an_expired_certificate_is_not_trusted() {
    let authority = CertificateAuthority::new();
    let (good, expired) = (authority.certificate(2099), authority.certificate(2024));
    let shown = Shown::new(std::sync::Arc::clone(&good));
    let provider = Provider::over_tls(shown.clone());
    let mut server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let trusted = server.folder.path().join("authority.pem");
    authority.write(&trusted);
    // A certificate of an unknown certificate authority is not trusted either.
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert!(!pull.status.success());
    assert!(String::from_utf8_lossy(&pull.stderr).contains("UnknownIssuer"), "{pull:?}");

    server.set("SSL_CERT_FILE", trusted.to_str().unwrap());
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert!(pull.status.success(), "{pull:?}");
    shown.replace(std::sync::Arc::clone(&expired));
    server.launch();
    let token = provider.token(&json!({}));
    assert_eq!(lists(&server, &token), 503, "at the start");
    assert!(server.log().contains("xpired"), "{}", server.log());
    shown.replace(good);
    becomes(&server, &token, 200);

    shown.replace(expired);
    thread::sleep(Duration::from_secs(11));
    let unknown = provider.sign(&json!({}), Algorithm::RS256, "other", &keys().rsa);
    assert_eq!(lists(&server, &unknown), 503, "its key could not be looked for");
    assert_eq!(server.log().matches("the keys that are there stay").count(), 1);
    assert_eq!(lists(&server, &token), 200, "later");
}

/// A provider that comes up after the server is asked by the next request. A key that nobody could
/// look for is not called unknown.
#[test]
fn what_could_not_be_checked_is_not_refused() {
    let provider = Provider::start();
    provider.set(Mode::Down);
    let text = policy(&format!("provider = \"scalekit\"\n{REGISTERED}"));
    let server = Server::with_settings(&text, &provider.settings());
    let good = provider.token(&json!({}));
    assert_eq!(lists(&server, &good), 503);
    provider.set(Mode::Good);
    // The request asks by itself, at most once a second, and does not wait for the next retry.
    becomes(&server, &good, 200);

    let unknown = |id: &str| provider.sign(&json!({}), Algorithm::RS256, id, &keys().rsa);
    let first = unknown("first");
    assert_eq!(lists(&server, &first), 401, "it was looked for");
    let asked = provider.asked();
    assert_eq!(lists(&server, &unknown("second")), 503, "it was not looked for yet");
    assert_eq!(lists(&server, &first), 401, "it was looked for a moment ago");
    assert_eq!(provider.asked(), asked, "at most once in ten seconds");
}

/// A scope that is registered after the start is asked for before a reload is judged. A new snapshot
/// is a reason to judge again.
#[test]
fn scopes_registered_after_the_start_are_known_at_the_next_reload() {
    let provider = Provider::start();
    provider.register(&["todo:read", "todo:write", "admin:access"]);
    let text = policy(&format!("provider = \"oidc\"\nissuer = \"{}\"", provider.url));
    let server = Server::with_settings(&text, &[]);
    let file = server.folder.path().join("policy.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let edited =
        before.replace("[tools]", "\"todo:share\" = \"Share your todos\"\n\n[tools]").replace(
            "create_todo = { write = \"todo\" }",
            "create_todo = { all_of = [\"todo:write\", \"todo:share\"] }",
        );
    assert_ne!(before, edited);
    let logs = |words: &str| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.log().contains(words) {
            assert!(Instant::now() < deadline, "no {words}:\n{}", server.log());
            thread::sleep(Duration::from_millis(50));
        }
    };
    std::fs::write(&file, &edited).unwrap();
    logs("REFUSED");
    provider.register(&["todo:read", "todo:write", "admin:access", "todo:share"]);
    std::fs::write(&file, format!("{edited}# again\n")).unwrap();
    logs("is loaded");
}
