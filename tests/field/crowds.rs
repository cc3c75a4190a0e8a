//! Reports about many requests at once.

use std::thread;

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::Report;
use crate::{
    harness::{POLICY, Server},
    issuer::{client, code, exchange, refresh},
    keys::keys,
    standin::Provider,
};

/// How many refreshes of one refresh token come at once, and how many of them succeed.
const REFRESHES: &[Report<usize, usize>] = &[
    Report { source: "fastmcp 4901: two requests refresh at once", input: 2, expected: 2 },
    Report {
        source: "claude-code 74250: several windows share one sign-in",
        input: 6,
        expected: 6,
    },
    Report { source: "opencode 34074: each of many calls refreshes", input: 16, expected: 16 },
];

#[test]
fn the_reports_about_refreshes() {
    for Report { source, input, expected } in REFRESHES {
        let server = Server::start();
        let client = client(&server);
        let code = code(&server, &client, &["todo:read"]);
        let first = exchange(&server, &client, &code, &[]).json;
        let first = first["refresh_token"].as_str().unwrap();
        let replies = thread::scope(|scope| {
            let all: Vec<_> =
                (0..*input).map(|_| scope.spawn(|| refresh(&server, &client, first, ""))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        let good = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(good, *expected, "{source}: {replies:#?}");
        for reply in &replies {
            let access = reply.json["access_token"].as_str().unwrap();
            server.call(access, "list_todos", &json!({})).result();
            let next = reply.json["refresh_token"].as_str().unwrap();
            assert_eq!(refresh(&server, &client, next, "").status, 200, "{source}");
        }
    }
}

/// How many tokens with keys that nobody publishes come at once, and how often the provider is asked
/// for its keys at most.
const UNKNOWN_KEYS: &[Report<usize, usize>] = &[
    Report {
        source: "agents-at-scale-ark 2457: each unknown `kid` fetches the keys",
        input: 40,
        expected: 1,
    },
    Report {
        source: "giantswarm/mcp-oauth 452: a flood of random `kid`s",
        input: 200,
        expected: 1,
    },
];

#[test]
fn the_reports_about_unknown_keys() {
    for Report { source, input, expected } in UNKNOWN_KEYS {
        let provider = Provider::start();
        let policy = format!("provider = \"oidc\"\nissuer = \"{}\"", provider.url);
        let server = Server::with_policy(&POLICY.replace("provider = \"embedded\"", &policy));
        let claims = json!({ "iss": provider.url, "aud": server.url() });
        let good = provider.token(&claims);
        server.call(&good, "list_todos", &json!({})).result();
        let before = provider.asked();
        thread::scope(|scope| {
            for worker in 0..8 {
                let (server, provider, claims) = (&server, &provider, &claims);
                scope.spawn(move || {
                    for number in 0..input / 8 {
                        let id = format!("unknown-{worker}-{number}");
                        let token = provider.sign(claims, Algorithm::RS256, &id, &keys().rsa);
                        let status = server.call(&token, "list_todos", &json!({})).status;
                        assert!([401, 503].contains(&status), "{source}: {status}");
                    }
                });
            }
        });
        let asked = provider.asked() - before;
        assert!(asked <= *expected, "{source}: asked {asked} times");
        server.call(&good, "list_todos", &json!({})).result();
    }
}
