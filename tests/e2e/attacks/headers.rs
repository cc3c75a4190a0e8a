//! Credentials in the wrong place, or in a form that two parsers could read differently.

use super::{WRITE, attacks, bearer, nothing_was_written, raw, request};
use crate::harness::Server;

/// Asserts the response to a call that would write, with the token in these headers.
fn headers_get(source: &str, headers: impl Fn(&str) -> String, status: u16, says: &str) {
    let server = Server::start();
    let token = server.token("todo:write");
    let answer = raw(&server, &request(&server, &headers(&token), WRITE.as_bytes()));
    assert_eq!(answer.status, status, "{source}: {answer:?}");
    assert!(answer.text.contains(says), "{source}: {answer:?}");
    assert!(!answer.text.contains(&token), "{source}: it says the token");
    nothing_was_written(&server, source);
}

/// Asserts the response to a request that `write` builds, with the token outside of a usual header.
fn request_gets(source: &str, write: impl Fn(&Server, &str) -> Vec<u8>, status: u16, says: &str) {
    let server = Server::start();
    let token = server.token("todo:write");
    let answer = raw(&server, &write(&server, &token));
    assert_eq!(answer.status, status, "{source}: {answer:?}");
    assert!(answer.text.contains(says), "{source}: {answer:?}");
    assert!(!answer.text.contains(&token), "{source}: it says the token");
    nothing_was_written(&server, source);
}

fn in_the_query(server: &Server, token: &str) -> Vec<u8> {
    let request = String::from_utf8(request(server, "", WRITE.as_bytes())).unwrap();
    request.replace("POST /mcp ", &format!("POST /mcp?access_token={token} ")).into_bytes()
}

fn in_the_form(server: &Server, token: &str) -> Vec<u8> {
    let body = format!("access_token={token}&method=tools/call");
    let request = String::from_utf8(request(server, "", body.as_bytes())).unwrap();
    request
        .replace("application/json\r\nAccept", "application/x-www-form-urlencoded\r\nAccept")
        .into_bytes()
}

fn in_the_json(server: &Server, token: &str) -> Vec<u8> {
    let body =
        WRITE.replace("{\"jsonrpc\"", &format!("{{\"access_token\":\"{token}\",\"jsonrpc\""));
    request(server, "", body.as_bytes())
}

fn folded(server: &Server, token: &str) -> Vec<u8> {
    request(server, &format!("Authorization: Bearer\r\n {token}\r\n"), WRITE.as_bytes())
}

const NONE: &str = "sign in";
const MALFORMED: &str = "does not hold one bearer token";

attacks! { headers_get;
    no_token: "RFC 6750, 3.1", |_: &str| String::new() => 401, NONE;
    two_headers: "RFC 6750, 2", |t: &str| bearer(t) + &bearer(t) => 400, "more than one Authorization";
    two_schemes: "RFC 6750, 2", |t: &str| format!("Authorization: Basic dTpw\r\n{}", bearer(t)) => 400, "more than one Authorization";
    two_in_one: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer {t}, Bearer {t}\r\n") => 400, MALFORMED;
    a_trailing_comma: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer {t},\r\n") => 400, MALFORMED;
    a_trailing_word: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer {t} x\r\n") => 400, MALFORMED;
    quoted: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer \"{t}\"\r\n") => 400, MALFORMED;
    in_brackets: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer <{t}>\r\n") => 400, MALFORMED;
    url_encoded: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer {}\r\n", t.replace('.', "%2e")) => 400, MALFORMED;
    after_a_tab: "RFC 9110, 11.6.2", |t: &str| format!("Authorization: Bearer\t{t}\r\n") => 401, NONE;
    the_scheme_alone: "RFC 6750, 2.1", |_: &str| "Authorization: Bearer\r\n".to_owned() => 400, MALFORMED;
    the_scheme_and_spaces: "RFC 6750, 2.1", |_: &str| "Authorization: Bearer    \r\n".to_owned() => 400, MALFORMED;
    the_scheme_twice: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer Bearer {t}\r\n") => 400, MALFORMED;
    padding_alone: "RFC 6750, 2.1", |_: &str| "Authorization: Bearer ==\r\n".to_owned() => 400, MALFORMED;
    no_scheme: "RFC 6750, 2.1", |t: &str| format!("Authorization: {t}\r\n") => 401, NONE;
    scheme_basic: "RFC 6750, 2.1", |t: &str| format!("Authorization: Basic {t}\r\n") => 401, NONE;
    scheme_token: "RFC 6750, 2.1", |t: &str| format!("Authorization: Token {t}\r\n") => 401, NONE;
    scheme_dpop: "RFC 9449, 7.1", |t: &str| format!("Authorization: DPoP {t}\r\n") => 401, NONE;
    scheme_longer: "RFC 6750, 2.1", |t: &str| format!("Authorization: BearerX {t}\r\n") => 401, NONE;
    scheme_with_a_colon: "RFC 6750, 2.1", |t: &str| format!("Authorization: Bearer: {t}\r\n") => 401, NONE;
    for_a_proxy: "RFC 9110, 11.7.2", |t: &str| format!("Proxy-Authorization: Bearer {t}\r\n") => 401, NONE;
    forwarded: "MCP security, token passthrough", |t: &str| format!("X-Forwarded-Authorization: Bearer {t}\r\n") => 401, NONE;
    in_a_header_of_its_own: "RFC 6750, 2", |t: &str| format!("X-Access-Token: {t}\r\n") => 401, NONE;
    in_a_cookie: "RFC 6750, 5.3", |t: &str| format!("Cookie: access_token={t}; Authorization=Bearer {t}\r\n") => 401, NONE;
    in_a_sub_protocol: "RFC 6750, 2", |t: &str| format!("Sec-WebSocket-Protocol: bearer, {t}\r\n") => 401, NONE;
    a_name_with_a_space: "RFC 9112, 5.1", |t: &str| format!("Authorization : Bearer {t}\r\n") => 400, "";
    too_long: "RFC 8725, 3.5", |t: &str| format!("Authorization: Bearer {}\r\n", t.repeat(100)) => 431, "MAX_TOKEN";
    longer_than_the_head_may_be: "RFC 6585, 5", |_: &str| format!("Authorization: Bearer {}\r\n", "a".repeat(200_000)) => 431, "";
    more_headers_than_anybody_needs: "RFC 6585, 5", |t: &str| (0..200).map(|n| format!("X-{n}: 1\r\n")).collect::<String>() + &bearer(t) => 431, "";
}

attacks! { request_gets;
    in_a_query: "RFC 6750, 2.3; RFC 9700, 4.3.2", in_the_query => 401, NONE;
    in_a_form: "RFC 6750, 2.2", in_the_form => 401, NONE;
    in_the_message: "RFC 6750, 2", in_the_json => 401, NONE;
    in_a_folded_header: "RFC 9112, 5.2", folded => 400, "";
}

/// RFC 9110, 11.1: the case of the scheme does not matter, so every case gets the same decision.
#[test]
fn the_scheme_has_no_case() {
    let server = Server::start();
    let token = server.token("todo:read");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let headers = format!("Authorization: {scheme} {token}\r\n");
        let answer = raw(&server, &request(&server, &headers, WRITE.as_bytes()));
        assert_eq!(answer.status, 403, "{scheme}: {answer:?}");
    }
}
