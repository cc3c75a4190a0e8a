//! Another spelling of a URI, to get round the narrower of two rules, and values of variables that
//! lead out of what a template names.

use serde_json::json;

use super::attacks;
use crate::vault::Vault;

/// Asserts that a caller without the scope for secrets gets nothing of this URI, by each method that
/// takes one, and that another caller's scope changes nothing for what names no resource.
fn uri_gets(source: &str, uri: &str, status: u16, says: &str) {
    let vault = Vault::shared();
    let token = vault.token("eve", "c", "r:pub");
    let read = vault.rpc(&token, "resources/read", &json!({ "uri": uri }));
    assert_eq!(read.status, status, "{source}: {read:#?}");
    assert!(read.text.contains(says), "{source}: {read:#?}");
    assert!(read.json["result"].is_null() && !read.text.contains("the secret"), "{source}");
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let reply = vault.rpc(&token, method, &json!({ "uri": uri }));
        assert!(reply.json["result"].is_null(), "{source}: {method}: {reply:#?}");
    }
    if status == 403 {
        let both = vault.token("ada", "c", "r:pub r:sec");
        let read = vault.rpc(&both, "resources/read", &json!({ "uri": uri }));
        assert!(read.text.contains("the secret"), "{source}: it is the same URI: {read:#?}");
    }
}

const SECRET: &str = "r:sec";
const NOTHING: &str = "not found";

attacks! { uri_gets;
    uri_itself: "RFC 3986, 6.2.1", "note://items/top-secret" => 403, SECRET;
    uri_with_an_encoded_hyphen: "RFC 3986, 6.2.2.2", "note://items/top%2Dsecret" => 403, SECRET;
    uri_with_lower_case_digits: "RFC 3986, 6.2.2.1", "note://items/top%2dsecret" => 403, SECRET;
    uri_with_an_encoded_letter: "RFC 3986, 6.2.2.2", "db://secre%74/launch" => 403, SECRET;
    uri_encoded_whole: "RFC 3986, 6.2.2.2", "note://items/%74%6f%70%2D%73%65%63%72%65%74" => 403, SECRET;
    uri_with_a_scheme_in_capitals: "RFC 3986, 6.2.2.1", "NOTE://items/top-secret" => 403, SECRET;
    uri_with_a_host_in_capitals: "RFC 3986, 6.2.2.1", "db://SECRET/launch" => 403, SECRET;
    uri_with_an_encoded_capital_in_the_host: "RFC 3986, 6.2.2.1", "db://%53ecret/launch" => 403, SECRET;
    uri_with_an_empty_port: "RFC 3986, 6.2.3", "db://secret:/launch" => 403, SECRET;
    uri_below_a_rest_with_an_encoded_letter: "RFC 3986, 6.2.2.2", "file:///pub/ke%79s/root.pem" => 403, SECRET;
    uri_below_a_rest_with_an_encoded_dot: "RFC 3986, 6.2.2.2", "file:///pub/keys/root%2Epem" => 403, SECRET;
    uri_with_an_empty_user: "RFC 3986, 3.2.1", "db://@secret/launch" => 200, NOTHING;
    uri_with_a_dot_segment: "RFC 3986, 6.2.2.3", "file:///pub/./keys/root.pem" => 200, NOTHING;
    uri_with_two_dots: "RFC 3986, 6.2.2.3", "file:///pub/x/../keys/root.pem" => 200, NOTHING;
    uri_with_encoded_dots: "CVE-2021-41773", "file:///pub/x/%2e%2e/keys/root.pem" => 200, NOTHING;
    uri_with_dots_encoded_twice: "CVE-2021-42013", "file:///pub/x/%252e%252e/keys/root.pem" => 200, NOTHING;
    uri_encoded_twice: "CWE-174", "note://items/top%252Dsecret" => 200, NOTHING;
    uri_with_a_slash_more: "CWE-41", "file:///pub//keys/root.pem" => 200, NOTHING;
    uri_with_a_slash_within: "CWE-41", "file:///pub/keys//root.pem" => 200, NOTHING;
    uri_with_a_slash_at_its_end: "CWE-49", "file:///pub/keys/root.pem/" => 200, NOTHING;
    uri_with_a_dot_at_its_end: "CWE-42", "file:///pub/keys/root.pem." => 200, NOTHING;
    uri_with_a_space_at_its_end: "CWE-46", "file:///pub/keys/root.pem%20" => 200, NOTHING;
    uri_with_an_encoded_slash: "CWE-177", "file:///pub/keys%2Froot.pem" => 200, NOTHING;
    uri_with_an_empty_query: "RFC 3986, 6.2.3", "file:///pub/keys/root.pem?" => 200, NOTHING;
    uri_with_a_query: "RFC 3986, 3.4", "file:///pub/keys/root.pem?x" => 200, NOTHING;
    uri_with_a_fragment: "RFC 3986, 3.5", "file:///pub/keys/root.pem#x" => 200, NOTHING;
    uri_with_a_nul: "CWE-158", "note://items/top-secret%00" => 200, NOTHING;
    uri_in_full_width: "UTS 36, 3.5", "note://items/%EF%BD%94op-secret" => 200, NOTHING;
    value_that_is_absolute: "CWE-36", "file:///pub//etc/passwd" => 200, NOTHING;
    value_that_is_absolute_and_encoded: "CWE-36", "file:///pub/%2Fetc/passwd" => 200, NOTHING;
    value_that_is_absolute_in_one_segment: "CWE-36", "note://items/%2Fetc" => 200, NOTHING;
    value_with_a_drive: "CWE-39", "file:///pub/C:/x" => 200, NOTHING;
    value_with_an_encoded_drive: "CWE-39", "note://items/c%3Ax" => 200, NOTHING;
    value_of_a_share: "CWE-40", "file:///pub/%5C%5Chost%5Cshare" => 200, NOTHING;
    value_of_a_share_in_one_segment: "CWE-40", "note://items/%5C%5Chost%5Cshare" => 200, NOTHING;
    value_with_a_backslash: "CWE-28", "note://items/..%5Cx" => 200, NOTHING;
    value_of_dots_and_a_space: "CWE-33", "file:///pub/..%20/x" => 200, NOTHING;
    value_of_three_dots: "CWE-32", "file:///pub/.../x" => 200, NOTHING;
    value_with_an_overlong_slash: "RFC 3629, 10", "file:///pub/..%C0%AFx" => 200, NOTHING;
    value_with_a_full_width_slash: "CVE-2019-9636", "file:///pub/..%EF%BC%8Fx" => 200, NOTHING;
    value_with_a_line_end: "CWE-93", "note://items/a%0D%0Ab" => 200, NOTHING;
    value_with_an_escape: "CWE-150", "note://items/%1B[2J" => 200, NOTHING;
    value_that_is_a_url: "CWE-918", "file:///pub/http://evil.example/" => 200, NOTHING;
    value_of_an_encoded_slash: "CWE-22", "db://a/b%2F..%2Fsecret" => 200, NOTHING;
    host_with_an_encoded_port: "CWE-918", "db://a%3A80/b" => 200, NOTHING;
}
