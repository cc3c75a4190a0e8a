//! DNS rebinding, and requests from pages of other sites.

use super::{WRITE, attacks, bearer, nothing_was_written, raw};
use crate::harness::Server;

/// Asserts the response to a request with this `Host` and these headers, from a caller who may
/// write. `PORT` stands for the server's port.
fn host_gets(source: &str, (host, headers): (&str, &str), status: u16, says: &str) {
    let server = Server::start();
    let token = bearer(&server.token("todo:write"));
    let port = server.port.to_string();
    let (host, headers) = (host.replace("PORT", &port), headers.replace("PORT", &port));
    let request = format!(
        "POST /mcp HTTP/1.1\r\n{host}{headers}{token}Connection: close\r\nContent-Type: \
         application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: \
         {}\r\n\r\n{WRITE}",
        WRITE.len()
    );
    let answer = raw(&server, request.as_bytes());
    assert_eq!(answer.status, status, "{source}: {answer:?}");
    assert!(answer.text.contains(says), "{source}: {answer:?}");
    nothing_was_written(&server, source);
}

const OWN: &str = "Host: localhost:PORT\r\n";
const HOST: &str = "the Host header is not this server's";
const ORIGIN: &str = "the Origin header is not an allowed one";

attacks! { host_gets;
    host_of_the_attacker: "MCP security, DNS rebinding", ("Host: evil.example:PORT\r\n", "") => 403, HOST;
    host_without_a_port: "MCP security, DNS rebinding", ("Host: localhost\r\n", "") => 403, HOST;
    host_of_another_port: "MCP security, DNS rebinding", ("Host: localhost:1\r\n", "") => 403, HOST;
    host_with_a_dot: "MCP security, DNS rebinding", ("Host: localhost.:PORT\r\n", "") => 403, HOST;
    host_below_localhost: "CVE-2025-49596", ("Host: evil.localhost:PORT\r\n", "") => 403, HOST;
    host_that_begins_like_it: "CVE-2025-49596", ("Host: localhost.evil.example:PORT\r\n", "") => 403, HOST;
    host_of_all_addresses: "CVE-2025-49596", ("Host: 0.0.0.0:PORT\r\n", "") => 403, HOST;
    host_of_loopback_in_another_form: "CVE-2025-49596", ("Host: 127.1:PORT\r\n", "") => 403, HOST;
    host_as_a_number: "CVE-2025-49596", ("Host: 2130706433:PORT\r\n", "") => 403, HOST;
    host_with_userinfo: "RFC 9110, 4.2.4", ("Host: localhost:PORT@evil.example\r\n", "") => 403, HOST;
    host_with_a_path: "RFC 9110, 7.2", ("Host: localhost:PORT/x\r\n", "") => 403, HOST;
    host_by_forwarded: "RFC 7239, 8.1", ("Host: evil.example\r\n", "Forwarded: host=localhost:PORT\r\n") => 403, HOST;
    host_by_another_proxy_header: "CWE-644", ("Host: evil.example\r\n", "X-Original-Host: localhost:PORT\r\n") => 403, HOST;
    host_from_a_trusted_address: "CWE-348", ("Host: evil.example\r\n", "X-Forwarded-For: 127.0.0.1\r\n") => 403, HOST;
    host_in_full_width: "UTS 46, 4", ("Host: ｌocalhost:PORT\r\n", "") => 403, HOST;
    host_empty: "RFC 9110, 7.2", ("Host: \r\n", "") => 403, HOST;
    two_hosts: "RFC 9112, 3.2", ("Host: localhost:PORT\r\nHost: evil.example\r\n", "") => 403, HOST;
    two_equal_hosts: "RFC 9112, 3.2", ("Host: localhost:PORT\r\nHost: localhost:PORT\r\n", "") => 403, HOST;
    host_by_a_proxy_header: "CWE-644", ("Host: evil.example\r\n", "X-Forwarded-Host: localhost:PORT\r\n") => 403, HOST;
    origin_of_the_attacker: "MCP, transports, security", (OWN, "Origin: https://evil.example\r\n") => 403, ORIGIN;
    origin_of_a_host_that_is_not_listed: "MCP, transports, security", (OWN, "Origin: https://claude.ai\r\n") => 403, ORIGIN;
    origin_in_upper_case: "RFC 6454, 6.2", (OWN, "Origin: HTTP://LOCALHOST:PORT\r\n") => 403, ORIGIN;
    origin_with_a_dot: "RFC 6454, 5", (OWN, "Origin: http://localhost.:PORT\r\n") => 403, ORIGIN;
    origin_of_loopback_as_a_number: "CVE-2025-49596", (OWN, "Origin: http://2130706433\r\n") => 403, ORIGIN;
    origin_below_loopback: "CVE-2025-49596", (OWN, "Origin: http://127.0.0.1.evil.example\r\n") => 403, ORIGIN;
    origin_null: "RFC 6454, 7.3", (OWN, "Origin: null\r\n") => 403, ORIGIN;
    origin_empty: "RFC 6454, 7.3", (OWN, "Origin: \r\n") => 403, ORIGIN;
    origin_that_begins_like_it: "RFC 6454", (OWN, "Origin: http://localhost.evil.example\r\n") => 403, ORIGIN;
    origin_that_ends_like_it: "RFC 6454", (OWN, "Origin: http://evillocalhost\r\n") => 403, ORIGIN;
    origin_with_userinfo: "RFC 6454", (OWN, "Origin: http://localhost:PORT@evil.example\r\n") => 403, ORIGIN;
    origin_of_a_file: "RFC 6454", (OWN, "Origin: file://\r\n") => 403, ORIGIN;
    origin_of_an_extension: "RFC 6454", (OWN, "Origin: chrome-extension://abc\r\n") => 403, ORIGIN;
    origin_with_a_path: "RFC 6454, 6.2", (OWN, "Origin: http://localhost:PORT/\r\n") => 403, ORIGIN;
    two_origins: "RFC 6454, 7.3", (OWN, "Origin: http://localhost:PORT\r\nOrigin: https://evil.example\r\n") => 403, ORIGIN;
    two_origins_in_one: "RFC 6454, 7.3", (OWN, "Origin: http://localhost:PORT https://evil.example\r\n") => 403, ORIGIN;
}
