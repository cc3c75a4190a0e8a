//! Every answer of every tool fits the schema that the list has for it, and the schema of the
//! revision that the client speaks, whether the tool was allowed, failed or was refused.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::{POLICY, Reply, Server};

/// The revisions; `None` for a client that names none, and so speaks 2025-03-26.
const REVISIONS: [Option<&str>; 5] =
    [None, Some("2025-03-26"), Some("2025-06-18"), Some("2025-11-25"), Some("2026-07-28")];

/// Sends a request in a revision.
fn send(
    server: &Server,
    token: &str,
    revision: Option<&str>,
    method: &str,
    params: &Value,
) -> Reply {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", &*bearer)];
    let mut params = params.clone();
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    if let Some(revision) = revision {
        headers.push(("mcp-protocol-version", revision));
    }
    if revision == Some("2026-07-28") {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        headers.push(("mcp-method", method));
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    server.post_with(&headers, &body.to_string())
}

/// The schema of an answer to `tools/call`, which names every member that the revision has.
fn answer_schema(revision: Option<&str>) -> Value {
    let is_newest = revision == Some("2026-07-28");
    let mut result = json!({
        "type": "object",
        "required": ["content"],
        "additionalProperties": false,
        "properties": {
            "_meta": { "type": "object" },
            "isError": { "type": "boolean" },
            "content": { "type": "array", "items": {
                "type": "object",
                "required": ["type", "text"],
                "additionalProperties": false,
                "properties": { "type": { "const": "text" }, "text": { "type": "string" } },
            } },
        },
    });
    // Revisions before 2025-06-18 do not name it, and allow members that they do not name.
    result["properties"]["structuredContent"] = json!({ "type": "object" });
    if is_newest {
        result["properties"]["resultType"] = json!({ "const": "complete" });
        result["required"] = json!(["content", "resultType"]);
    }
    let error = json!({
        "type": "object",
        "required": ["code", "message"],
        "additionalProperties": false,
        "properties": {
            "code": { "type": "integer" }, "message": { "type": "string" }, "data": {},
        },
    });
    let answer = |member: &str, schema: &Value| {
        json!({
            "type": "object",
            "required": ["jsonrpc", "id", member],
            "additionalProperties": false,
            "properties": { "jsonrpc": { "const": "2.0" }, "id": { "const": 1 }, member: schema },
        })
    };
    json!({ "oneOf": [answer("result", &result), answer("error", &error)] })
}

/// Asserts that a value fits a schema.
#[track_caller]
fn assert_fits(schema: &Value, value: &Value, about: &str) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{about}: {errors:#?}\n{value:#}");
}

#[test]
fn every_answer_of_every_tool_fits_its_schemas() {
    for mode in ["challenge", "adaptive", "tool_error"] {
        let policy =
            POLICY.replace("on_denied = \"challenge\"", &format!("on_denied = \"{mode}\""));
        let policy = policy.replace("list = \"step_up\"", "list = \"reachable\"");
        let server = Server::with_policy(&policy);
        let all = server.token("todo:read todo:write admin:access");
        let id = server.call(&all, "create_todo", &json!({ "title": "x" })).result()["id"].clone();
        let tokens = [
            all.clone(),
            server.token("todo:read"),
            server.token("todo:write"),
            server.token("admin:access"),
        ];
        for revision in REVISIONS {
            let listed = send(&server, &all, revision, "tools/list", &json!({}));
            let tools = listed.json["result"]["tools"].as_array().unwrap();
            let schemas: HashMap<&str, &Value> = tools
                .iter()
                .map(|tool| (tool["name"].as_str().unwrap(), &tool["outputSchema"]))
                .collect();
            assert_eq!(schemas.len(), 7, "{listed:#?}");
            let revised = answer_schema(revision);
            let mut seen = [0; 3];
            for ((name, schema), token) in
                schemas.iter().flat_map(|one| tokens.iter().map(move |token| (one, token)))
            {
                for arguments in [
                    json!({ "id": id, "title": "y" }),
                    json!({}),
                    json!({ "id": "none", "title": "", "completed": true }),
                    json!({ "id": 1, "title": [], "completed": "x", "after": {} }),
                ] {
                    let params = json!({ "name": name, "arguments": arguments });
                    let reply = send(&server, token, revision, "tools/call", &params);
                    let about = format!("{mode} {revision:?} {name} {arguments}");
                    assert_fits(&revised, &reply.json, &about);
                    let result = &reply.json["result"];
                    seen[0] += usize::from(result["isError"] == false);
                    seen[1] += usize::from(result["isError"] == true);
                    seen[2] += usize::from(reply.json["error"].is_object());
                    if result.get("structuredContent").is_some() || result["isError"] == false {
                        assert_fits(schema, &result["structuredContent"], &about);
                    }
                }
            }
            let has_all = seen[0] > 0 && seen[1] > 0 && (mode != "challenge" || seen[2] > 0);
            assert!(has_all, "{mode} {revision:?} {seen:?}");
        }
    }
}

/// The keywords of JSON Schema in the lists are those of every validator, and no format is our own.
#[test]
fn listed_schemas_have_only_standard_formats() {
    fn formats<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
        match value {
            Value::Object(all) => {
                found.extend(all.get("format").filter(|format| format.is_string()));
                all.values().for_each(|one| formats(one, found));
            }
            Value::Array(all) => all.iter().for_each(|one| formats(one, found)),
            _ => {}
        }
    }
    let standard = ["date-time", "date", "time", "email", "uri", "uuid"];
    let server = Server::start();
    let token = server.token("todo:read todo:write admin:access");
    let listed = send(&server, &token, Some("2025-11-25"), "tools/list", &json!({}));
    let mut found = vec![];
    formats(&listed.json, &mut found);
    assert!(found.iter().all(|format| standard.iter().any(|known| *format == known)), "{found:?}");
}

/// The header `Accept` (RFC 9110, section 12.5.1): whoever can be served is served.
#[test]
fn clients_that_accept_json_in_any_way_are_served() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.token("todo:read"));
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos"}}"#;
    let post = |accept: Option<&str>| {
        let mut request = ureq::http::Request::post(server.url())
            .header("content-type", "application/json")
            .header("authorization", &bearer);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        crate::harness::send(request.body(body.to_owned()).unwrap())
    };
    for accept in [
        None,
        Some("*/*"),
        Some("application/*"),
        Some("application/json"),
        Some("text/html, */*;q=0.1"),
        Some("APPLICATION/JSON; q=0.5"),
    ] {
        let reply = post(accept);
        assert_eq!(reply.result(), &json!({ "todos": [] }), "{accept:?}");
        assert!(reply.header("content-type").starts_with("application/json"), "{reply:#?}");
    }
    for accept in ["text/html", "*/*;q=0", "text/event-stream", "*/*, application/json;q=0"] {
        let reply = post(Some(accept));
        assert_eq!((reply.status, &reply.json["error"]["code"]), (406, &json!(-32600)), "{accept}");
    }
}

/// The status and the media type of an answer, whose body is not read, because a stream does not end.
fn begun(request: ureq::http::request::Builder, body: &str) -> (u16, String, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let answer = agent.run(request.body(body.to_owned()).unwrap()).unwrap();
    let header = |name: &str| {
        answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    (answer.status().as_u16(), header("content-type"), header("mcp-session-id"))
}

/// Within a session the answers are event streams. Each media range that covers them is served, for
/// the first request, for a later one, and for the stream of the server's own messages.
#[test]
fn clients_that_accept_event_streams_in_any_way_are_served_in_sessions() {
    let server = Server::with_settings(&POLICY, &[("MCP_SESSIONS", "true")]);
    let bearer = format!("Bearer {}", server.token("todo:read"));
    let request = |method: &str, accept: Option<&str>, session: &str| {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(server.url())
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2025-06-18")
            .header("authorization", &bearer);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        if !session.is_empty() {
            request = request.header("mcp-session-id", session);
        }
        request
    };
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } } })
    .to_string();
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    for accept in [
        None,
        Some("*/*"),
        Some("text/*"),
        Some("text/event-stream"),
        Some("Text/Event-Stream; q=0.1"),
        Some("text/html, */*;q=0.1"),
        Some("application/json;q=0, */*"),
        Some("application/json, text/event-stream"),
    ] {
        let (status, kind, session) = begun(request("POST", accept, ""), &initialize);
        assert_eq!((status, &*kind), (200, "text/event-stream"), "initialize {accept:?}");
        for (method, body) in [("POST", list), ("GET", "")] {
            let (status, kind, _) = begun(request(method, accept, &session), body);
            assert_eq!((status, &*kind), (200, "text/event-stream"), "{method} {accept:?}");
        }
    }
    let (_, _, session) = begun(request("POST", None, ""), &initialize);
    for accept in [
        "application/json",
        "application/*",
        "text/html",
        "*/*;q=0",
        "text/*;q=0, */*",
        "text/event-stream;q=0.0, */*",
        "text/event-stream;charset=utf-8;q=0",
        "*/*, text/event-stream; Q=0.000",
    ] {
        for (method, body, session) in
            [("POST", &*initialize, ""), ("POST", list, &*session), ("GET", "", &*session)]
        {
            let (status, kind, _) = begun(request(method, Some(accept), session), body);
            assert_eq!((status, &*kind), (406, "application/json"), "{method} {accept}");
        }
    }
}

/// A client that accepts JSON alone gets JSON, also at a server with sessions, and also from a tool
/// that would have sent messages before its result.
#[test]
fn an_event_stream_is_sent_to_nobody_who_does_not_accept_it() {
    for has_sessions in [false, true] {
        let running = crate::everything::Running::start(has_sessions, false);
        let bearer = format!("Bearer {}", running.token("test", &crate::everything::SCOPES));
        let revisions: &[&str] =
            if has_sessions { &["2026-07-28"] } else { &["2025-06-18", "2026-07-28"] };
        for (revision, tool) in revisions.iter().flat_map(|one| {
            ["test_simple_text", "test_tool_with_progress"].map(|tool| (*one, tool))
        }) {
            let mut meta = json!({ "progressToken": "p" });
            let mut request = ureq::http::Request::post(&running.url)
                .header("content-type", "application/json")
                .header("accept", "application/json")
                .header("mcp-protocol-version", revision)
                .header("authorization", &bearer);
            if revision == "2026-07-28" {
                request = request.header("mcp-method", "tools/call").header("mcp-name", tool);
                meta["io.modelcontextprotocol/protocolVersion"] = json!(revision);
                meta["io.modelcontextprotocol/clientInfo"] =
                    json!({ "name": "test", "version": "1" });
                meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
            }
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": { "name": tool, "arguments": {}, "_meta": meta } });
            let reply = crate::harness::send(request.body(body.to_string()).unwrap());
            let about = format!("{has_sessions} {revision} {tool}: {reply:#?}");
            assert_eq!(reply.header("content-type"), "application/json", "{about}");
            assert_eq!(reply.json["result"]["content"][0]["type"], "text", "{about}");
        }
    }
}

/// Known methods with parameters that are not theirs: -32602 (JSON-RPC 2.0, section 5.1).
#[test]
fn malformed_parameters_are_called_so() {
    let server = Server::start();
    let token = server.token("todo:read");
    for (method, params) in [
        ("tools/call", None),
        ("tools/call", Some(json!({}))),
        ("tools/call", Some(json!({ "name": 1 }))),
        ("tools/call", Some(json!({ "name": "list_todos", "arguments": [] }))),
        ("tools/call", Some(json!({ "name": "list_todos", "arguments": "x" }))),
    ] {
        let mut message = json!({ "jsonrpc": "2.0", "id": 1, "method": method });
        if let Some(params) = params {
            message["params"] = params;
        }
        let reply = server.post(&token, &message);
        assert_eq!(
            (reply.status, &reply.json["error"]["code"]),
            (200, &json!(-32602)),
            "{reply:#?}"
        );
    }
    let reply = server.rpc(&token, "tools/nothing", &json!({}));
    assert_eq!((reply.status, &reply.json["error"]["code"]), (200, &json!(-32601)));
}

/// Each listed tool says which scopes it needs, where `ChatGPT` looks for them.
#[test]
fn listed_tools_have_security_schemes() {
    let server = Server::start();
    let token = server.token("todo:read todo:write");
    for revision in REVISIONS {
        let listed = send(&server, &token, revision, "tools/list", &json!({}));
        let tools = listed.json["result"]["tools"].as_array().unwrap();
        let scopes = |name: &str| {
            let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
            assert_eq!(tool["securitySchemes"], tool["_meta"]["securitySchemes"], "{tool:#}");
            assert_eq!(tool["securitySchemes"][0]["type"], "oauth2");
            tool["securitySchemes"][0]["scopes"].clone()
        };
        assert_eq!(scopes("list_todos"), json!(["todo:read"]));
        assert_eq!(scopes("create_todo"), json!(["todo:write"]));
        assert_eq!(scopes("purge_todos"), json!(["todo:write", "admin:access"]));
    }
}
