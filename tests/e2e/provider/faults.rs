//! Everything that can go wrong at a provider: nobody is let in because of it, nothing that works
//! stops, and no restart is needed.

use std::{
    thread,
    time::{Duration, Instant},
};

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{lists, policy, scalekit};
use crate::{
    harness::Server,
    keys::keys,
    standin::{
        Mode, Provider,
        tls::{Providers, Shown},
    },
};

/// Waits for a status, for as long as a recovery may take.
fn becomes(server: &Server, token: &str, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while lists(server, token) != status {
        assert!(Instant::now() < deadline, "not {status}:\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
}

/// Down at the start, in every way: the server starts from its snapshot, lets nobody in, says when
/// to come back, and recovers by itself.
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

/// Down later, in every way: the keys that are there stay, nobody else is let in, and what changed
/// meanwhile is seen without a restart.
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
                // Until then an unknown key causes no fetch.
                thread::sleep(Duration::from_secs(11));
                let unknown = provider.sign(&json!({}), Algorithm::RS256, "other", &keys().rsa);
                assert_eq!(lists(&server, &unknown), 401, "{mode:?}");
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

/// A flood of unknown keys causes one fetch; a rotation is seen by the first that needs it, and
/// keys that are gone verify nothing.
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
                assert_eq!(lists(server, &token), 401);
            });
        }
    });
    assert_eq!(provider.asked(), before + 1, "one fetch for all of them");

    provider.set(Mode::Rotated);
    let new = provider.sign(&json!({}), Algorithm::ES256, "new", &keys().ec);
    thread::sleep(Duration::from_secs(11));
    // The key set is the same but for the RSA key, which is gone: any unknown key shows it.
    assert_eq!(lists(&server, &new), 401);
    assert_eq!(lists(&server, &old), 401, "its key is not published any more");
    let known = provider.sign(&json!({}), Algorithm::ES256, "ec", &keys().ec);
    assert_eq!(lists(&server, &known), 200);
}

/// A certificate that has expired is no certificate: at the start nobody is let in, later nothing
/// is taken away, and a good one mends it.
#[test]
fn an_expired_certificate_is_none() {
    let authority = Providers::new();
    let (good, expired) = (authority.certificate(2099), authority.certificate(2024));
    let shown = Shown::new(std::sync::Arc::clone(&good));
    let provider = Provider::over_tls(shown.clone());
    let mut server = Server::prepare(&policy("provider = \"scalekit\""), &provider.settings());
    let trusted = server.folder.path().join("authority.pem");
    authority.write(&trusted);
    // Unknown authorities are not trusted either.
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
    assert_eq!(lists(&server, &unknown), 401);
    assert_eq!(server.log().matches("the keys that are there stay").count(), 1);
    assert_eq!(lists(&server, &token), 200, "later");
}
