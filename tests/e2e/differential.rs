//! Sends tens of thousands of messages, well formed or not, through the gate to a recorder. Only
//! calls that the gate allowed reach a tool, a resource or a prompt. The same bodies go to rmcp
//! without the gate, to count the calls that the gate stopped.

use std::{
    collections::BTreeSet,
    future::ready,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    http,
    response::{IntoResponse, Response},
};
use jsonwebtoken::{Algorithm, Header, encode};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, ContentBlock, CustomRequest, CustomResult, GetPromptRequestParams,
        GetPromptResponse, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
        ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
        Reference, ServerCapabilities, ServerConfig, SubscribeRequestParams,
        UnsubscribeRequestParams,
    },
    service::RequestContext,
};
use scopeward::{
    Declaration, Limits, Location, Registry,
    gate::Gate,
    identity::token::{TokenTypes, Validator},
    policy::Feature,
};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::{
    harness::{http_service, small_policy},
    keys::{keys, verification_keys},
};

const RULES: &str = r#"
[tools]
allowed = { read = "a" }
denied = { write = "a" }
[prompts]
allowed = { read = "a" }
denied = { write = "a" }
[resources]
"x:allowed" = { read = "a" }
"x:denied" = { write = "a" }
"x:t/{value}" = { read = "a" }
"#;

/// What the recorder serves, as an author who does not use the macros declares it.
const DECLARED: &[Declaration] = &[
    declared(Feature::Tool, "allowed", &["a:read"]),
    declared(Feature::Tool, "denied", &["a:write"]),
    declared(Feature::Prompt, "allowed", &["a:read"]),
    declared(Feature::Prompt, "denied", &["a:write"]),
    declared(Feature::Resource, "x:allowed", &["a:read"]),
    declared(Feature::Resource, "x:denied", &["a:write"]),
    declared(Feature::Resource, "x:t/{value}", &["a:read"]),
];

const fn declared(
    feature: Feature,
    name: &'static str,
    scopes: &'static [&'static str],
) -> Declaration {
    Declaration::new(feature, name, scopes, &[], Location::new(file!(), line!(), column!()))
}

/// The number of generated bodies.
const BODIES: usize = 40_000;

/// Whether the policy allows the noted request.
fn is_allowed(noted: &str) -> bool {
    let name = noted.rsplit_once(' ').map_or(noted, |(_, name)| name);
    // The values that a variable of a URI template can have (RFC 6570, section 3.2.2).
    let is_value = |value: &str| {
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        !value.is_empty() && ![".", ".."].contains(&value) && value.chars().all(unreserved)
    };
    match noted.split_once(' ').map_or(noted, |(kind, _)| kind) {
        "list" => true,
        "tool" | "prompt" => noted.ends_with(" allowed") && noted.matches(' ').count() == 1,
        "completion" if ["allowed", "x:t/{value}"].contains(&name) => {
            noted.matches(' ').count() == 1
        }
        "completion" | "resource" => {
            // A scheme has no case (RFC 3986, section 6.2.2.1).
            let name = &name.replacen("X:", "x:", 1);
            name == "x:allowed" || name.strip_prefix("x:t/").is_some_and(is_value)
        }
        _ => false,
    }
}

/// An MCP server that notes each request that reaches it.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn noted(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

macro_rules! notes {
    ($($(#[$attribute:meta])* $method:ident($request:ident: $kind:ty) -> $answer:ty = $what:expr;)*) => {
        $($(#[$attribute])* fn $method(
            &self,
            $request: $kind,
            _: RequestContext<RoleServer>,
        ) -> impl Future<Output = Result<$answer, ErrorData>> + Send + '_ {
            self.note($what);
            ready(Err(ErrorData::internal_error("noted", None)))
        })*
    };
}

impl ServerHandler for Recorder {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.note(format!("tool {}", request.name));
        Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![]))
    }

    notes! {
        complete(request: CompleteRequestParams) -> CompleteResult = match &request.r#ref {
            Reference::Prompt(prompt) => format!("completion {}", prompt.name),
            Reference::Resource(resource) => format!("completion {}", resource.uri),
            _ => "reference".to_owned(),
        };
        get_prompt(request: GetPromptRequestParams) -> GetPromptResponse = format!("prompt {}", request.name);
        list_prompts(_request: Option<PaginatedRequestParams>) -> ListPromptsResult = "list";
        list_resources(_request: Option<PaginatedRequestParams>) -> ListResourcesResult = "list";
        list_resource_templates(_request: Option<PaginatedRequestParams>) -> ListResourceTemplatesResult = "list";
        read_resource(request: ReadResourceRequestParams) -> ReadResourceResponse = format!("resource {}", request.uri);
        subscribe(request: SubscribeRequestParams) -> () = format!("resource {}", request.uri);
        unsubscribe(request: UnsubscribeRequestParams) -> () = format!("resource {}", request.uri);
        #[expect(deprecated, reason = "older revisions have these methods")]
        set_level(_request: rmcp::model::SetLevelRequestParams) -> () = "level";
        on_custom_request(request: CustomRequest) -> CustomResult = format!("custom {}", request.method);
    }
}

/// `SplitMix64`, a random generator with a fixed seed, so that each run sends the same bodies.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// A JSON string, in which characters are escaped at random.
fn string(random: &mut Random, text: &str) -> String {
    let mut spelt = String::from("\"");
    for character in text.chars() {
        if random.once_in(12) {
            spelt.push_str(&format!("\\u{:04x}", character as u32));
        } else {
            spelt.push(character);
        }
    }
    spelt + "\""
}

fn tool(random: &mut Random) -> String {
    let name = random.pick(&[
        "allowed",
        "allowed",
        "allowed",
        "allowed",
        "allowed",
        "allowed",
        "denied",
        "denied",
        "denied",
        "denied",
        "nobody",
        "Allowed",
        "allowed ",
        " denied",
        "denied\\u0000",
        "allow\u{435}d",
        "",
        "allowed,denied",
        "../denied",
    ]);
    if name.contains('\\') { format!("\"{name}\"") } else { string(random, name) }
}

fn uri(random: &mut Random) -> String {
    let uri = random.pick(&[
        "x:allowed",
        "x:allowed",
        "x:denied",
        "x:denied",
        "x:t/1",
        "x:t/",
        "x:t/a/b",
        "x:t/../denied",
        "x:nobody",
        "X:allowed",
        "x:allowed ",
        "x:t/{value}",
        "x:denied#x:allowed",
        "",
    ]);
    string(random, uri)
}

fn method(random: &mut Random) -> String {
    let name = random.pick(&[
        "tools/call",
        "tools/call",
        "tools/call",
        "tools/call",
        "tools/list",
        "ping",
        "initialize",
        "server/discover",
        "resources/read",
        "resources/list",
        "resources/templates/list",
        "resources/subscribe",
        "prompts/get",
        "prompts/list",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "tasks/cancel",
        "notifications/initialized",
        "notifications/cancelled",
        "tools/call/",
        "TOOLS/CALL",
        "rpc.discover",
        "x/custom",
        "",
    ]);
    string(random, name)
}

fn value(random: &mut Random, depth: usize) -> String {
    match random.below(12) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => random
            .pick(&["0", "-1", "1e400", "1E-400", "18446744073709551616", "0.1", "-0"])
            .to_owned(),
        3 => tool(random),
        4 => method(random),
        5 if depth < 4 => format!("[{}]", value(random, depth + 1)),
        6 if depth < 4 => params(random, depth + 1),
        7 => "[".repeat(200) + &"]".repeat(200),
        8 => string(random, "2026-07-28"),
        9 => "\"\\ud800\"".to_owned(),
        _ => "{}".to_owned(),
    }
}

fn params(random: &mut Random, depth: usize) -> String {
    let mut members = vec![];
    for _ in 0..=random.below(3) {
        let member = match random.below(12) {
            0..=4 => format!("\"name\":{}", tool(random)),
            5 => format!("\"n\\u0061me\":{}", tool(random)),
            6 => "\"arguments\":{}".to_owned(),
            7 => format!("\"_meta\":{}", value(random, depth)),
            8 => format!("\"uri\":{}", uri(random)),
            9 => {
                let (kind, key, name) = match random.below(2) {
                    0 => ("ref/prompt", "name", tool(random)),
                    _ => ("ref/resource", "uri", uri(random)),
                };
                format!(
                    "\"ref\":{{\"type\":\"{kind}\",\"{key}\":{name}}},\"argument\":{{\"name\":\"a\",\"value\":\"b\"}}"
                )
            }
            _ => format!("{}:{}", string(random, "name"), value(random, depth)),
        };
        members.push(member);
    }
    format!("{{{}}}", members.join(","))
}

/// A message whose members may be given twice, in any order and in any spelling.
fn message(random: &mut Random) -> String {
    let mut members = vec![
        "\"jsonrpc\":\"2.0\"".to_owned(),
        format!("\"id\":{}", random.pick(&["1", "\"a\"", "0", "-5"])),
    ];
    if random.once_in(2) {
        let (method, params) = match random.below(5) {
            0 => ("prompts/get", format!("\"name\":{}", tool(random))),
            1 => ("resources/read", format!("\"uri\":{}", uri(random))),
            2 => ("resources/subscribe", format!("\"uri\":{}", uri(random))),
            _ => ("tools/call", format!("\"name\":{},\"arguments\":{{}}", tool(random))),
        };
        members.push(format!("\"method\":{}", string(random, method)));
        members.push(format!("\"params\":{{{params}}}"));
    } else {
        members.push(format!("\"method\":{}", method(random)));
        members.push(format!("\"params\":{}", params(random, 0)));
    }
    while random.once_in(4) {
        let extra = match random.below(6) {
            0 => format!("\"method\":{}", method(random)),
            1 => format!("\"params\":{}", params(random, 0)),
            2 => format!("\"result\":{}", value(random, 0)),
            3 => "\"error\":{\"code\":-1,\"message\":\"x\"}".to_owned(),
            4 => format!("\"id\":{}", value(random, 0)),
            _ => format!("{}:{}", string(random, "method"), value(random, 0)),
        };
        members.insert(random.below(members.len() + 1), extra);
    }
    if random.once_in(12) {
        members.remove(random.below(members.len()));
    }
    format!("{{{}}}", members.join(","))
}

/// Changes, removes, doubles or inserts bytes.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, *random.pick(&[&b'"', &b'{', &b'}', &b',', &0, &0xff, &b'\\'])),
            3 => bytes.truncate(at),
            4 => {
                let end = (at + random.below(30)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let end = (at + random.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

fn body(random: &mut Random) -> Vec<u8> {
    let one = message(random);
    let text = match random.below(20) {
        0 => format!("[{one},{}]", message(random)),
        1 => format!("{one}{}", message(random)),
        2 => format!("{one}\n{}", message(random)),
        3 => format!("\u{feff}{one}"),
        4 => return one.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        5 => format!(" \t\r\n{one} "),
        _ => one,
    };
    let mut bytes = text.into_bytes();
    if random.once_in(3) {
        mutate(random, &mut bytes);
    }
    bytes
}

fn request(token: &str, body: &[u8]) -> http::Request<Body> {
    let mut request = http::Request::post("/mcp");
    if body.trim_ascii_start().starts_with(b"[") {
        request = request.header("mcp-protocol-version", "2025-03-26");
    }
    request
        .header("host", "localhost:3002")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body.to_vec()))
        .unwrap()
}

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "http://localhost:3002/mcp";

fn gate() -> Gate {
    let policy = small_policy("http://localhost:3002/mcp", RULES, &Registry::new(DECLARED));
    let keys = verification_keys(&keys().published);
    let validator = Validator::new(ISSUER, AUDIENCE, keys, TokenTypes::AccessTokenOrPlain);
    let mut limits = Limits::default();
    limits.rate_per_caller = 0;
    Gate::new(policy, validator).with_limits(&limits)
}

fn token(scope: &str) -> String {
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "client_id": "c",
        "exp": crate::standin::now() + 600, "scope": scope });
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("ec".to_owned());
    encode(&header, &claims, &keys().ec).unwrap()
}

#[tokio::test]
async fn no_body_reaches_more_than_the_gate_allowed() {
    let token = token("a:read");
    let (behind, bare) = (Recorder::default(), Recorder::default());
    let gated = gate().layer(http_service({
        let behind = behind.clone();
        move || behind.clone()
    }));
    let open = http_service({
        let bare = bare.clone();
        move || bare.clone()
    });
    let mut random = Random(0x5c09e);
    let mut kinds = BTreeSet::new();
    let (mut passed, mut stopped, mut stricter, mut batches) = (0, 0, 0, 0);
    for number in 0..BODIES {
        let body = body(&mut random);
        let shown = || String::from_utf8_lossy(&body).into_owned();
        let answer = gated.clone().oneshot(request(&token, &body)).await.unwrap();
        let reached = behind.noted();
        // The same request to rmcp alone, to find out whether the gate stopped a call.
        let _ = open.clone().oneshot(request(&token, &body)).await.unwrap().into_response();
        let open_to = bare.noted();
        match &*reached {
            [] if open_to.is_empty() => {}
            [] if open_to.len() == 1 && is_allowed(&open_to[0]) => stricter += 1,
            [] => stopped += 1,
            // The gate decides each message of a batch. rmcp alone takes no batches.
            all if body.trim_ascii_start().starts_with(b"[") => {
                assert!(all.iter().all(|one| is_allowed(one)), "{number}: {all:?} {}", shown());
                batches += 1;
            }
            [one] if is_allowed(one) => {
                kinds.insert(one.clone());
                assert_eq!(answer.status(), 200, "{number}: {}", shown());
                assert_eq!(open_to, reached, "{number}: {}", shown());
                passed += 1;
            }
            other => panic!("{number}: {other:?} was reached by {}", shown()),
        }
    }
    // Enough bodies must pass and enough must be stopped, or the test would show little.
    assert!(passed > 1_000 && stopped > 1_000, "{passed} passed, {stopped} stopped");
    assert!(batches > 20, "{batches} batches passed");
    for reached in
        ["tool allowed", "prompt allowed", "resource x:allowed", "resource x:t/1", "list"]
    {
        assert!(kinds.contains(reached), "{reached} of {kinds:?}");
    }
    assert_eq!(stricter, 0, "what is allowed is let through");
    println!("{passed} passed, {stopped} stopped");
}

/// The status, the headers and the body of a response.
async fn read(response: Response) -> (u16, Vec<(String, String)>, String) {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (parts.status.as_u16(), headers.collect(), String::from_utf8(body.to_vec()).unwrap())
}

/// An allowed request gets the same response as from rmcp alone, byte for byte.
#[tokio::test]
async fn allowed_requests_are_answered_as_by_rmcp() {
    let token = token("a:read a:write");
    let gated = gate().layer(http_service(Recorder::default));
    let open = http_service(Recorder::default);
    let of_2026 = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = |name: &str, arguments: Value| {
        ("tools/call", json!({ "name": name, "arguments": arguments }), name.to_owned())
    };
    let initialize = |revision: &str| {
        let params = json!({ "protocolVersion": revision, "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        ("initialize", params, String::new())
    };
    let corpus = [
        call("allowed", json!({})),
        call("denied", json!({ "deep": [[[{ "a": null }]]], "n": 1.5e10, "s": "\u{1f600} \" \\" })),
        call("allowed", json!(null)),
        ("tools/list", json!({}), String::new()),
        ("tools/list", json!({ "cursor": "x" }), String::new()),
        ("ping", json!({}), String::new()),
        ("server/discover", json!({}), String::new()),
        ("prompts/list", json!({}), String::new()),
        ("resources/list", json!({}), String::new()),
        ("resources/templates/list", json!({}), String::new()),
        (
            "prompts/get",
            json!({ "name": "allowed", "arguments": { "a": "b" } }),
            "allowed".to_owned(),
        ),
        ("resources/read", json!({ "uri": "x:allowed" }), "x:allowed".to_owned()),
        ("resources/read", json!({ "uri": "x:t/a%20b" }), "x:t/a%20b".to_owned()),
        ("resources/subscribe", json!({ "uri": "x:denied" }), "x:denied".to_owned()),
        ("resources/unsubscribe", json!({ "uri": "x:denied" }), "x:denied".to_owned()),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "allowed" }, "argument": { "name": "a", "value": "b" } }),
            String::new(),
        ),
        initialize("2025-03-26"),
        initialize("2025-06-18"),
        initialize("2025-11-25"),
        initialize("2026-07-28"),
        initialize("1999-01-01"),
    ];
    let mut compared = 0;
    for (method, params, name) in &corpus {
        for revision in ["", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01"] {
            for (id, sent_method, sent_name) in [
                (json!(1), *method, name.as_str()),
                (json!("an id"), "tools/list", name.as_str()),
                (json!(7), *method, "another"),
            ] {
                let mut params = params.clone();
                if revision == "2026-07-28" {
                    params["_meta"] = of_2026.clone();
                }
                let body =
                    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
                let request = || {
                    let mut request = request(&token, body.to_string().as_bytes());
                    for (header, value) in [
                        ("mcp-protocol-version", revision),
                        ("mcp-method", sent_method),
                        ("mcp-name", sent_name),
                    ] {
                        if !value.is_empty() {
                            request.headers_mut().insert(header, value.parse().unwrap());
                        }
                    }
                    request
                };
                let ours = read(gated.clone().oneshot(request()).await.unwrap()).await;
                let answer = open.clone().oneshot(request()).await.unwrap();
                assert_eq!(ours, read(answer.into_response()).await, "{revision} {body}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, corpus.len() * 18);
}
