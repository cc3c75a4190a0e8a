//! Tokens that no server should accept.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, crypto,
    jwk::{AlgorithmParameters, Jwk, JwkSet},
};
use scopeward::{
    Limits, Principal, ScopedTools,
    gate::Gate,
    identity::token::{TokenTypes, Validator},
    mcp::handler::McpHandler,
    scoped_tools,
};
use serde_json::{Value, json};
use tower::Layer;

use super::{attacks, small};
use crate::{
    harness::{Reply, http_service, mcp_request, mount, send, small_policy},
    keys::{keys, verification_keys},
};

const RULES: &str = r#"
[tools]
read = { read = "a" }
write = { write = "a" }
"#;

const ISSUER: &str = "https://issuer.example/t";
const AUDIENCE: &str = "http://localhost:3002/mcp";
const NOW: u64 = 2_000_000_000;

struct Tools;

#[scoped_tools]
impl Tools {
    /// Reads.
    #[scoped_tool(scopes = ["a:read"])]
    fn read(&self, caller: Principal) -> String {
        format!("reached by {}", caller.subject())
    }

    /// Writes.
    #[scoped_tool(scopes = ["a:write"])]
    fn write(&self, caller: Principal) -> String {
        format!("reached by {}", caller.subject())
    }
}

/// The URL of an MCP endpoint with a fixed clock. Its issuer also publishes a key that is too
/// short.
fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let mut published = keys().published.clone();
        let short = json!({ "kty": "RSA", "kid": "short", "alg": "RS256", "use": "sig",
            "n": small::MODULUS, "e": "AQAB" });
        published.keys.push(serde_json::from_value(short).unwrap());
        mounted(&published)
    })
}

fn mounted(published: &JwkSet) -> String {
    let policy = small_policy(AUDIENCE, RULES, &Tools::REGISTRY);
    let keys = verification_keys(published);
    let validator =
        Validator::new(ISSUER, AUDIENCE, keys, TokenTypes::AccessToken).with_clock(|| NOW);
    let mut limits = Limits::default();
    limits.rate_per_caller = 0;
    let gate = Gate::new(policy, validator).with_limits(&limits);
    mount(gate.layer(http_service(|| McpHandler::new(Tools))))
}

fn call(token: &str, tool: &str) -> Reply {
    let body =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    let request = mcp_request(url()).header("authorization", format!("Bearer {token}"));
    send(request.body(body.to_string()).unwrap())
}

/// Asserts that a call with this token is refused, although it needs only `a:read`.
fn is_refused(source: &str, token: impl AsRef<str>, status: u16, says: &str) {
    let token = token.as_ref();
    let reply = call(token, "read");
    assert_eq!(reply.status, status, "{source}: {reply:#?}");
    let message = reply.json["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(says), "{source}: {message}");
    assert!(!reply.text.contains("reached"), "{source}: {reply:#?}");
    assert!(!reply.text.contains(token) || token.len() < 8, "{source}: it says the token");
    let error = if status == 400 { "invalid_request" } else { "invalid_token" };
    assert_eq!(reply.challenge("error"), Some(error), "{source}");
}

/// Asserts that a token does not grant `a:write`.
fn does_not_write(source: &str, token: impl AsRef<str>, status: u16, says: &str) {
    let reply = call(token.as_ref(), "write");
    assert_eq!(reply.status, status, "{source}: {reply:#?}");
    assert_eq!(reply.challenge("error"), Some(says), "{source}");
    assert!(!reply.text.contains("reached"), "{source}: {reply:#?}");
}

fn encoded_part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn good_claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "client_id": "c", "exp": NOW + 60,
        "iat": NOW, "jti": "1", "scope": "a:read" })
}

/// The good claims as text, with one claim changed.
fn claims_with(name: &str, value: &Value) -> String {
    let mut claims = good_claims();
    claims[name] = value.clone();
    claims.to_string()
}

fn claims_without(name: &str) -> String {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove(name);
    claims.to_string()
}

/// The good claims as text, with more text before the last brace.
fn claims_and(more: &str) -> String {
    good_claims().to_string().replace('}', &format!(",{more}}}"))
}

/// A token with any header and any claims, with a right signature of the issuer's ES256 key.
fn signed_text(header: &str, claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = crypto::sign(message.as_bytes(), &keys().ec, Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"ec"}"#;

/// A signed token with a good header and these claims, given as text.
fn with_claims(claims: &str) -> String {
    signed_text(HEADER, claims.as_bytes())
}

/// A signed token with good claims and this header, given as text.
fn with_header(header: &str) -> String {
    signed_text(header, good_claims().to_string().as_bytes())
}

/// A signed token whose header has one more parameter.
fn with_header_parameter(more: &str) -> String {
    with_header(&HEADER.replace('}', &format!(",{more}}}")))
}

fn good_token() -> String {
    with_claims(&good_claims().to_string())
}

fn with_algorithm(name: &Value, key: &str) -> String {
    encoded_part(&json!({ "alg": name, "typ": "at+jwt", "kid": key }))
        + "."
        + &encoded_part(&good_claims())
}

/// A token without a signature.
fn without_signature(algorithm: &Value) -> String {
    with_algorithm(algorithm, "ec") + "."
}

/// A token with another algorithm in its header and the signature of a good token.
fn with_borrowed_signature(algorithm: &Value) -> String {
    let good = good_token();
    with_algorithm(algorithm, "ec") + "." + good.rsplit('.').next().unwrap()
}

/// A token signed by HMAC, with a secret that everybody knows.
fn by_hmac(algorithm: &str, key: &str, secret: &[u8]) -> String {
    let message = with_algorithm(&algorithm.into(), key);
    let kind = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let tag = hmac::sign(&hmac::Key::new(kind, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn public_key(key: &str) -> Jwk {
    let is_it = |jwk: &&Jwk| jwk.common.key_id.as_deref() == Some(key);
    keys().published.keys.iter().find(is_it).unwrap().clone()
}

/// A member of a public key, as it was published or decoded.
fn member(key: &str, name: &str) -> String {
    serde_json::to_value(public_key(key)).unwrap()[name].as_str().unwrap().to_owned()
}

/// A token that is signed by one algorithm and names another algorithm, or the key of another.
fn with_mismatched_algorithm(says: &str, key: &str, by: Algorithm) -> String {
    let message = with_algorithm(&says.into(), key);
    let signer = match by {
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256 => &keys().rsa,
        Algorithm::EdDSA => &keys().ed,
        _ => &keys().ec,
    };
    let signature = crypto::sign(message.as_bytes(), signer, by).unwrap();
    format!("{message}.{signature}")
}

/// A token signed by the attacker's own key. `more` puts the public key, or its address, into the
/// header.
fn own_key(kid: &str, more: &str) -> String {
    let header = format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}",{more}}}"#);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), encoded_part(&good_claims()));
    let signature = crypto::sign(message.as_bytes(), &keys().other_rsa, Algorithm::RS256).unwrap();
    format!("{message}.{signature}")
}

fn own_jwk() -> String {
    let jwk = Jwk::from_encoding_key(&keys().other_rsa, Algorithm::RS256).unwrap();
    assert!(matches!(jwk.algorithm, AlgorithmParameters::RSA(_)));
    serde_json::to_string(&jwk).unwrap()
}

fn with_kid(kid: &Value) -> String {
    with_header(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }).to_string())
}

/// A good token with its signature replaced.
fn with_signature(signature: &[u8]) -> String {
    let good = good_token();
    let (message, _) = good.rsplit_once('.').unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The order of the curve P-256, which `r` and `s` of a signature must be less than.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn signature() -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(good_token().rsplit('.').next().unwrap()).unwrap()
}

fn with_signature_halves(r: &[u8], s: &[u8]) -> String {
    with_signature(&[r, s].concat())
}

fn from_parts(of: impl Fn(&str, &str, &str) -> String) -> String {
    let good = good_token();
    let all: Vec<&str> = good.split('.').collect();
    of(all[0], all[1], all[2])
}

const UNREADABLE: &str = "not a readable JWT";
const ALGORITHM: &str = "algorithm does not fit";
const UNKNOWN: &str = "a key that its issuer does not publish";
const SIGNATURE: &str = "signature is wrong";
const CLAIMS: &str = "missing or malformed";
const AUD: &str = "issued for another resource";
const ISS: &str = "comes from another issuer";
const EXPIRED: &str = "has expired";
const TYP: &str = "typ is not that of an access token";

#[test]
fn the_good_token_is_good() {
    assert_eq!(call(&good_token(), "read").status, 200);
    assert_eq!(call(&good_token(), "write").status, 403);
}

attacks! { is_refused;
    alg_none: "RFC 8725, 3.1", without_signature(&"none".into()) => 401, UNREADABLE;
    alg_none_capitalized: "CVE-2020-28042", without_signature(&"None".into()) => 401, UNREADABLE;
    alg_none_in_capitals: "RFC 8725, 2.1", without_signature(&"NONE".into()) => 401, UNREADABLE;
    alg_none_mixed: "CVE-2018-1000531", without_signature(&"nOnE".into()) => 401, UNREADABLE;
    alg_none_with_a_space: "RFC 8725, 2.1", without_signature(&"none ".into()) => 401, UNREADABLE;
    alg_none_with_a_borrowed_signature: "RFC 8725, 2.1", with_borrowed_signature(&"none".into()) => 401, UNREADABLE;
    alg_empty: "RFC 8725, 3.1", without_signature(&"".into()) => 401, UNREADABLE;
    alg_null: "RFC 8725, 3.1", without_signature(&Value::Null) => 401, UNREADABLE;
    alg_number: "RFC 7515, 4.1.1", without_signature(&1.into()) => 401, UNREADABLE;
    alg_array: "RFC 7515, 4.1.1", with_borrowed_signature(&json!(["ES256"])) => 401, UNREADABLE;
    alg_missing: "RFC 7515, 4.1.1", with_header(r#"{"typ":"at+jwt","kid":"ec"}"#) => 401, UNREADABLE;
    alg_twice: "RFC 7515, 4", with_header(r#"{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"ec"}"#) => 401, UNREADABLE;
    alg_in_lower_case: "RFC 7515, 4.1.1", with_header(r#"{"alg":"es256","typ":"at+jwt","kid":"ec"}"#) => 401, UNREADABLE;
    alg_right_and_no_signature: "CVE-2020-15240", without_signature(&"ES256".into()) => 401, SIGNATURE;
    hmac_with_the_rsa_modulus: "CVE-2015-9235", by_hmac("HS256", "rsa", member("rsa", "n").as_bytes()) => 401, ALGORITHM;
    hmac_with_the_decoded_modulus: "CVE-2015-9235", by_hmac("HS256", "rsa", &URL_SAFE_NO_PAD.decode(member("rsa", "n")).unwrap()) => 401, ALGORITHM;
    hmac_with_the_public_jwk: "CVE-2016-5431", by_hmac("HS256", "rsa", serde_json::to_string(&public_key("rsa")).unwrap().as_bytes()) => 401, ALGORITHM;
    hmac_with_the_ec_coordinate: "CVE-2016-10555", by_hmac("HS256", "ec", &URL_SAFE_NO_PAD.decode(member("ec", "x")).unwrap()) => 401, ALGORITHM;
    hmac_with_the_ed_key: "CVE-2022-29217", by_hmac("HS256", "ed", &URL_SAFE_NO_PAD.decode(member("ed", "x")).unwrap()) => 401, ALGORITHM;
    hmac_384: "RFC 8725, 2.1", by_hmac("HS384", "rsa", member("rsa", "n").as_bytes()) => 401, ALGORITHM;
    hmac_512: "RFC 8725, 2.1", by_hmac("HS512", "ec", member("ec", "x").as_bytes()) => 401, ALGORITHM;
    hmac_with_an_empty_secret: "CVE-2019-20933", by_hmac("HS256", "ec", b"") => 401, ALGORITHM;
    hmac_with_an_unknown_kid: "RFC 8725, 2.1", by_hmac("HS256", "none", b"") => 401, UNKNOWN;
    es256_by_the_rsa_key: "RFC 8725, 3.1", with_mismatched_algorithm("RS256", "ec", Algorithm::ES256) => 401, ALGORITHM;
    rs256_named_es256: "RFC 8725, 3.1", with_mismatched_algorithm("ES256", "rsa", Algorithm::RS256) => 401, ALGORITHM;
    rs256_with_the_kid_of_ec: "RFC 8725, 3.1", with_mismatched_algorithm("RS256", "ec", Algorithm::RS256) => 401, ALGORITHM;
    eddsa_with_the_kid_of_ec: "RFC 8725, 3.1", with_mismatched_algorithm("EdDSA", "ec", Algorithm::EdDSA) => 401, ALGORITHM;
    es256_with_the_kid_of_ed: "RFC 8725, 3.1", with_mismatched_algorithm("ES256", "ed", Algorithm::ES256) => 401, ALGORITHM;
    rs384_by_a_key_for_rs256: "RFC 8725, 3.1", with_mismatched_algorithm("RS384", "rsa", Algorithm::RS384) => 401, ALGORITHM;
    rs512_by_a_key_for_rs256: "RFC 8725, 3.1", with_mismatched_algorithm("RS512", "rsa", Algorithm::RS512) => 401, ALGORITHM;
    ps256_by_a_key_for_rs256: "RFC 8725, 3.1", with_mismatched_algorithm("PS256", "rsa", Algorithm::PS256) => 401, ALGORITHM;
    a_key_for_encryption: "RFC 7517, 4.2", with_mismatched_algorithm("ES256", "encryption", Algorithm::ES256) => 401, UNKNOWN;
    rsa_of_1024_bits: "RFC 7518, 3.3", small::TOKEN => 401, UNKNOWN;
    kid_of_a_file: "CVE-2018-0114", with_kid(&"../../../../dev/null".into()) => 401, UNKNOWN;
    kid_of_sql: "RFC 8725, 3.10", with_kid(&"' UNION SELECT 'key' --".into()) => 401, UNKNOWN;
    kid_of_a_command: "RFC 8725, 3.10", with_kid(&"$(id)|id".into()) => 401, UNKNOWN;
    kid_of_a_url: "RFC 8725, 3.10", with_kid(&"http://169.254.169.254/".into()) => 401, UNKNOWN;
    kid_with_a_nul: "RFC 8725, 3.10", with_kid(&"ec\0".into()) => 401, UNKNOWN;
    kid_in_capitals: "RFC 7515, 4.1.4", with_kid(&"EC".into()) => 401, UNKNOWN;
    kid_with_a_space: "RFC 7515, 4.1.4", with_kid(&"ec ".into()) => 401, UNKNOWN;
    kid_empty: "RFC 7515, 4.1.4", with_kid(&"".into()) => 401, UNKNOWN;
    kid_number: "RFC 7515, 4.1.4", with_kid(&1.into()) => 401, UNREADABLE;
    kid_object: "RFC 7515, 4.1.4", with_kid(&json!({ "$ne": null })) => 401, UNREADABLE;
    kid_array: "RFC 7515, 4.1.4", with_kid(&json!(["ec"])) => 401, UNREADABLE;
    kid_twice: "RFC 7515, 4", with_header(r#"{"alg":"ES256","typ":"at+jwt","kid":"ec","kid":"ec"}"#) => 401, UNREADABLE;
    kid_of_ten_thousand_letters: "RFC 8725, 3.10", with_kid(&"k".repeat(10_000).into()) => 401, UNKNOWN;
    jku_of_the_attacker: "CVE-2018-0114", own_key("mine", r#""jku":"http://127.0.0.1:1/keys""#) => 401, UNKNOWN;
    jku_and_a_known_kid: "RFC 8725, 3.10", own_key("rsa", r#""jku":"http://127.0.0.1:1/keys""#) => 401, SIGNATURE;
    x5u_of_the_attacker: "RFC 8725, 3.10", own_key("rsa", r#""x5u":"http://127.0.0.1:1/cert""#) => 401, SIGNATURE;
    x5c_of_the_attacker: "RFC 7515, 4.1.6", own_key("rsa", r#""x5c":["MIIB"]"#) => 401, SIGNATURE;
    jwk_in_the_header: "CVE-2018-0114", own_key("rsa", &format!(r#""jwk":{}"#, own_jwk())) => 401, SIGNATURE;
    jwk_in_the_header_and_its_kid: "CVE-2018-0114", own_key("mine", &format!(r#""jwk":{}"#, own_jwk())) => 401, UNKNOWN;
    a_key_of_somebody_else: "RFC 9068, 4", own_key("rsa", r#""cty":"JWT""#) => 401, SIGNATURE;
    crit_of_something_unknown: "RFC 7515, 4.1.11", with_header_parameter(r#""crit":["x"],"x":1"#) => 401, UNREADABLE;
    crit_of_exp: "RFC 7515, 4.1.11", with_header_parameter(r#""crit":["exp"]"#) => 401, UNREADABLE;
    crit_empty: "RFC 7515, 4.1.11", with_header_parameter(r#""crit":[]"#) => 401, UNREADABLE;
    crit_null: "RFC 7515, 4.1.11", with_header_parameter(r#""crit":null"#) => 401, UNREADABLE;
    b64_false: "RFC 7797, 6", with_header_parameter(r#""b64":false"#) => 401, UNREADABLE;
    b64_false_and_critical: "RFC 7797, 6", with_header_parameter(r#""b64":false,"crit":["b64"]"#) => 401, UNREADABLE;
    zip_deflate: "RFC 8725, 3.6", with_header_parameter(r#""zip":"DEF""#) => 401, UNREADABLE;
    enc_in_the_header: "RFC 7516, 4.1.2", with_header_parameter(r#""enc":"A256GCM""#) => 401, UNREADABLE;
    a_header_that_is_no_object: "RFC 7515, 4", with_header("[]") => 401, UNREADABLE;
    a_header_with_a_tail: "RFC 7515, 4", with_header(&format!("{HEADER}{HEADER}")) => 401, UNREADABLE;
    es256_of_zeros: "CVE-2022-21449", with_signature_halves(&[0; 32], &[0; 32]) => 401, SIGNATURE;
    es256_with_r_zero: "CVE-2022-21449", with_signature_halves(&[0; 32], &signature()[32..]) => 401, SIGNATURE;
    es256_with_s_zero: "CVE-2022-21449", with_signature_halves(&signature()[..32], &[0; 32]) => 401, SIGNATURE;
    es256_with_r_the_order: "CVE-2022-21449", with_signature_halves(&ORDER, &signature()[32..]) => 401, SIGNATURE;
    es256_with_s_the_order: "CVE-2022-21449", with_signature_halves(&signature()[..32], &ORDER) => 401, SIGNATURE;
    es256_of_ones: "CVE-2022-21449", with_signature_halves(&[0xff; 32], &[0xff; 32]) => 401, SIGNATURE;
    es256_one_byte_short: "RFC 7518, 3.4", with_signature(&signature()[..63]) => 401, SIGNATURE;
    es256_one_byte_long: "RFC 7518, 3.4", with_signature(&[&signature()[..], &[0]].concat()) => 401, SIGNATURE;
    es256_as_der: "RFC 7518, 3.4", with_signature(&[&[0x30, 0x44, 0x02, 0x20], &signature()[..32], &[0x02, 0x20], &signature()[32..]].concat()) => 401, SIGNATURE;
    es256_halves_swapped: "RFC 7518, 3.4", with_signature_halves(&signature()[32..], &signature()[..32]) => 401, SIGNATURE;
    one_bit_of_the_signature: "RFC 7515, 5.2", { let mut s = signature(); s[40] ^= 1; with_signature(&s) } => 401, SIGNATURE;
    another_payload_under_the_signature: "RFC 7515, 5.2", from_parts(|h, _, s| format!("{h}.{}.{s}", URL_SAFE_NO_PAD.encode(claims_with("sub", &"root".into())))) => 401, SIGNATURE;
    typ_of_an_id_token: "RFC 9068, 4", with_header(r#"{"alg":"ES256","typ":"JWT","kid":"ec"}"#) => 401, TYP;
    typ_missing: "RFC 9068, 4", with_header(r#"{"alg":"ES256","kid":"ec"}"#) => 401, TYP;
    typ_of_a_logout_token: "RFC 8725, 3.11", with_header(r#"{"alg":"ES256","typ":"logout+jwt","kid":"ec"}"#) => 401, TYP;
    typ_of_a_dpop_proof: "RFC 8725, 3.11", with_header(r#"{"alg":"ES256","typ":"dpop+jwt","kid":"ec"}"#) => 401, TYP;
    typ_of_introspection: "RFC 9701", with_header(r#"{"alg":"ES256","typ":"token-introspection+jwt","kid":"ec"}"#) => 401, TYP;
    typ_with_a_space: "RFC 9068, 4", with_header(r#"{"alg":"ES256","typ":"at+jwt ","kid":"ec"}"#) => 401, TYP;
    typ_with_parameters: "RFC 9068, 4", with_header(r#"{"alg":"ES256","typ":"at+jwt;v=1","kid":"ec"}"#) => 401, TYP;
    typ_number: "RFC 7515, 4.1.9", with_header(r#"{"alg":"ES256","typ":1,"kid":"ec"}"#) => 401, UNREADABLE;
    exp_past: "RFC 7519, 4.1.4", with_claims(&claims_with("exp", &(NOW - 3600).into())) => 401, EXPIRED;
    exp_past_by_more_than_the_leeway: "RFC 7519, 4.1.4", with_claims(&claims_with("exp", &(NOW - 60).into())) => 401, EXPIRED;
    exp_missing: "RFC 9068, 2.2", with_claims(&claims_without("exp")) => 401, CLAIMS;
    exp_null: "RFC 9068, 2.2", with_claims(&claims_with("exp", &Value::Null)) => 401, CLAIMS;
    exp_text: "RFC 7519, 2", with_claims(&claims_with("exp", &(NOW + 60).to_string().into())) => 401, CLAIMS;
    exp_true: "RFC 7519, 2", with_claims(&claims_with("exp", &true.into())) => 401, CLAIMS;
    exp_array: "RFC 7519, 2", with_claims(&claims_with("exp", &json!([NOW + 60]))) => 401, CLAIMS;
    exp_object: "RFC 7519, 2", with_claims(&claims_with("exp", &json!({ "$gt": 0 }))) => 401, CLAIMS;
    exp_negative: "RFC 7519, 2", with_claims(&claims_with("exp", &(-1).into())) => 401, CLAIMS;
    exp_zero: "RFC 7519, 4.1.4", with_claims(&claims_with("exp", &0.into())) => 401, EXPIRED;
    exp_beyond_numbers: "RFC 8259, 6", with_claims(&claims_without("exp").replace('}', ",\"exp\":1e400}")) => 401, CLAIMS;
    exp_far_too_large: "RFC 7519, 2", with_claims(&claims_with("exp", &json!(1e300))) => 401, CLAIMS;
    exp_twice: "RFC 7519, 4", with_claims(&claims_and(&format!("\"exp\":{}", NOW + 9_999))) => 401, CLAIMS;
    nbf_future: "RFC 7519, 4.1.5", with_claims(&claims_with("nbf", &(NOW + 3600).into())) => 401, "not valid yet";
    nbf_text: "RFC 7519, 2", with_claims(&claims_with("nbf", &"0".into())) => 401, CLAIMS;
    nbf_object: "RFC 7519, 2", with_claims(&claims_with("nbf", &json!({}))) => 401, CLAIMS;
    nbf_negative: "RFC 7519, 2", with_claims(&claims_with("nbf", &(-1).into())) => 401, CLAIMS;
    aud_missing: "RFC 9068, 4", with_claims(&claims_without("aud")) => 401, CLAIMS;
    aud_null: "RFC 9068, 4", with_claims(&claims_with("aud", &Value::Null)) => 401, CLAIMS;
    aud_of_another: "RFC 8707, 2", with_claims(&claims_with("aud", &"https://other.example/mcp".into())) => 401, AUD;
    aud_empty: "RFC 9068, 4", with_claims(&claims_with("aud", &"".into())) => 401, AUD;
    aud_no_one: "RFC 9068, 4", with_claims(&claims_with("aud", &json!([]))) => 401, AUD;
    aud_of_several_others: "RFC 9068, 4", with_claims(&claims_with("aud", &json!(["a", "b"]))) => 401, AUD;
    aud_prefix: "RFC 9700, 2.3", with_claims(&claims_with("aud", &"http://localhost:3002".into())) => 401, AUD;
    aud_longer: "RFC 9700, 2.3", with_claims(&claims_with("aud", &"http://localhost:3002/mcp2".into())) => 401, AUD;
    aud_below: "RFC 9700, 2.3", with_claims(&claims_with("aud", &"http://localhost:3002/mcp/x".into())) => 401, AUD;
    aud_with_a_slash: "RFC 8707, 2", with_claims(&claims_with("aud", &"http://localhost:3002/mcp/".into())) => 401, AUD;
    aud_in_capitals: "RFC 9068, 4", with_claims(&claims_with("aud", &"HTTP://LOCALHOST:3002/MCP".into())) => 401, AUD;
    aud_with_a_query: "RFC 8707, 2", with_claims(&claims_with("aud", &"http://localhost:3002/mcp?x".into())) => 401, AUD;
    aud_with_userinfo: "RFC 8707, 2", with_claims(&claims_with("aud", &"http://localhost:3002@evil.example/mcp".into())) => 401, AUD;
    aud_joined_by_a_space: "RFC 7519, 4.1.3", with_claims(&claims_with("aud", &"x http://localhost:3002/mcp".into())) => 401, AUD;
    aud_object: "RFC 7519, 4.1.3", with_claims(&claims_with("aud", &json!({ "aud": AUDIENCE }))) => 401, CLAIMS;
    aud_nested: "RFC 7519, 4.1.3", with_claims(&claims_with("aud", &json!([[AUDIENCE]]))) => 401, CLAIMS;
    aud_number: "RFC 7519, 4.1.3", with_claims(&claims_with("aud", &1.into())) => 401, CLAIMS;
    aud_twice: "RFC 7519, 4", with_claims(&claims_and("\"aud\":\"https://other.example\"")) => 401, CLAIMS;
    iss_with_a_slash: "RFC 9068, 4", with_claims(&claims_with("iss", &format!("{ISSUER}/").into())) => 401, ISS;
    iss_in_capitals: "RFC 9068, 4", with_claims(&claims_with("iss", &"https://ISSUER.example/t".into())) => 401, ISS;
    iss_prefix: "RFC 9068, 4", with_claims(&claims_with("iss", &"https://issuer.example".into())) => 401, ISS;
    iss_longer: "RFC 9068, 4", with_claims(&claims_with("iss", &format!("{ISSUER}.evil.example").into())) => 401, ISS;
    iss_by_http: "RFC 9068, 4", with_claims(&claims_with("iss", &"http://issuer.example/t".into())) => 401, ISS;
    iss_with_a_port: "RFC 9068, 4", with_claims(&claims_with("iss", &"https://issuer.example:443/t".into())) => 401, ISS;
    iss_of_look_alikes: "UTS 39", with_claims(&claims_with("iss", &"https://іssuer.example/t".into())) => 401, ISS;
    iss_missing: "RFC 9068, 4", with_claims(&claims_without("iss")) => 401, CLAIMS;
    iss_null: "RFC 9068, 4", with_claims(&claims_with("iss", &Value::Null)) => 401, CLAIMS;
    iss_array: "CVE-2025-30144", with_claims(&claims_with("iss", &json!(["https://evil.example", ISSUER]))) => 401, CLAIMS;
    iss_twice: "RFC 7519, 4", with_claims(&claims_and("\"iss\":\"https://evil.example\"")) => 401, CLAIMS;
    sub_missing: "RFC 9068, 2.2", with_claims(&claims_without("sub")) => 401, CLAIMS;
    sub_empty: "RFC 9068, 2.2", with_claims(&claims_with("sub", &"".into())) => 401, CLAIMS;
    sub_number: "RFC 7519, 4.1.2", with_claims(&claims_with("sub", &0.into())) => 401, CLAIMS;
    sub_array: "RFC 7519, 4.1.2", with_claims(&claims_with("sub", &json!(["ada"]))) => 401, CLAIMS;
    sub_twice: "RFC 7519, 4", with_claims(&claims_and("\"sub\":\"root\"")) => 401, CLAIMS;
    sub_twice_by_an_escape: "RFC 8259, 4", with_claims(&claims_and("\"s\\u0075b\":\"root\"")) => 401, CLAIMS;
    an_unknown_claim_twice: "RFC 7519, 4", with_claims(&claims_and("\"org\":1,\"org\":2")) => 401, CLAIMS;
    id_token_by_nonce: "RFC 9068, 5", with_claims(&claims_and("\"nonce\":\"n\"")) => 401, "this is an ID token";
    id_token_by_at_hash: "RFC 9068, 5", with_claims(&claims_and("\"at_hash\":\"h\"")) => 401, "this is an ID token";
    id_token_by_c_hash: "RFC 9068, 5", with_claims(&claims_and("\"c_hash\":\"h\"")) => 401, "this is an ID token";
    scope_object: "RFC 9068, 2.2.3", with_claims(&claims_with("scope", &json!({ "a:read": true }))) => 401, CLAIMS;
    scope_array: "RFC 9068, 2.2.3", with_claims(&claims_with("scope", &json!(["a:read", "a:write"]))) => 401, CLAIMS;
    scope_nested: "RFC 9068, 2.2.3", with_claims(&claims_with("scope", &json!([["a:read"]]))) => 401, CLAIMS;
    scope_number: "RFC 9068, 2.2.3", with_claims(&claims_with("scope", &1.into())) => 401, CLAIMS;
    scope_true: "RFC 9068, 2.2.3", with_claims(&claims_with("scope", &true.into())) => 401, CLAIMS;
    scope_with_a_tab: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read\ta:write".into())) => 401, CLAIMS;
    scope_with_a_line_end: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read\na:write".into())) => 401, CLAIMS;
    scope_with_a_wide_space: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read\u{a0}a:write".into())) => 401, CLAIMS;
    scope_with_a_quote: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read\"".into())) => 401, CLAIMS;
    scope_with_a_backslash: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read\\".into())) => 401, CLAIMS;
    scope_with_a_nul: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read\0".into())) => 401, CLAIMS;
    scope_of_look_alikes: "UTS 39", with_claims(&claims_with("scope", &"a:read а:write".into())) => 401, CLAIMS;
    scope_of_wide_letters: "UTS 39", with_claims(&claims_with("scope", &"ａ:read".into())) => 401, CLAIMS;
    scope_twice: "RFC 7519, 4", with_claims(&claims_and("\"scope\":\"a:write\"")) => 401, CLAIMS;
    scope_of_ten_thousand: "RFC 8725, 3.5", with_claims(&claims_with("scope", &"a:read ".repeat(10_000).into())) => 431, "MAX_TOKEN";
    two_parts: "RFC 7515, 7.1", from_parts(|h, p, _| format!("{h}.{p}")) => 401, UNREADABLE;
    one_part: "RFC 7515, 7.1", from_parts(|h, _, _| h.to_owned()) => 401, UNREADABLE;
    four_parts: "RFC 7515, 7.1", from_parts(|h, p, s| format!("{h}.{p}.{s}.{s}")) => 401, "";
    five_parts: "RFC 7516, 7.1", from_parts(|h, p, s| format!("{h}.{p}.{p}.{p}.{s}")) => 401, "";
    an_empty_payload: "RFC 7515, 7.1", from_parts(|h, _, s| format!("{h}..{s}")) => 401, SIGNATURE;
    dots_alone: "RFC 7515, 7.1", ".." => 401, UNREADABLE;
    padding_in_the_header: "RFC 7515, 2", from_parts(|h, p, s| format!("{h}.{p}.{s}==")) => 401, "";
    a_payload_that_is_no_object: "RFC 7519, 7.2", with_claims("[]") => 401, CLAIMS;
    a_payload_of_text: "RFC 7519, 7.2", with_claims("\"ada\"") => 401, CLAIMS;
    a_payload_that_is_no_json: "RFC 7519, 7.2", with_claims("{iss}") => 401, CLAIMS;
    a_payload_with_a_tail: "RFC 7519, 7.2", with_claims(&format!("{0}{0}", good_claims())) => 401, CLAIMS;
    a_payload_with_a_byte_order_mark: "RFC 8259, 8.1", with_claims(&format!("\u{feff}{}", good_claims())) => 401, CLAIMS;
    a_payload_that_is_no_utf_8: "RFC 7519, 7.2", signed_text(HEADER, b"{\"iss\":\"\xff\"}") => 401, CLAIMS;
    a_payload_in_utf_16: "RFC 7519, 7.2", signed_text(HEADER, &good_claims().to_string().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()) => 401, CLAIMS;
    a_payload_nested_without_end: "RFC 8725, 3.5", with_claims(&claims_and(&format!("\"x\":{}{}", "[".repeat(5_000), "]".repeat(5_000)))) => 401, CLAIMS;
    a_token_in_lower_case: "RFC 6750, 2.1", good_token().to_lowercase() => 401, UNREADABLE;
    an_opaque_token: "RFC 6750, 2.1", "7f3a9c0e".repeat(4) => 401, UNREADABLE;
}

attacks! { does_not_write;
    scope_in_capitals: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"A:WRITE".into())) => 403, "insufficient_scope";
    scope_joined_by_a_comma: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:read,a:write".into())) => 403, "insufficient_scope";
    scope_longer: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:write2".into())) => 403, "insufficient_scope";
    scope_shorter: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"a:writ".into())) => 403, "insufficient_scope";
    scope_star: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"* a:*".into())) => 403, "insufficient_scope";
    scope_empty: "RFC 6749, 3.3", with_claims(&claims_with("scope", &"".into())) => 403, "insufficient_scope";
    scope_missing: "RFC 9068, 2.2.3", with_claims(&claims_without("scope")) => 403, "insufficient_scope";
    scope_null: "RFC 9068, 2.2.3", with_claims(&claims_with("scope", &Value::Null)) => 403, "insufficient_scope";
    scope_of_many: "RFC 8725, 3.5", with_claims(&claims_with("scope", &"b ".repeat(5_000).into())) => 403, "insufficient_scope";
    scopes_besides_scope: "RFC 9068, 2.2.3", with_claims(&claims_and("\"scopes\":[\"a:write\"]")) => 403, "insufficient_scope";
    scp_besides_scope: "RFC 9068, 2.2.3", with_claims(&claims_and("\"scp\":\"a:write\"")) => 403, "insufficient_scope";
    roles_are_no_scopes: "RFC 9068, 2.2.3.1", with_claims(&claims_and("\"roles\":[\"a:write\"],\"permissions\":[\"a:write\"]")) => 403, "insufficient_scope";
}
