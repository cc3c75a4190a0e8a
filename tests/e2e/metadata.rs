//! The metadata that clients discover, and the hosts and origins that may send requests.

use serde_json::json;

use crate::harness::{Server, get, mcp_request, scalekit, send};

#[test]
fn discovery_leads_from_the_401_to_the_keys() {
    let server = Server::start();
    let origin = server.origin();
    let challenge = server.post_with(&[], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(challenge.status, 401);
    assert_eq!(challenge.challenge("error"), None, "RFC 6750: no token is not an error");
    assert_eq!(challenge.challenge("scope"), Some("todo:read todo:write"));

    let metadata_url = challenge.challenge("resource_metadata").unwrap();
    assert_eq!(metadata_url, format!("{origin}/.well-known/oauth-protected-resource/mcp"));
    let resource = get(metadata_url, &[]);
    assert_eq!(
        resource.json,
        json!({
            "resource": server.url(),
            "resource_name": "todo",
            "authorization_servers": [issuer(&server)],
            "scopes_supported": ["todo:read", "todo:write"],
            "bearer_methods_supported": ["header"],
        })
    );
    assert_eq!(server.get("/.well-known/oauth-protected-resource").json, resource.json);

    let metadata = server.get("/.well-known/oauth-authorization-server").json;
    assert_eq!(metadata["issuer"], json!(issuer(&server)));
    assert_eq!(metadata["scopes_supported"], json!(["todo:read", "todo:write", "admin:access"]));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    let keys = get(metadata["jwks_uri"].as_str().unwrap(), &[]).json;
    let keys = keys["keys"].as_array().unwrap();
    assert!(
        !keys.is_empty() && keys.iter().all(|key| key["d"].is_null()),
        "private halves stay so"
    );
}

/// The issuer that the server's metadata must name.
fn issuer(server: &Server) -> String {
    if crate::IN_FRONT_OF_SCALEKIT { scalekit().of_resource() } else { server.origin() }
}

#[test]
fn the_embedded_issuer_says_what_it_does() {
    if crate::IN_FRONT_OF_SCALEKIT {
        return;
    }
    let server = Server::start();
    let metadata = server.get("/.well-known/oauth-authorization-server").json;
    assert_eq!(metadata, server.get("/.well-known/openid-configuration").json);
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
    let key = &get(metadata["jwks_uri"].as_str().unwrap(), &[]).json["keys"][0];
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"]),
        (&json!("EC"), &json!("ES256"), &json!("sig"))
    );
}

#[test]
fn other_hosts_and_origins_are_refused_everywhere() {
    let server = Server::start();
    let token = server.token("todo:read");
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let bearer = format!("Bearer {token}");
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost.evil.example"),
    ] {
        let request =
            mcp_request(&server.url()).header("authorization", &bearer).header(name, value);
        let reply = send(request.body(list.clone()).unwrap());
        assert_eq!(reply.status, 403, "{name}: {value}");
        assert!(reply.json["result"].is_null());
        for path in ["/.well-known/oauth-protected-resource", "/oauth/authorize", "/oauth/jwks"] {
            let reply = get(&format!("{}{path}", server.origin()), &[(name, value)]);
            // Every page may read metadata and keys, at the server's own host.
            let is_public = name == "origin" && path != "/oauth/authorize";
            // Keys of another provider are at that provider.
            let is_there = !crate::IN_FRONT_OF_SCALEKIT || path != "/oauth/jwks";
            let status = if is_public { if is_there { 200 } else { 404 } } else { 403 };
            assert_eq!(reply.status, status, "{path} {name}: {value}");
        }
    }
    let request = mcp_request(&server.url())
        .header("authorization", &bearer)
        .header("origin", "http://localhost:6274");
    let reply = send(request.body(list).unwrap());
    assert_eq!(reply.status, 200, "a page of this machine, such as MCP Inspector's");
    assert_eq!(reply.header("access-control-allow-origin"), "http://localhost:6274");
}

#[test]
fn a_page_can_use_the_endpoints_but_not_read_the_consent_page() {
    if crate::IN_FRONT_OF_SCALEKIT {
        return;
    }
    let server = Server::start();
    let origin = [("origin", "http://localhost:6274")];
    for path in ["/.well-known/oauth-protected-resource", "/oauth/jwks"] {
        let reply = get(&format!("{}{path}", server.origin()), &origin);
        assert_eq!(reply.header("access-control-allow-origin"), "http://localhost:6274", "{path}");
    }
    let page = get(&format!("{}/oauth/authorize", server.origin()), &origin);
    assert_eq!((page.status, page.header("access-control-allow-origin")), (400, ""));
}

#[test]
fn both_names_of_loopback_answer() {
    let server = Server::start();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/.well-known/oauth-protected-resource", server.port);
        assert_eq!(get(&url, &[]).status, 200, "{host}");
    }
}
