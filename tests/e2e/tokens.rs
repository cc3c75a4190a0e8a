//! Access tokens of other issuers: the accepted forms, and the refused ones.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use scopeward::{
    Limits, Principal, ScopedTools,
    gate::Gate,
    identity::token::{TokenError, TokenTypes, Validator},
    mcp::handler::McpHandler,
    scoped_tools,
};
use serde_json::{Value, json};
use tower::Layer;

use crate::{
    harness::{Reply, http_service, mcp_request, mount, send, small_policy},
    keys::{keys, p384, verification_keys},
};

const RULES: &str = r#"
[tools]
who = { authenticated = true }
read = { read = "a" }
write = { write = "a" }
"#;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "http://localhost:3002/mcp";
const NOW: u64 = 2_000_000_000;

struct Tools;

#[scoped_tools]
impl Tools {
    /// Who calls, and with what.
    #[scoped_tool(scopes = [])]
    fn who(&self, caller: Principal) -> String {
        let scopes: Vec<&str> =
            caller.granted().iter().map(scopeward::policy::Scope::as_str).collect();
        format!("{} {:?} {}", caller.subject(), caller.client(), scopes.join(" "))
    }

    /// Reads.
    #[scoped_tool(scopes = ["a:read"])]
    fn read(&self) -> String {
        "read".to_owned()
    }

    /// Writes.
    #[scoped_tool(scopes = ["a:write"])]
    fn write(&self) -> String {
        "written".to_owned()
    }
}

/// The URL of an MCP endpoint with a fixed clock.
fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let policy = small_policy(AUDIENCE, RULES, &Tools::REGISTRY);
        let keys = verification_keys(&keys().published);
        assert_eq!(keys.len(), 3, "a key for encryption verifies nothing");
        let validator = Validator::new(ISSUER, AUDIENCE, keys, TokenTypes::AccessTokenOrPlain)
            .with_clock(|| NOW);
        mount(Gate::new(policy, validator).layer(http_service(|| McpHandler::new(Tools))))
    })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "client_id": "c", "exp": NOW + 60, "scope": "a:read" })
}

fn header(algorithm: Algorithm, key: &str) -> Header {
    let mut header = Header::new(algorithm);
    header.kid = Some(key.to_owned());
    header
}

/// An ES256 token with these claims changed. `null` removes a claim.
fn token(changes: &Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    encode(&header(Algorithm::ES256, "ec"), &claims, &keys().ec).unwrap()
}

fn call(token: &str, tool: &str) -> Reply {
    let body =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
    let request = mcp_request(url()).header("authorization", format!("Bearer {token}"));
    send(request.body(body.to_string()).unwrap())
}

fn who(token: &str) -> String {
    let reply = call(token, "who");
    assert_eq!(reply.status, 200, "{reply:#?}");
    reply.json["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Asserts that a token is refused with 401, `invalid_token` and this description, and that the
/// response does not hold the token.
fn refused(token: &str, description: &str) {
    let reply = call(token, "who");
    assert_eq!(reply.status, 401, "{description} {reply:#?}");
    assert_eq!(reply.challenge("error"), Some("invalid_token"), "{description}");
    assert_eq!(reply.challenge("error_description"), Some(description));
    assert!(reply.challenge("scope").is_some() && reply.challenge("resource_metadata").is_some());
    assert!(!reply.text.contains(token));
}

#[test]
fn the_three_algorithms() {
    let keys = keys();
    for (algorithm, id, key) in [
        (Algorithm::RS256, "rsa", &keys.rsa),
        (Algorithm::ES256, "ec", &keys.ec),
        (Algorithm::EdDSA, "ed", &keys.ed),
    ] {
        let token = encode(&header(algorithm, id), &claims(), key).unwrap();
        assert_eq!(who(&token), "ada Some(\"c\") a:read", "{algorithm:?}");
        assert_eq!(call(&token, "read").status, 200);
        assert_eq!(call(&token, "write").status, 403);
    }
}

#[test]
fn a_cached_token_is_compared_whole_and_still_expires() {
    let now = Arc::new(AtomicU64::new(NOW));
    let clock = Arc::clone(&now);
    let keys = verification_keys(&keys().published);
    let validator = Validator::new(ISSUER, AUDIENCE, keys, TokenTypes::AccessTokenOrPlain)
        .with_clock(move || clock.load(Ordering::Relaxed));
    let token = token(&json!({ "nbf": NOW }));
    let headers = |authorization: &str| {
        HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())])
    };
    let bearer = headers(&format!("Bearer {token}"));
    assert!(validator.recall(&bearer).is_none(), "never seen");
    assert_eq!(validator.validate(&token).unwrap().subject(), "ada");
    assert_eq!(validator.recall(&bearer).unwrap().unwrap().subject(), "ada");

    for other in [
        format!("Bearer {token}="),
        format!("Bearer {}", &token[1..]),
        format!("Bearer {}", token.replacen('.', "..", 1)),
        format!("Basic {token}"),
        format!("Bearer {token},"),
    ] {
        assert!(validator.recall(&headers(&other)).is_none(), "{other}");
    }
    let mut twice = bearer.clone();
    twice.append(AUTHORIZATION, bearer[AUTHORIZATION].clone());
    assert!(validator.recall(&twice).is_none(), "which one counts would be a guess");

    for (time, expected) in [
        (NOW + 60 + 59, None),
        (NOW + 60 + 60, Some(TokenError::Expired)),
        (NOW - 61, Some(TokenError::NotYetValid)),
        (NOW, None),
    ] {
        now.store(time, Ordering::Relaxed);
        assert_eq!(
            validator.recall(&bearer).unwrap().err().map(|rejected| rejected.reason().clone()),
            expected,
            "{time}"
        );
        assert_eq!(validator.validate(&token).err(), expected, "{time}");
    }
}

#[test]
fn scopes_come_from_one_claim() {
    for (changes, scopes) in [
        (json!({ "scope": "a:read a:write" }), "a:read a:write"),
        (json!({ "scope": "" }), ""),
        (json!({ "scope": null }), ""),
        (json!({ "scope": null, "scp": "a:read" }), "a:read"),
        (json!({ "scope": null, "scp": ["a:write", "a:read", "a:read"] }), "a:read a:write"),
        (json!({ "scope": null, "scopes": ["a:read"] }), "a:read"),
        (json!({ "scope": null, "scopes": "a:read x" }), "a:read x"),
        // Only the first of several claims counts.
        (json!({ "scope": "a:read", "scp": ["a:write"], "scopes": ["a:write"] }), "a:read"),
    ] {
        assert_eq!(who(&token(&changes)), format!("ada Some(\"c\") {scopes}"), "{changes}");
    }
    for (claim, changes) in [
        ("scope", json!({ "scope": ["a:read"] })),
        ("scope", json!({ "scope": { "a:read": true } })),
        ("scope", json!({ "scope": 7 })),
        ("scope", json!({ "scope": "a:read\ta:write" })),
        ("scope", json!({ "scope": "a:r\u{435}ad" })),
        ("scp", json!({ "scope": null, "scp": ["a:read a:write"] })),
        ("scp", json!({ "scope": null, "scp": [["a:read"]] })),
        ("scopes", json!({ "scope": null, "scopes": ["a:read", 7] })),
    ] {
        let description = format!("the token's {claim} claim is missing or malformed");
        refused(&token(&changes), &description);
    }
}

#[test]
fn claims_that_are_wrong() {
    let unreadable = "the token's iss, sub, aud, exp or another claim is missing or malformed";
    let another_issuer = &*format!("the token comes from another issuer; its iss must be {ISSUER}");
    let another_resource =
        &*format!("the token was issued for another resource; its aud must be {AUDIENCE}");
    for (changes, description) in [
        (json!({ "iss": "https://other.example" }), another_issuer),
        (json!({ "iss": "https://issuer.example/" }), another_issuer),
        (json!({ "iss": "HTTPS://issuer.example" }), another_issuer),
        (json!({ "iss": [ISSUER] }), unreadable),
        (json!({ "iss": null }), unreadable),
        (json!({ "aud": "http://localhost:3002" }), another_resource),
        (json!({ "aud": "http://localhost:3002/mcp/x" }), another_resource),
        (json!({ "aud": ["https://other.example"] }), another_resource),
        (json!({ "aud": [] }), another_resource),
        (json!({ "aud": { "x": AUDIENCE } }), unreadable),
        (json!({ "aud": null }), "the token's aud claim is missing or malformed"),
        (json!({ "exp": NOW - 60 }), "the token has expired"),
        (json!({ "exp": 0 }), "the token has expired"),
        (json!({ "exp": -1 }), unreadable),
        (json!({ "exp": "2000000060" }), unreadable),
        (json!({ "exp": 1e300 }), unreadable),
        (json!({ "exp": null }), unreadable),
        (json!({ "nbf": NOW + 61 }), "the token is not valid yet"),
        (json!({ "nbf": "soon" }), unreadable),
        (json!({ "sub": "" }), "the token's sub claim is missing or malformed"),
        (json!({ "sub": null }), unreadable),
        (json!({ "sub": 7 }), unreadable),
    ] {
        refused(&token(&changes), description);
    }
    for changes in [
        json!({ "exp": NOW - 59 }),
        json!({ "exp": 2_000_000_000.5 }),
        json!({ "nbf": NOW + 60 }),
        json!({ "aud": ["https://other.example", AUDIENCE] }),
    ] {
        assert_eq!(call(&token(&changes), "who").status, 200, "{changes}: 60 seconds of leeway");
    }
}

#[test]
fn claims_that_stand_twice() {
    let payload = format!(
        r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"ada","sub":"root","exp":{}}}"#,
        NOW + 60
    );
    let whole: Box<serde_json::value::RawValue> =
        serde_json::value::RawValue::from_string(payload).unwrap();
    let token = encode(&header(Algorithm::ES256, "ec"), &whole, &keys().ec).unwrap();
    refused(&token, "the token's iss, sub, aud, exp or another claim is missing or malformed");
}

/// A token with any header, with a right signature of the issuer's P-256 key.
fn with_header(header: &Value) -> String {
    let encode_part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode_part(header), encode_part(&claims()));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &keys().ec, Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

#[test]
fn headers_that_are_wrong() {
    let malformed = "the token is not a readable JWT access token";
    let unknown_key = "the token is signed with a key that its issuer does not publish";
    let other_algorithm = "the token's algorithm does not fit the key of its issuer: it is";
    let wrong_type = "the token's typ is not that of an access token";
    assert_eq!(call(&with_header(&json!({ "alg": "ES256", "kid": "ec" })), "who").status, 200);
    for (header, description) in [
        (json!({ "alg": "none", "kid": "ec" }), malformed),
        (json!({ "alg": "None", "kid": "ec" }), malformed),
        (json!({ "alg": "nOnE" }), malformed),
        (json!({ "alg": "", "kid": "ec" }), malformed),
        (json!({ "kid": "ec" }), malformed),
        (json!({ "alg": "HS256", "kid": "ec" }), other_algorithm),
        (json!({ "alg": "RS256", "kid": "ec" }), other_algorithm),
        (json!({ "alg": "ES384", "kid": "ec" }), other_algorithm),
        (json!({ "alg": "ES256", "kid": "rsa" }), other_algorithm),
        (json!({ "alg": "PS256", "kid": "rsa" }), other_algorithm),
        (json!({ "alg": "ES256", "kid": "encryption" }), unknown_key),
        (json!({ "alg": "ES256", "kid": "../ec" }), unknown_key),
        (json!({ "alg": "ES256", "kid": "" }), unknown_key),
        (json!({ "alg": "ES256", "kid": ["ec"] }), malformed),
        (json!({ "alg": "ES256", "kid": "ec", "crit": ["x"], "x": 1 }), malformed),
        (json!({ "alg": "ES256", "kid": "ec", "crit": [] }), malformed),
        (json!({ "alg": "ES256", "kid": "ec", "typ": "logout+jwt" }), wrong_type),
        (json!({ "alg": "ES256", "kid": "ec", "typ": "dpop+jwt" }), wrong_type),
    ] {
        let named = format!("{description} {}", header["alg"].as_str().unwrap_or_default());
        let is_named = description == other_algorithm;
        refused(&with_header(&header), if is_named { &named } else { description });
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"] {
        let token = with_header(&json!({ "alg": "ES256", "kid": "ec", "typ": typ }));
        assert_eq!(call(&token, "who").status, 200, "{typ}");
    }
    // A key in the header, or the URL of a key, is ignored.
    let mut own = serde_json::to_value(&keys().published.keys[1]).unwrap();
    own["kid"] = json!("mine");
    for header in [
        json!({ "alg": "ES256", "kid": "mine", "jwk": own }),
        json!({ "alg": "ES256", "kid": "mine", "jku": "http://127.0.0.1:1/keys" }),
        json!({ "alg": "ES256", "kid": "mine", "x5u": "http://127.0.0.1:1/chain" }),
    ] {
        refused(&with_header(&header), unknown_key);
    }
}

#[test]
fn signatures_that_are_wrong() {
    let wrong = "the token's signature is wrong";
    let good = token(&json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    refused(&format!("{message}.{zeros}"), wrong);
    refused(&format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 63])), wrong);
    refused(&format!("{message}."), wrong);
    let other = token(&json!({ "sub": "root" }));
    refused(&format!("{}.{signature}", other.rsplit_once('.').unwrap().0), wrong);
    // Signed by HMAC, with the public key as the secret.
    let public = serde_json::to_vec(&keys().published.keys[0]).unwrap();
    let forged =
        encode(&header(Algorithm::HS256, "rsa"), &claims(), &EncodingKey::from_secret(&public));
    refused(
        &forged.unwrap(),
        "the token's algorithm does not fit the key of its issuer: it is HS256",
    );
    // Signed by an unpublished key, with the id of a published key.
    let forged = encode(&header(Algorithm::RS256, "rsa"), &claims(), &keys().other_rsa).unwrap();
    refused(&forged, wrong);
}

#[test]
fn malformed_tokens_and_headers() {
    let malformed = "the token is not a readable JWT access token";
    for text in ["x", "x.y", "x.y.z", "..", "a.b.c.d", &"A".repeat(10_000)] {
        refused(text, malformed);
    }
    refused("eyJhbGciOiJFUzI1NiJ9..", "the token's signature is wrong");
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let good = token(&json!({}));
    let ask = |values: &[String], query: &str| {
        let mut request = mcp_request(&format!("{}{query}", url()));
        for value in values {
            request = request.header("authorization", value);
        }
        send(request.body(body.to_owned()).unwrap())
    };
    let bearer = format!("Bearer {good}");
    assert_eq!(ask(std::slice::from_ref(&bearer), "").status, 200);
    assert_eq!(ask(&[format!("bearer {good}")], "").status, 200, "schemes have no case");
    assert_eq!(ask(&[bearer.clone(), bearer.clone()], "").status, 400);
    assert_eq!(ask(&[format!("{bearer}, Bearer {good}")], "").status, 400);
    assert_eq!(ask(&[format!("{bearer},")], "").status, 400);
    assert_eq!(ask(&[format!("Bearer{good}")], "").status, 401);
    assert_eq!(ask(&[format!("Basic {good}")], "").status, 401);
    assert_eq!(ask(std::slice::from_ref(&good), "").status, 401);
    // A token in the query is not accepted (MCP, "Token Requirements").
    assert_eq!(ask(&[], &format!("?access_token={good}")).status, 401);
    assert_eq!(ask(&["Bearer".into()], "").challenge("error"), Some("invalid_request"));
}

/// Limits that are set on a clone hold for that clone, and leave the gate that it was made of alone.
#[test]
fn a_clone_of_a_gate_has_limits_of_its_own() {
    let validator = || {
        Validator::new(
            ISSUER,
            AUDIENCE,
            verification_keys(&keys().published),
            TokenTypes::AccessTokenOrPlain,
        )
        .with_clock(|| NOW)
    };
    let gate = Gate::new(small_policy(AUDIENCE, RULES, &Tools::REGISTRY), validator());
    let mut limits = Limits::default();
    limits.max_body = 64;
    let narrow = gate.clone().with_limits(&limits);
    let handler = || http_service(|| McpHandler::new(Tools));
    let [gate, narrow] = [gate, narrow].map(|gate| mount(gate.layer(handler())));
    let body =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "_": "x".repeat(64) } });
    let status = |url: &str| {
        let request =
            mcp_request(url).header("authorization", format!("Bearer {}", token(&json!({}))));
        send(request.body(body.to_string()).unwrap()).status
    };
    assert_eq!((status(&gate), status(&narrow)), (200, 413));
}

/// A key verifies the algorithm that it names, and a key that names none verifies those of its type.
/// A token without `kid` is tried with each key that fits.
#[test]
fn each_algorithm_is_tied_to_its_key() {
    use Algorithm::{ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512};
    let (ec, public) = p384("p384");
    let rsa = |algorithm: &Value, id: &str, key: &EncodingKey| {
        let public = jsonwebtoken::jwk::Jwk::from_encoding_key(key, RS256).unwrap();
        let mut public = serde_json::to_value(public).unwrap();
        (public["alg"], public["kid"]) = (algorithm.clone(), id.into());
        if algorithm.is_null() {
            public.as_object_mut().unwrap().remove("alg");
        }
        public
    };
    let validator = |published: &[Value]| {
        let text = json!({ "keys": published }).to_string();
        let keys = scopeward::identity::token::VerificationKeys::parse(&text).unwrap();
        Validator::new(ISSUER, AUDIENCE, keys, TokenTypes::AccessTokenOrPlain).with_clock(|| NOW)
    };
    let of_rsa = [RS256, RS384, RS512, PS256, PS384, PS512];
    let signed =
        |algorithm, key: &EncodingKey| encode(&header(algorithm, "k"), &claims(), key).unwrap();
    let any = validator(&[rsa(&Value::Null, "k", &keys().rsa)]);
    for one in of_rsa {
        let token = signed(one, &keys().rsa);
        assert!(any.validate(&token).is_ok(), "{one:?}");
        for named in of_rsa {
            let named = format!("{named:?}");
            let tied = validator(&[rsa(&json!(named), "k", &keys().rsa)]).validate(&token);
            if named == format!("{one:?}") {
                assert!(tied.is_ok(), "{one:?}");
            } else {
                let said = tied.unwrap_err().to_string();
                assert!(
                    said.ends_with(&format!("does not fit the key of its issuer: it is {one:?}")),
                    "{said}"
                );
            }
        }
        let other = signed(one, &keys().other_rsa);
        assert_eq!(any.validate(&other).unwrap_err(), TokenError::Signature);
    }
    let mut public = serde_json::to_value(public).unwrap();
    public["kid"] = json!("k");
    let curve = validator(&[public]);
    assert!(curve.validate(&signed(ES384, &ec)).is_ok());
    let said = curve.validate(&signed(ES256, &keys().ec)).unwrap_err().to_string();
    assert!(said.contains("it is ES256"), "{said}");
    let es512 = with_header(&json!({ "alg": "ES512", "kid": "k" }));
    let said = any.validate(&es512).unwrap_err().to_string();
    assert!(said.contains("signed by ES512, which is not taken here"), "{said}");

    let both = validator(&[
        rsa(&json!("RS256"), "1", &keys().rsa),
        rsa(&json!("RS256"), "2", &keys().other_rsa),
    ]);
    for key in [&keys().rsa, &keys().other_rsa] {
        let unnamed = encode(&Header::new(RS256), &claims(), key).unwrap();
        assert!(both.validate(&unnamed).is_ok());
    }
}
