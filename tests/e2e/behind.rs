//! A server that is reached from pages of other sites, or behind a proxy: one that ends TLS, takes a
//! part of the path away, writes a Host of its own, and adds `X-Forwarded-For`.

use std::fs;

use serde_json::json;

use crate::{
    availability::until,
    harness::{POLICY, Reply, Server, run, send, stderr},
    standin::Provider,
};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The policy of a server at a public URL, whose tokens are a provider's.
fn public(provider: &Provider, url: &str, more: &str) -> String {
    let trust = format!("provider = \"oidc\"\nissuer = \"{}\"\n{more}", provider.url);
    let policy = POLICY.replace("provider = \"embedded\"", &trust);
    policy.replace("http://localhost:3002/mcp", url)
}

/// A request to the process, as a proxy or a browser sends it.
fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let url = format!("http://127.0.0.1:{}{path}", server.port);
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(body.to_owned()).unwrap())
}

fn post(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut all = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    all.extend_from_slice(headers);
    ask(server, "POST", path, &all, PING)
}

fn count(server: &Server, name: &str) -> u64 {
    let text = server.monitor("/metrics").text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |number| number.trim().parse().unwrap())
}

/// A public server can be used from the pages that its policy lists, from the next request after a
/// change on, and from no others.
#[test]
fn listed_origins_may_use_a_public_server() {
    let provider = Provider::start();
    let url = "https://mcp.example.com/mcp";
    let listed =
        public(&provider, url, "origins = [\"https://claude.ai\", \"http://localhost:6274\"]");
    let server = Server::with_settings(&listed, &[]);
    let host = ("host", "mcp.example.com");
    let token = provider.token(&json!({ "iss": provider.url, "aud": url, "scope": "todo:read" }));
    let bearer = format!("Bearer {token}");
    for origin in ["https://claude.ai", "http://localhost:6274", "https://mcp.example.com"] {
        let origin = ("origin", origin);
        let reply = post(&server, "/mcp", &[host, origin, ("authorization", &bearer)]);
        assert_eq!(reply.status, 200, "{origin:?}: {reply:#?}");
        assert_eq!(reply.header("access-control-allow-origin"), origin.1);
        let asked = [
            host,
            origin,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization, mcp-protocol-version"),
        ];
        let preflight = ask(&server, "OPTIONS", "/mcp", &asked, "");
        assert_eq!(preflight.status, 200, "{preflight:#?}");
        assert_eq!(preflight.header("access-control-allow-origin"), origin.1);
        assert!(preflight.header("access-control-allow-headers").contains("authorization"));
        let refused = post(&server, "/mcp", &[host, origin]);
        assert_eq!(refused.status, 401);
        assert_eq!(
            refused.header("access-control-allow-origin"),
            origin.1,
            "the page reads the challenge"
        );
        assert!(refused.header("access-control-expose-headers").contains("www-authenticate"));
    }
    for origin in ["https://evil.example", "http://claude.ai", "https://claude.ai:8443", "null"] {
        let reply = post(&server, "/mcp", &[host, ("origin", origin), ("authorization", &bearer)]);
        assert_eq!(reply.status, 403, "{origin}");
        assert!(reply.text.contains("`origins` in `[server]`"), "{}", reply.text);
        assert!(!reply.text.contains("evil.example"), "{}", reply.text);
    }
    assert_eq!(count(&server, "scopeward_misdirected_total{reason=\"origin\"}"), 4);
    assert_eq!(server.log().matches("refused by its origin").count(), 1, "{}", server.log());

    let changed = listed.replace("https://claude.ai", "https://chat.example.com");
    fs::write(server.folder.path().join("policy.toml"), changed).unwrap();
    let from = |origin| post(&server, "/mcp", &[host, ("origin", origin)]).status;
    until("the origin is listed", || from("https://chat.example.com") == 401);
    assert_eq!(from("https://claude.ai"), 403);
}

/// Metadata says the same to everybody, so that every page may read it: also one that the policy does
/// not list, because a client in a browser reads it before anybody has signed in.
#[test]
fn metadata_answers_every_origin() {
    let server = Server::start();
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/oauth/jwks",
    ] {
        let headers =
            [("host", &*format!("localhost:{}", server.port)), ("origin", "https://any.example")];
        let reply = ask(&server, "GET", path, &headers, "");
        assert_eq!(reply.status, 200, "{path}: {reply:#?}");
        assert_eq!(reply.header("access-control-allow-origin"), "https://any.example", "{path}");
    }
}

/// An Origin that is not one is a mistake of the policy, with the right spelling.
#[test]
fn a_wrong_origin_is_a_mistake_of_the_policy() {
    for (wrong, says) in [
        ("https://claude.ai/", "write `https://claude.ai`"),
        ("claude.ai", "write `https://claude.ai`"),
        ("*", "each origin is named"),
        ("http://claude.ai", "loopback only"),
        ("null", "not an origin"),
    ] {
        let policy = POLICY.replace("[server]", &format!("[server]\norigins = [\"{wrong}\"]"));
        let output = run(&policy, &["policy", "check"]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
        let said = stderr(&output);
        assert!(said.contains("invalid-origin") && said.contains(says), "{said}");
    }
}

/// A proxy ends TLS, takes `/tools` away and writes its own Host. Discovery names the address outside,
/// and both addresses of the metadata are answered.
#[test]
fn a_proxy_takes_a_prefix_away_and_ends_tls() {
    let provider = Provider::start();
    let url = "https://example.com/tools/mcp";
    let settings = [("INNER_PATH", "/mcp"), ("ALLOWED_HOSTS", "todo.internal:8080, TODO:3002")];
    let server = Server::with_settings(&public(&provider, url, ""), &settings);
    let token = provider.token(&json!({ "iss": provider.url, "aud": url, "scope": "todo:read" }));
    let bearer = format!("Bearer {token}");
    for host in ["example.com", "todo.internal:8080", "todo:3002"] {
        let host = ("host", host);
        assert_eq!(
            post(&server, "/mcp", &[host, ("authorization", &bearer)]).status,
            200,
            "{host:?}"
        );
        let challenge = post(&server, "/mcp", &[host]);
        assert_eq!(challenge.status, 401);
        assert_eq!(
            challenge.challenge("resource_metadata"),
            Some("https://example.com/.well-known/oauth-protected-resource/tools/mcp")
        );
        for path in ["", "/mcp", "/tools/mcp"] {
            let path = format!("/.well-known/oauth-protected-resource{path}");
            let metadata = ask(&server, "GET", &path, &[host], "");
            assert_eq!(metadata.json["resource"], url, "{path}");
        }
    }
    let elsewhere = post(&server, "/tools/mcp", &[("host", "example.com")]);
    assert_eq!(elsewhere.status, 404);
    assert!(elsewhere.text.contains("the MCP endpoint is at https://example.com/tools/mcp"));
    let refused = post(&server, "/mcp", &[("host", "todo.internal")]);
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("ALLOWED_HOSTS") && refused.text.contains("`example.com`"));
    assert_eq!(count(&server, "scopeward_misdirected_total{reason=\"host\"}"), 1);
    assert_eq!(count(&server, "scopeward_misdirected_total{reason=\"path\"}"), 1);
    assert!(server.log().contains("refused by its host \"todo.internal\""), "{}", server.log());
}

/// Behind a trusted proxy each client has its own rate. Without trust, or from another peer, the header
/// is what anybody can write.
#[test]
fn limits_of_addresses_hold_for_the_clients_of_a_trusted_proxy() {
    let limited = |trusted: &str| {
        let settings = [("RATE_PER_ADDRESS", "1"), ("TRUSTED_PROXIES", trusted)];
        Server::with_settings(&POLICY, &settings)
    };
    let from = |server: &Server, client: &str| {
        let host = format!("localhost:{}", server.port);
        let headers = [("host", &*host), ("x-forwarded-for", client)];
        post(server, "/mcp", &headers).status
    };
    let exhausts = |server: &Server, client: &str| {
        (0..40).map(|_| from(server, client)).any(|status| status == 429)
    };
    let server = limited("127.0.0.0/8, ::1");
    assert!(exhausts(&server, "203.0.113.5"));
    assert_eq!(from(&server, "203.0.113.6"), 401, "another client");
    assert_eq!(from(&server, "203.0.113.6, 203.0.113.5"), 429, "only the end is believed");

    let server = limited("192.0.2.1");
    assert!((0..40).any(|n| from(&server, &format!("203.0.113.{n}")) == 429), "nobody is believed");
}

#[test]
fn settings_of_a_proxy_that_cannot_be_are_refused() {
    for (name, value, says) in [
        ("TRUSTED_PROXIES", "everybody", "not an address"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "not an address"),
        ("INNER_PATH", "mcp", "a path begins with `/`"),
        ("INNER_PATH", "/:mcp", "routers read that as a pattern"),
        ("INNER_PATH", "/oauth/mcp", "the sign-in of the embedded issuer"),
        ("ALLOWED_HOSTS", "http://todo", "not the value of a Host header"),
        ("ALLOWED_HOSTS", "a@b", "not the value of a Host header"),
    ] {
        let server = Server::prepare(&POLICY, &[(name, value)]);
        let output = server.command().arg("serve").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {output:?}");
        let said = stderr(&output);
        assert!(said.contains(says), "{name}={value}: {said}");
    }
}
