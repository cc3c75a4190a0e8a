//! Tools that need no token beside one that does (`anonymous = true`), through the example `anonymous`.

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    examples::Example,
    harness::{Reply, get, mcp_request, send, stderr},
};

/// The revisions whose clients ask without a session, each with what its requests carry.
const REVISIONS: [&str; 3] = ["2025-06-18", "2025-11-25", "2026-07-28"];

/// Sends a request without a token.
fn ask(example: &Example, headers: &[(&str, &str)], message: &Value) -> Reply {
    let mut request = mcp_request(&example.url("/mcp"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(message.to_string()).unwrap())
}

/// A request as a client of this revision sends it, with its headers.
fn of_revision(revision: &str, method: &str, params: &Value) -> (Vec<(String, String)>, Value) {
    let mut headers = vec![("mcp-protocol-version".to_owned(), revision.to_owned())];
    let mut params = params.clone();
    if revision == "2026-07-28" {
        headers.push(("mcp-method".to_owned(), method.to_owned()));
        for key in ["name", "uri"] {
            if let Some(name) = params[key].as_str() {
                headers.push(("mcp-name".to_owned(), name.to_owned()));
            }
        }
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": revision,
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
    }
    (headers, json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }))
}

fn send_as(example: &Example, revision: &str, method: &str, params: &Value) -> Reply {
    let (headers, message) = of_revision(revision, method, params);
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ask(example, &headers, &message)
}

fn names(reply: &Reply, list: &str, key: &str) -> Vec<String> {
    let all = reply.json["result"][list].as_array().unwrap_or_else(|| panic!("{reply:#?}"));
    all.iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
}

/// The answer to a request that needs a token: nothing of what exists is in it.
fn is_challenge(reply: &Reply) {
    assert_eq!(reply.status, 401, "{reply:#?}");
    assert!(reply.challenge("resource_metadata").is_some(), "{reply:#?}");
    assert_eq!(reply.challenge("scope"), Some("book:read"), "{reply:#?}");
    assert_eq!(reply.challenge("error"), None, "no error without a token (RFC 6750, section 3.1)");
}

#[test]
fn everybody_lists_and_uses_what_needs_no_token() {
    let example = Example::start("anonymous", &[], &[]);
    for revision in REVISIONS {
        if revision == "2026-07-28" {
            let known = send_as(&example, revision, "server/discover", &json!({}));
            assert!(known.json["result"]["capabilities"]["tools"].is_object(), "{known:#?}");
        } else {
            let params = json!({ "protocolVersion": revision, "capabilities": {},
                "clientInfo": { "name": "test", "version": "1" } });
            let begun = send_as(&example, revision, "initialize", &params);
            assert_eq!(begun.json["result"]["protocolVersion"], revision, "{begun:#?}");
            let notice = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            assert_eq!(ask(&example, &[("mcp-protocol-version", revision)], &notice).status, 202);
            assert_eq!(send_as(&example, revision, "ping", &json!({})).status, 200);
        }
        let list = send_as(&example, revision, "tools/list", &json!({}));
        assert_eq!(names(&list, "tools", "name"), ["opening_hours", "recommend"]);
        for tool in list.json["result"]["tools"].as_array().unwrap() {
            assert_eq!(tool["securitySchemes"], json!([{ "type": "noauth" }]), "{tool}");
        }
        let list = send_as(&example, revision, "resources/list", &json!({}));
        assert_eq!(names(&list, "resources", "uri"), ["library://address"]);

        let called = send_as(&example, revision, "tools/call", &json!({ "name": "opening_hours" }));
        let text = &called.json["result"]["content"][0]["text"];
        assert_eq!(text, "Monday to Friday, 9 to 17", "{called:#?}");
        let uri = json!({ "uri": "library://address" });
        let read = send_as(&example, revision, "resources/read", &uri);
        assert_eq!(read.json["result"]["contents"][0]["text"], "1 Reading Road", "{read:#?}");
    }
    // With a token, the same tools are there as well, and may know the caller.
    let ada = example.token("book:read");
    let list = example.ask(&ada, "tools/list", &json!({}));
    assert_eq!(names(&list, "tools", "name"), ["borrowed", "opening_hours", "recommend"]);
    let for_ada = example.call(&ada, "recommend", &json!({}));
    assert_eq!(for_ada.json["result"]["content"][0]["text"], "For ada: Middlemarch");
}

#[test]
fn everything_else_is_answered_like_any_request_without_a_token() {
    let example = Example::start("anonymous", &[], &[]);
    let uris = json!({ "notifications": { "resourceSubscriptions": ["library://address"] } });
    let reference = json!({ "ref": { "type": "ref/resource", "uri": "library://address" },
        "argument": { "name": "a", "value": "" } });
    let answers: Vec<Reply> = [
        ("tools/call", json!({ "name": "borrowed" })),
        ("tools/call", json!({ "name": "no_such_tool" })),
        ("resources/read", json!({ "uri": "library://vault" })),
        ("prompts/get", json!({ "name": "anything" })),
        ("resources/subscribe", json!({ "uri": "library://address" })),
        ("subscriptions/listen", uris),
        ("completion/complete", reference),
        ("tasks/get", json!({ "taskId": "1" })),
        ("logging/setLevel", json!({ "level": "info" })),
        ("no/such/method", json!({})),
    ]
    .iter()
    .map(|(method, params)| send_as(&example, "2025-11-25", method, params))
    .collect();
    for reply in &answers {
        is_challenge(reply);
        assert_eq!(reply.text, answers[0].text, "what exists cannot be told from what does not");
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    is_challenge(&ask(&example, &[("mcp-protocol-version", "2025-03-26")], &json!([message])));
    is_challenge(&ask(&example, &[], &json!({ "jsonrpc": "2.0", "id": 1, "result": {} })));
    // A stream is for callers that can be told apart. A client goes on without one upon a 405.
    let stream = get(&example.url("/mcp"), &[("accept", "text/event-stream")]);
    assert_eq!((stream.status, stream.header("allow")), (405, "POST"), "{stream:#?}");
}

/// Who shows a token is judged by it: a bad one is never passed over, because its client would then
/// not sign in again.
#[test]
fn a_bad_token_is_not_passed_over() {
    let example = Example::start("anonymous", &[], &[]);
    let good = example.token("book:read");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "opening_hours" } });
    for (header, status) in [
        ("Bearer nonsense".to_owned(), 401),
        (format!("Bearer {good}x"), 401),
        ("Bearer ".to_owned(), 400),
        ("Basic YTpi".to_owned(), 401),
        (String::new(), 401),
    ] {
        let reply = ask(&example, &[("authorization", &header)], &call);
        assert_eq!(reply.status, status, "{header:?}: {reply:#?}");
    }
    assert_eq!(ask(&example, &[], &call).status, 200);
}

#[test]
fn records_of_what_needs_no_token_push_out_no_caller() {
    let example = Example::start("anonymous", &[], &[]);
    let call = json!({ "name": "opening_hours" });
    for _ in 0..3 {
        assert_eq!(send_as(&example, "2025-11-25", "tools/call", &call).status, 200);
    }
    let ada = example.token("book:read");
    assert_eq!(example.call(&ada, "opening_hours", &json!({})).status, 200);
    let data = example.folder.path().join("data");
    let records = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(data.join(name)).unwrap_or_default();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|one| one["decision"] == "allow").collect()
    };
    for _ in 0..100 {
        if records("audit-unauthenticated.jsonl").len() == 3 && !records("audit.jsonl").is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(30));
    }
    let open = records("audit-unauthenticated.jsonl");
    assert_eq!(open.len(), 3, "{open:#?}");
    for one in &open {
        assert_eq!((&one["tool"], &one["outcome"]), (&json!("opening_hours"), &json!("ok")));
        assert_eq!((&one["address"], &one["subject"]), (&json!("127.0.0.1"), &Value::Null));
        assert!(one["rule"].as_str().unwrap().starts_with("policy.toml:10"), "{one}");
    }
    let known = records("audit.jsonl");
    assert_eq!((known.len(), &known[0]["subject"]), (1, &json!("ada")), "{known:#?}");
}

#[test]
fn a_flood_without_a_token_has_a_pool_of_its_own() {
    let settings =
        [("RATE_ANONYMOUS", "1"), ("SHARE_PER_ADDRESS", "100"), ("RATE_PER_ADDRESS", "0")];
    let example = Example::start("anonymous", &settings, &[]);
    let ada = example.token("book:read");
    let call = json!({ "name": "opening_hours" });
    let mut refused = 0;
    for _ in 0..40 {
        let reply = send_as(&example, "2025-11-25", "tools/call", &call);
        if reply.status == 429 {
            refused += 1;
            assert!(!reply.header("retry-after").is_empty(), "{reply:#?}");
        } else {
            assert_eq!(reply.status, 200, "{reply:#?}");
        }
        assert_eq!(example.call(&ada, "opening_hours", &json!({})).status, 200);
    }
    assert!(refused >= 25, "{refused} of 40");
    let metrics = get(&format!("http://127.0.0.1:{}/metrics", example.monitor), &[]).text;
    let counted = metrics.lines().find(|line| line.contains("limit=\"rate_per_address\""));
    assert!(counted.is_some_and(|line| line.ends_with(&format!(" {refused}"))), "{metrics}");
}

#[test]
fn a_session_goes_on_after_its_caller_signed_in() {
    let example = Example::start("anonymous", &[("MCP_SESSIONS", "true")], &[]);
    let begin = || {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        let begun = send_as(&example, "2025-11-25", "initialize", &params);
        assert_eq!(begun.status, 200, "{begun:#?}");
        begun.header("mcp-session-id").to_owned()
    };
    let within = |session: &str, token: Option<&str>, tool: &str| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": tool } });
        ask(&example, &headers, &call).status
    };
    let session = begin();
    assert_ne!(session, "");
    assert_eq!(within(&session, None, "opening_hours"), 200);
    assert_eq!(within(&session, None, "borrowed"), 401);
    let ada = example.token("book:read");
    assert_eq!(within(&session, Some(&ada), "borrowed"), 200, "the caller takes it over");
    assert_eq!(within(&session, None, "opening_hours"), 404, "and it is nobody else's any more");
    assert_eq!(within("made-up", None, "opening_hours"), 404);

    // All callers without a token together have one caller's share of sessions.
    let limited = [("MCP_SESSIONS", "true"), ("MAX_SESSIONS_PER_CALLER", "2")];
    let example = Example::start("anonymous", &limited, &[]);
    let open = || {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        let opened = send_as(&example, "2025-11-25", "initialize", &params);
        opened.header("mcp-session-id").to_owned()
    };
    let sessions = [open(), open(), open()];
    let ping = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" });
    let alive =
        sessions.iter().map(|session| ask(&example, &[("mcp-session-id", session)], &ping).status);
    assert_eq!(alive.collect::<Vec<_>>(), [404, 200, 200]);
}

#[test]
fn a_rule_that_asks_for_a_token_again_holds_at_once() {
    let example = Example::start("anonymous", &[], &[]);
    let path = example.folder.path().join("policy.toml");
    let open = fs::read_to_string(&path).unwrap();
    let call = json!({ "name": "opening_hours" });
    assert_eq!(send_as(&example, "2025-11-25", "tools/call", &call).status, 200);
    fs::write(&path, open.replace("anonymous = true", "authenticated = true")).unwrap();
    let mut status = 200;
    for _ in 0..200 {
        status = send_as(&example, "2025-11-25", "tools/call", &call).status;
        if status == 401 {
            break;
        }
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(status, 401);
    for method in ["tools/list", "ping", "initialize"] {
        is_challenge(&send_as(&example, "2025-11-25", method, &json!({})));
    }
}

#[test]
fn without_a_record_nothing_runs_if_records_are_required() {
    let mut example = Example::prepare("anonymous");
    let path = example.folder.path().join("policy.toml");
    let policy = fs::read_to_string(&path).unwrap();
    fs::write(&path, policy.replace("[scopes]", "audit = \"required\"\n\n[scopes]")).unwrap();
    example.launch(&[]);
    let call = json!({ "name": "opening_hours" });
    assert_eq!(send_as(&example, "2025-11-25", "tools/call", &call).status, 200);
    let file = example.folder.path().join("data/audit-unauthenticated.jsonl");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let mut status = 200;
    for _ in 0..200 {
        status = send_as(&example, "2025-11-25", "tools/call", &call).status;
        if status == 503 {
            break;
        }
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(status, 503);
}

#[test]
fn the_start_refuses_what_its_author_did_not_open() {
    let example = Example::prepare("anonymous");
    let path = example.folder.path().join("policy.toml");
    let policy = fs::read_to_string(&path).unwrap();
    fs::write(&path, policy.replace("{ read = \"book\" }", "{ anonymous = true }")).unwrap();
    let output = example.output(&["policy", "check"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be called without a token"), "{said}");
    let relaxed = "{ anonymous = true, relax = \"a trial\" }";
    fs::write(&path, policy.replace("{ read = \"book\" }", relaxed)).unwrap();
    let output = example.output(&["policy", "check"]);
    assert_eq!(output.status.code(), Some(2), "a reason does not make a caller: {output:?}");
}
