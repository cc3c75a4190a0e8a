//! Redirect URIs that only look like the registered one.

use serde_json::json;

use super::attacks;
use crate::{
    harness::Server,
    issuer::{authorize_url, get_page, register},
};

/// Asserts that a client that registered `registered` is not redirected to `asked`, and that the
/// page says why.
fn is_not_redirected(source: &str, (registered, asked): (&str, &str), status: u16, says: &str) {
    let server = Server::start();
    let reply = register(&server, &json!({ "redirect_uris": [registered] }));
    assert_eq!(reply.status, 201, "{source}: {reply:#?}");
    let client = reply.json["client_id"].as_str().unwrap().to_owned();
    let reply = get_page(&authorize_url(&server, &client, &[("redirect_uri", asked)]));
    assert_eq!(reply.status, status, "{source}: {reply:#?}");
    assert!(reply.text.contains(says), "{source}: {reply:#?}");
    assert_eq!(reply.header("location"), "", "{source}");
}

/// Asserts that a redirect URI cannot be registered.
fn is_not_registered(source: &str, uri: &str, status: u16, says: &str) {
    let server = Server::start();
    let reply = register(&server, &json!({ "redirect_uris": [uri] }));
    assert_eq!((reply.status, reply.json["error"].as_str()), (status, Some(says)), "{source}");
}

const A: &str = "https://a.example/cb";
const L: &str = "http://127.0.0.1:7777/cb";
const NOT_ITS: &str = "not one that this client registered";
const INVALID: &str = "invalid_redirect_uri";

attacks! { is_not_redirected;
    longer_path: "RFC 9700, 4.1.3", (A, "https://a.example/cb/evil") => 400, NOT_ITS;
    longer_name: "RFC 9700, 4.1.3", (A, "https://a.example/cbevil") => 400, NOT_ITS;
    prefix: "RFC 9700, 4.1.3", (A, "https://a.example/") => 400, NOT_ITS;
    sub_domain: "RFC 9700, 4.1.1", (A, "https://evil.a.example/cb") => 400, NOT_ITS;
    longer_host: "RFC 9700, 4.1.1", (A, "https://a.example.evil.example/cb") => 400, NOT_ITS;
    another_host: "RFC 9700, 4.1.3", (A, "https://b.example/cb") => 400, NOT_ITS;
    fragment: "RFC 6749, 3.1.2", (A, "https://a.example/cb#evil") => 400, NOT_ITS;
    query: "RFC 9700, 4.1.3", (A, "https://a.example/cb?next=evil") => 400, NOT_ITS;
    userinfo: "RFC 9700, 4.1.3", (A, "https://a.example@evil.example/cb") => 400, NOT_ITS;
    userinfo_before: "RFC 9700, 4.1.3", (A, "https://evil@a.example/cb") => 400, NOT_ITS;
    encoded_path: "RFC 9700, 4.1.3", (A, "https://a.example/%63b") => 400, NOT_ITS;
    encoded_dots: "RFC 9700, 4.1.3", (A, "https://a.example/%2e%2e/cb") => 400, NOT_ITS;
    dots: "RFC 9700, 4.1.3", (A, "https://a.example/x/../cb") => 400, NOT_ITS;
    backslash: "RFC 9700, 4.1.3", (A, "https://a.example\\@evil.example/cb") => 400, NOT_ITS;
    a_line_end: "CWE-113", (A, "https://a.example/cb\r\nLocation: https://evil.example") => 400, NOT_ITS;
    a_space_before: "RFC 9700, 4.1.3", (A, " https://a.example/cb") => 400, NOT_ITS;
    a_tab_within: "RFC 9700, 4.1.3", (A, "https://a.exa\tmple/cb") => 400, NOT_ITS;
    capitals: "RFC 9700, 4.1.3", (A, "https://A.EXAMPLE/cb") => 400, NOT_ITS;
    the_default_port: "RFC 9700, 4.1.3", (A, "https://a.example:443/cb") => 400, NOT_ITS;
    another_port: "RFC 9700, 4.1.3", (A, "https://a.example:444/cb") => 400, NOT_ITS;
    without_tls: "RFC 9700, 2.6", (A, "http://a.example/cb") => 400, NOT_ITS;
    another_scheme: "RFC 8252, 7.1", (A, "evil://a.example/cb") => 400, NOT_ITS;
    a_slash_more: "RFC 9700, 4.1.3", (A, "https://a.example/cb/") => 400, NOT_ITS;
    look_alike_host: "UTS 39", (A, "https://а.example/cb") => 400, NOT_ITS;
    two_in_one: "RFC 6749, 3.1.2", (A, "https://a.example/cb https://evil.example") => 400, NOT_ITS;
    loopback_by_name: "RFC 8252, 8.3", (L, "http://localhost:7777/cb") => 400, NOT_ITS;
    loopback_another_path: "RFC 8252, 7.3", (L, "http://127.0.0.1:7777/other") => 400, NOT_ITS;
    loopback_in_another_form: "RFC 8252, 7.3", (L, "http://127.1:7777/cb") => 400, NOT_ITS;
    loopback_with_userinfo: "RFC 8252, 7.3", (L, "http://127.0.0.1:7777@evil.example/cb") => 400, NOT_ITS;
    loopback_another_port_of_another_host: "RFC 8252, 7.3", (L, "http://evil.example:1/cb") => 400, NOT_ITS;
}

attacks! { is_not_registered;
    script: "RFC 9700, 4.1", "javascript:alert(1)" => 400, INVALID;
    script_in_capitals: "RFC 9700, 4.1", "JavaScript:alert(1)" => 400, INVALID;
    data: "RFC 9700, 4.1", "data:text/html,x" => 400, INVALID;
    a_file: "RFC 9700, 4.1", "file:///etc/passwd" => 400, INVALID;
    http_elsewhere: "RFC 9700, 2.6", "http://a.example/cb" => 400, INVALID;
    with_a_fragment: "RFC 6749, 3.1.2", "https://a.example/cb#x" => 400, INVALID;
    with_a_password: "RFC 3986, 3.2.1", "https://u:p@a.example/cb" => 400, INVALID;
    relative: "RFC 6749, 3.1.2", "/cb" => 400, INVALID;
    without_a_host: "RFC 6749, 3.1.2", "https:///" => 400, INVALID;
    empty: "RFC 6749, 3.1.2", "" => 400, INVALID;
    a_star: "RFC 9700, 4.1.3", "https://*/cb#" => 400, INVALID;
}
