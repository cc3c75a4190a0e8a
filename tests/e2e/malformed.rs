//! Known methods with parameters that are not theirs, and resources that nobody knows, at every
//! revision, with sessions and without.

use serde_json::{Value, json};

use crate::{
    everything::{Running, SCOPES},
    harness::{Reply, mcp_request, send},
};

/// The revisions; `None` for a client that names none, and so speaks 2025-03-26.
const REVISIONS: [Option<&str>; 5] =
    [None, Some("2025-03-26"), Some("2025-06-18"), Some("2025-11-25"), Some("2026-07-28")];
const NEWEST: Option<&str> = Some("2026-07-28");

/// When a method is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Always,
    UntilNewest,
    InSessions,
}

/// Each method, and parameters that are not its own. `null` stands for a message without `params`.
fn methods() -> Vec<(&'static str, There, Vec<Value>)> {
    use There::{Always, InSessions, UntilNewest};
    let cursors = || vec![json!({ "cursor": 5 }), json!({ "cursor": {} }), json!([]), json!("x")];
    let uris = || vec![json!(null), json!({}), json!({ "uri": 5 }), json!({ "uri": ["x"] })];
    let tasks = || vec![json!(null), json!({}), json!({ "taskId": 5 })];
    vec![
        (
            "initialize",
            UntilNewest,
            vec![json!(null), json!({}), json!({ "protocolVersion": 5 }), json!([])],
        ),
        (
            "tools/call",
            Always,
            vec![
                json!(null),
                json!({}),
                json!([]),
                json!("test_simple_text"),
                json!({ "name": 1 }),
                json!({ "arguments": {} }),
                json!({ "name": "test_simple_text", "arguments": [] }),
                json!({ "name": "test_simple_text", "arguments": "x" }),
                json!({ "name": ["test_simple_text"] }),
            ],
        ),
        ("ping", UntilNewest, vec![json!([]), json!("x"), json!(5)]),
        ("tools/list", Always, cursors()),
        (
            "prompts/get",
            Always,
            vec![
                json!(null),
                json!({}),
                json!({ "name": 5 }),
                json!({ "arguments": {} }),
                json!({ "name": "test_simple_prompt", "arguments": [] }),
            ],
        ),
        ("prompts/list", Always, cursors()),
        ("resources/read", Always, uris()),
        ("resources/list", Always, cursors()),
        ("resources/templates/list", Always, cursors()),
        ("resources/subscribe", UntilNewest, uris()),
        ("resources/unsubscribe", UntilNewest, uris()),
        (
            "completion/complete",
            Always,
            vec![
                json!(null),
                json!({}),
                json!({ "ref": {} }),
                json!({ "ref": { "type": "ref/prompt", "name": "test_prompt_with_arguments" } }),
                json!({ "ref": { "type": "ref/prompt" }, "argument": { "name": "x", "value": "" } }),
                json!({ "ref": { "type": "ref/nothing" }, "argument": { "name": "x", "value": "" } }),
            ],
        ),
        ("logging/setLevel", InSessions, vec![json!(null), json!({}), json!({ "level": "loud" })]),
        ("tasks/get", Always, tasks()),
        ("tasks/update", Always, tasks()),
        ("tasks/cancel", Always, tasks()),
    ]
}

/// A caller in a session, or without one.
struct Caller<'r> {
    running: &'r Running,
    bearer: String,
    revision: Option<&'static str>,
    session: Option<String>,
}

impl<'r> Caller<'r> {
    fn new(running: &'r Running, has_session: bool, revision: Option<&'static str>) -> Self {
        let bearer = format!("Bearer {}", running.token("test", &SCOPES));
        let mut caller = Self { running, bearer, revision, session: None };
        if has_session {
            let begun = caller.ask(
                "initialize",
                &json!({ "protocolVersion": revision.unwrap_or("2025-03-26"), "capabilities": {},
                    "clientInfo": { "name": "test", "version": "1" } }),
            );
            caller.session = Some(begun.header("mcp-session-id").to_owned());
        }
        caller
    }

    fn ask(&self, method: &str, params: &Value) -> Reply {
        let mut message = json!({ "jsonrpc": "2.0", "id": 7, "method": method });
        let mut params = params.clone();
        let mut request = mcp_request(&self.running.url).header("authorization", &self.bearer);
        if let Some(revision) = self.revision {
            request = request.header("mcp-protocol-version", revision);
        }
        if self.revision == NEWEST {
            request = request.header("mcp-method", method);
            for key in ["name", "uri"] {
                if let Some(name) = params[key].as_str() {
                    request = request.header("mcp-name", name);
                }
            }
            if params.is_object() {
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
            }
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        if !params.is_null() {
            message["params"] = params;
        }
        send(request.body(message.to_string()).unwrap())
    }
}

/// A caller of each revision, without a session and, where the revision has them, in one.
fn callers<'r>(stateless: &'r Running, with_sessions: &'r Running) -> Vec<Caller<'r>> {
    let mut all = vec![];
    for revision in REVISIONS {
        all.push(Caller::new(stateless, false, revision));
        if revision != NEWEST {
            all.push(Caller::new(with_sessions, true, revision));
        }
    }
    all
}

/// JSON-RPC 2.0, section 5.1: -32602.
#[test]
fn malformed_parameters_of_every_method() {
    let [stateless, with_sessions] = [Running::start(false, false), Running::start(true, false)];
    for caller in callers(&stateless, &with_sessions) {
        for (method, there, all) in methods() {
            let is_there = match there {
                There::Always => true,
                There::UntilNewest => caller.revision != NEWEST,
                There::InSessions => caller.session.is_some(),
            };
            for params in all {
                let reply = caller.ask(method, &params);
                let about = format!(
                    "{:?}, session {}, {method} {params}: {reply:#?}",
                    caller.revision,
                    caller.session.is_some()
                );
                let code = if is_there { -32602 } else { -32601 };
                assert_eq!(reply.json["error"]["code"], json!(code), "{about}");
                assert_eq!(reply.json["id"], json!(7), "{about}");
                let is_not_found = !is_there && caller.revision == NEWEST;
                assert_eq!(reply.status, if is_not_found { 404 } else { 200 }, "{about}");
            }
        }
    }
}

/// MCP 2026-07-28, "Resources", error handling: -32602; in the revisions before, -32002.
#[test]
fn resources_that_nobody_knows() {
    let [stateless, with_sessions] = [Running::start(false, false), Running::start(true, false)];
    for caller in callers(&stateless, &with_sessions) {
        let (revision, session) = (caller.revision, caller.session.is_some());
        let code = if revision == NEWEST { -32602 } else { -32002 };
        let mut asked = vec![("resources/read", json!({ "uri": "test://nowhere" }))];
        if session {
            asked.push(("resources/subscribe", json!({ "uri": "test://nowhere" })));
        }
        for (method, params) in asked {
            let reply = caller.ask(method, &params);
            let about = format!("{revision:?}, session {session}, {method}: {reply:#?}");
            assert_eq!(reply.json["error"]["code"], json!(code), "{about}");
            assert!(
                reply.json["error"]["message"].as_str().unwrap().contains("esource"),
                "{about}"
            );
        }
        for (method, params) in [
            ("tools/call", json!({ "name": "nothing", "arguments": {} })),
            ("prompts/get", json!({ "name": "nothing" })),
        ] {
            let reply = caller.ask(method, &params);
            assert_eq!(reply.json["error"]["code"], json!(-32602), "{method}: {reply:#?}");
        }
    }
}

/// Without a session a tool's question cannot be answered: the tool is told at once, and the result
/// says how sessions are turned on. With a session the question reaches the client.
#[test]
fn a_tool_that_asks_its_client_without_a_session() {
    let stateless = Running::start(false, false);
    for revision in REVISIONS {
        if revision == NEWEST {
            continue;
        }
        let caller = Caller::new(&stateless, false, revision);
        for (tool, arguments) in [
            ("test_elicitation", json!({ "message": "Who?" })),
            ("test_elicitation_sep1034_defaults", json!({})),
            ("test_sampling", json!({ "prompt": "Who?" })),
        ] {
            let reply = caller.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
            let result = &reply.json["result"];
            assert_eq!((reply.status, &result["isError"]), (200, &json!(true)), "{reply:#?}");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains("MCP_SESSIONS=true"), "{revision:?} {tool}: {text}");
        }
        // Notifications still arrive before the result.
        let reply = caller.ask(
            "tools/call",
            &json!({ "name": "test_tool_with_progress",
            "arguments": {}, "_meta": { "progressToken": "p" } }),
        );
        assert!(reply.text.contains("notifications/progress"), "{revision:?}: {reply:#?}");
    }
}
