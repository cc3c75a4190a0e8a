//! Attacks on the consent page by pages of other sites and by names of clients.

use serde_json::json;

use super::attacks;
use crate::{
    harness::Server,
    issuer::{REDIRECT, answer, authorize_url, client, open, register},
};

/// Asserts that a consent form with these headers is refused. `COOKIE` stands for the page's
/// cookie, `OTHER` for the cookie of another page, and `ORIGIN` for the server's origin.
fn form_is_refused(source: &str, headers: &[(&str, &str)], status: u16, says: &str) {
    let server = Server::start();
    let client = client(&server);
    let page = open(&authorize_url(&server, &client, &[]));
    let other = open(&authorize_url(&server, &client, &[])).cookie;
    let put = |text: &str| {
        let text = text.replace("COOKIE", &page.cookie).replace("OTHER", &other);
        text.replace("ORIGIN", &server.origin())
    };
    let headers: Vec<(&str, String)> =
        headers.iter().map(|(name, value)| (*name, put(value))).collect();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let form = [
        ("request", page.request.as_str()),
        ("name", "Ada"),
        ("action", "allow"),
        ("scope", "todo:write"),
    ];
    let reply = answer(&server, &headers, &form);
    assert_eq!((reply.status, reply.header("location")), (status, ""), "{source}: {reply:#?}");
    assert!(reply.text.contains(says), "{source}: {reply:#?}");
}

/// Asserts how the page shows a name that a client gave itself: as text, without markup.
fn page_shows(source: &str, name: &str, status: u16, says: &str) {
    let server = Server::start();
    let reply = register(&server, &json!({ "client_name": name, "redirect_uris": [REDIRECT] }));
    assert_eq!(reply.status, status, "{source}: {reply:#?}");
    let client = reply.json["client_id"].as_str().unwrap().to_owned();
    let page = open(&authorize_url(&server, &client, &[])).reply;
    assert!(page.text.contains(says), "{source}: {}", page.text);
    for markup in ["<script", "<img", "</span><b>"] {
        assert!(!page.text.contains(markup), "{source}: {}", page.text);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{source}");
}

/// Asserts that the page has a header that protects it.
fn page_has_header(source: &str, header: &str, status: u16, says: &str) {
    let server = Server::start();
    let page = open(&authorize_url(&server, &client(&server), &[])).reply;
    assert_eq!(page.status, status);
    assert!(page.header(header).contains(says), "{source}: {:?}", page.headers);
}

attacks! { form_is_refused;
    without_a_cookie: "RFC 6749, 10.12", &[("origin", "ORIGIN")] => 403, "";
    with_the_cookie_of_another_page: "RFC 6749, 10.12", &[("cookie", "OTHER"), ("origin", "ORIGIN")] => 403, "";
    from_another_origin: "RFC 6749, 10.12", &[("cookie", "COOKIE"), ("origin", "https://evil.example")] => 403, "";
    from_another_port: "RFC 6749, 10.12", &[("cookie", "COOKIE"), ("origin", "http://localhost:1")] => 403, "";
    from_origin_null: "RFC 6749, 10.12", &[("cookie", "COOKIE"), ("origin", "null")] => 403, "";
    cross_site: "Fetch Metadata", &[("cookie", "COOKIE"), ("sec-fetch-site", "cross-site")] => 403, "";
    same_site: "Fetch Metadata", &[("cookie", "COOKIE"), ("sec-fetch-site", "same-site")] => 403, "";
    with_a_cookie_of_its_own_making: "RFC 6265, 8.6", &[("cookie", "scopeward_sign_in=x"), ("origin", "ORIGIN")] => 403, "";
}

attacks! { page_shows;
    a_script: "CWE-79", "<script>alert(1)</script>" => 201, "&#60;script&#62;";
    an_image: "CWE-79", "<img src=x onerror=alert(1)>" => 201, "&#60;img";
    an_end_of_the_element: "CWE-79", "</span><b>Bank</b>" => 201, "&#60;/span&#62;";
    quotes: "CWE-79", "\" autofocus onfocus=\"alert(1)" => 201, "&#34; autofocus";
    a_template: "CWE-1336", "{{ 7*7 }}" => 201, "{{ 7*7 }}";
    text_from_right_to_left: "CVE-2021-42574", "knaB\u{202e}" => 201, ">knaB<";
    invisible_characters: "UTS 39", "\u{200b}\u{200b}" => 201, "A client without a name";
    a_name_without_end: "CWE-400", &"x".repeat(10_000) => 201, &"x".repeat(80);
}

attacks! { page_has_header;
    no_frame: "RFC 9700, 4.16", "content-security-policy" => 200, "frame-ancestors 'none'";
    no_frame_in_old_browsers: "RFC 7034", "x-frame-options" => 200, "DENY";
    no_script: "CSP 3", "content-security-policy" => 200, "default-src 'none'";
    no_base: "CSP 3", "content-security-policy" => 200, "base-uri 'none'";
    no_copy: "RFC 9111, 5.2.2.5", "cache-control" => 200, "no-store";
    no_referrer: "RFC 9700, 4.2.4", "referrer-policy" => 200, "same-origin";
    no_guess: "Fetch, nosniff", "x-content-type-options" => 200, "nosniff";
    no_cookie_for_scripts: "RFC 6265, 4.1.2.6", "set-cookie" => 200, "HttpOnly";
    no_cookie_across_sites: "RFC 6265bis, 5.6.7", "set-cookie" => 200, "SameSite=Lax";
}
