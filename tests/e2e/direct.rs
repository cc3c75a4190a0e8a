//! Calls that run without rmcp's transport get the same responses, and a call that has begun is
//! finished.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rmcp::{
    ErrorData, Json, Peer, RoleServer,
    handler::server::wrapper::Parameters,
    model::{
        CallToolResponse, CallToolResult, ClientCapabilities, InputRequiredResult, NumberOrString,
        ProgressNotificationParam, ProgressToken,
    },
    schemars,
};
use scopeward::{
    Limits, LivePolicy, Principal, ScopedTools, Server,
    issuer::Issuer,
    policy::{Feature, Scope},
    scoped_tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{self, Reply, mcp_request, send, small_policy};

const RULES: &str = r#"
[tools]
add = { read = "a" }
whoami = { read = "a" }
list = { read = "a" }
fails = { read = "a" }
asks = { read = "a" }
lacks = { read = "a" }
headed = { read = "a" }
refuses = { read = "a" }
panics = { read = "a" }
slow = { read = "a" }
tells = { read = "a" }
write = { write = "a" }
"#;

#[derive(Debug, Clone, Default)]
struct Tools {
    begun: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

#[derive(Debug, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
struct Numbers {
    one: i64,
    #[serde(default)]
    other: f64,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, Value>,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Headed {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

#[scoped_tools]
impl Tools {
    /// Gives back what it was given.
    #[scoped_tool(scopes = ["a:read"])]
    fn add(&self, Parameters(numbers): Parameters<Numbers>) -> Json<Numbers> {
        Json(numbers)
    }

    /// Says who calls.
    #[scoped_tool(scopes = ["a:read"])]
    fn whoami(&self, caller: Principal) -> String {
        caller.subject().to_owned()
    }

    /// Has a result that older revisions do not know.
    #[scoped_tool(scopes = ["a:read"])]
    fn list(&self) -> CallToolResult {
        CallToolResult::structured(json!([1, 2]))
    }

    /// Fails.
    #[scoped_tool(scopes = ["a:read"])]
    fn fails(&self) -> Result<String, String> {
        Err("no luck".to_owned())
    }

    /// Answers with an error of JSON-RPC.
    #[scoped_tool(scopes = ["a:read"])]
    fn refuses(&self) -> Result<String, ErrorData> {
        Err(ErrorData::resource_not_found("no such thing", Some(json!({ "thing": 1 }))))
    }

    /// Asks its caller something, in its answer.
    #[scoped_tool(scopes = ["a:read"])]
    fn asks(&self) -> CallToolResponse {
        InputRequiredResult::from_request_state("asked").into()
    }

    /// Needs something of the client that it does not have.
    #[scoped_tool(scopes = ["a:read"])]
    fn lacks(&self) -> Result<String, ErrorData> {
        let needed = ClientCapabilities::builder().enable_elicitation().build();
        Err(ErrorData::missing_required_client_capability(needed))
    }

    /// Has an argument that a header repeats.
    #[scoped_tool(scopes = ["a:read"])]
    fn headed(&self, Parameters(headed): Parameters<Headed>) -> String {
        headed.region
    }

    /// Panics.
    #[scoped_tool(scopes = ["a:read"])]
    fn panics(&self) -> String {
        panic!("of a tool, on purpose")
    }

    /// Takes its time.
    #[scoped_tool(scopes = ["a:read"])]
    async fn slow(&self) -> String {
        self.begun.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.finished.fetch_add(1, Ordering::SeqCst);
        "done".to_owned()
    }

    /// Tells how far it is.
    #[scoped_tool(scopes = ["a:read"])]
    async fn tells(&self, peer: Peer<RoleServer>) -> String {
        let token = ProgressToken(NumberOrString::Number(1));
        let told = peer.notify_progress(ProgressNotificationParam::new(token, 0.5)).await;
        format!("told: {}", told.is_ok())
    }

    /// Writes.
    #[scoped_tool(scopes = ["a:write"])]
    fn write(&self) -> String {
        "written".to_owned()
    }
}

struct World {
    url: String,
    tools: Tools,
    token: String,
    _data: TempDir,
}

fn world() -> World {
    let data = tempfile::tempdir().unwrap();
    let tools = Tools::default();
    let mut token = String::new();
    let origin = harness::serve(|origin| {
        let policy =
            LivePolicy::from(small_policy(&format!("{origin}/mcp"), RULES, &Tools::REGISTRY));
        let issuer = Issuer::open(data.path(), &policy, "direct").unwrap();
        token = issuer.sign("ada", "test", &[Scope::parse("a:read").unwrap()]).unwrap();
        let mut limits = Limits::default();
        limits.rate_per_caller = 0;
        Server::new(tools.clone(), policy, &issuer).unwrap().with_limits(&limits).router()
    });
    World { url: format!("{origin}/mcp"), tools, token, _data: data }
}

/// The `_meta` that a client of MCP 2026-07-28 sends with each request.
const MODERN: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{},"more":[1]}"#;

/// An unusual `Accept` header, which rmcp's transport accepts. Calls with it go through rmcp.
const BY_RMCP: &str = "application/json, text/event-stream, */*";
const USUAL: &str = "application/json, text/event-stream";

impl World {
    fn post(&self, accept: &str, version: Option<&str>, body: &str) -> Reply {
        let mut request = mcp_request(&self.url);
        request.headers_mut().unwrap().insert("accept", accept.parse().unwrap());
        if let Some(version) = version {
            request = request.header("mcp-protocol-version", version);
        }
        // A client of revision 2026-07-28 repeats the method and the name in headers.
        if let Ok(Value::Object(message)) = serde_json::from_str(body)
            && let Some(tool) = message["params"]["name"].as_str()
        {
            request = request.header("mcp-method", "tools/call").header("mcp-name", tool);
        }
        let request = request.header("authorization", format!("Bearer {}", self.token));
        send(request.body(body.to_owned()).unwrap())
    }

    fn call(&self, params: &str) -> Reply {
        self.post(USUAL, Some("2025-11-25"), &message("1", params))
    }
}

fn message(id: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
}

#[test]
fn only_tools_that_send_nothing_else_run_directly() {
    let only: Vec<_> = Tools::REGISTRY
        .of(Feature::Tool)
        .filter(|tool| tool.only_answers())
        .map(scopeward::Declaration::name)
        .collect();
    assert_eq!(
        only,
        [
            "add", "whoami", "list", "fails", "refuses", "asks", "lacks", "headed", "panics",
            "slow", "write"
        ]
    );
}

/// For every call, id and revision, the response is the same as through rmcp's transport.
#[test]
fn direct_calls_are_answered_as_by_rmcp() {
    let world = world();
    let calls = [
        r#"{"name":"add","arguments":{"one":1}}"#,
        r#"{"name":"add","arguments":{"one":1,"one":2,"x":1,"x":[{}]}}"#,
        r#"{"name":"add","arguments":{"one":-9223372036854775808,"other":-0,"x":18446744073709551615}}"#,
        r#"{"name":"add","arguments":{"one":1,"x":18446744073709551616,"y":1e308,"z":1.10}}"#,
        r#"{"name":"add","arguments":{"one":1,"x":1e400}}"#,
        r#"{"name":"add","arguments":{"one":1,"other":5,"é":"\ud83d\ude00","n":null}}"#,
        r#"{"name":"add","arguments":{"one":1,"x":"\ud83d"}}"#,
        r#"{"name":"add","arguments":{"one":"1"}}"#,
        r#"{"name":"add","arguments":{}}"#,
        r#"{"name":"add","arguments":null}"#,
        r#"{"name":"add"}"#,
        r#"{"name":"whoami","arguments":{"more":1}}"#,
        r#"{"name":"whoami","_meta":{"progressToken":1,"traceparent":"00-1"}}"#,
        r#"{"name":"whoami","_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}"#,
        r#"{"name":"whoami","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
        r#"{"name":"whoami","_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
        r#"{"name":"list","_meta":MODERN}"#,
        r#"{"name":"list","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":1}}"#,
        r#"{"name":"add","arguments":{"one":1,"x":18446744073709551616},"_meta":MODERN}"#,
        r#"{"name":"add","_meta":MODERN}"#,
        r#"{"name":"whoami","_meta":MODERN}"#,
        r#"{"name":"fails","_meta":MODERN}"#,
        r#"{"name":"refuses","_meta":MODERN}"#,
        r#"{"name":"asks","_meta":MODERN}"#,
        r#"{"name":"asks"}"#,
        r#"{"name":"lacks","_meta":MODERN}"#,
        r#"{"name":"headed","arguments":{"region":"eu"},"_meta":MODERN}"#,
        r#"{"name":"headed","arguments":{"region":"eu"}}"#,
        r#"{"name":"list"}"#,
        r#"{"name":"fails"}"#,
        r#"{"name":"refuses"}"#,
        r#"{"name":"write"}"#,
        r#"{"name":"unknown"}"#,
    ];
    let versions =
        ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "2025-01-01", "x"];
    let versions = versions.into_iter().map(Some).chain([None]);
    let compare = |version: Option<&str>, body: &str| {
        let ways = [USUAL, BY_RMCP].map(|accept| world.post(accept, version, body));
        let seen = |reply: &Reply| {
            let headers = ["content-type", "www-authenticate", "cache-control"];
            (reply.status, headers.map(|name| reply.header(name).to_owned()), reply.text.clone())
        };
        assert_eq!(seen(&ways[0]), seen(&ways[1]), "{version:?} {body}");
    };
    for version in versions {
        for params in calls {
            compare(version, &message("1", &params.replace("MODERN", MODERN)));
        }
    }
    for id in ["0", "\"a\"", "\"\\u0061 \\\"\"", "\"\"", "999999999999999", "-1", "1.5", "null"] {
        compare(Some("2025-11-25"), &message(id, calls[0]));
    }
}

/// A request without the right `Accept`, content type or token is not run directly, but refused.
#[test]
fn requests_that_rmcp_refuses_are_refused() {
    let world = world();
    let body = message("1", r#"{"name":"whoami"}"#);
    // Every answer is JSON, so that only a client that does not take JSON is refused.
    assert_eq!(world.post("application/json", None, &body).status, 200);
    assert_eq!(world.post("*/*", None, &body).status, 200);
    assert_eq!(world.post("text/html", None, &body).status, 406);
    let mut request = mcp_request(&world.url);
    request.headers_mut().unwrap().insert("content-type", "text/plain".parse().unwrap());
    let request = request.header("authorization", format!("Bearer {}", world.token));
    assert_eq!(send(request.body(body.clone()).unwrap()).status, 415);
    assert_eq!(send(mcp_request(&world.url).body(body).unwrap()).status, 401);
}

#[test]
fn a_tool_that_panics_is_an_error_of_that_call_alone() {
    let world = world();
    // Only direct calls are tested, because rmcp's transport would wait for a response that never
    // comes.
    let modern = message("1", &r#"{"name":"panics","_meta":MODERN}"#.replace("MODERN", MODERN));
    for (version, body) in [
        (Some("2025-11-25"), &message("1", r#"{"name":"panics"}"#)),
        (None, &message("1", r#"{"name":"panics"}"#)),
        (Some("2026-07-28"), &modern),
    ] {
        let reply = world.post(USUAL, version, body);
        assert_eq!(
            (reply.status, reply.json),
            (
                200,
                json!({
                    "jsonrpc": "2.0", "id": 1,
                    "error": { "code": -32603, "message": "the tool failed" },
                })
            )
        );
        let next = world.call(r#"{"name":"whoami"}"#);
        assert_eq!(next.json["result"]["content"][0]["text"], "ada");
    }
}

/// A tool that can send notifications before its result runs through rmcp's transport.
#[test]
fn notifications_of_a_tool_arrive() {
    let world = world();
    let reply = world.call(r#"{"name":"tells","_meta":{"progressToken":1}}"#);
    assert!(reply.header("content-type").starts_with("text/event-stream"), "{reply:?}");
    assert!(reply.text.contains("notifications/progress"), "{reply:?}");
    assert!(reply.text.contains("told: true"), "{reply:?}");
}

#[test]
fn a_call_is_finished_when_its_caller_hangs_up() {
    let world = world();
    let authority = world.url.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap();
    let body = message("1", r#"{"name":"slow"}"#);
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {}\r\ncontent-type: \
         application/json\r\naccept: {USUAL}\r\ncontent-length: {}\r\n\r\n{body}",
        world.token,
        body.len()
    );
    let until = |counter: &AtomicUsize, count: usize| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while counter.load(Ordering::SeqCst) < count {
            assert!(Instant::now() < deadline, "never");
            thread::sleep(Duration::from_millis(5));
        }
    };
    for round in 1..=3 {
        let mut connection = TcpStream::connect(authority).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        until(&world.tools.begun, round);
        drop(connection);
        until(&world.tools.finished, round);
    }
    // A caller that does not hang up gets the response.
    let mut connection = TcpStream::connect(authority).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 4096];
    let length = connection.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).contains("done"));
}
