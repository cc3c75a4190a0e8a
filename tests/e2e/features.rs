//! Resources, prompts, completion, tasks, subscriptions and sessions follow the same policy as
//! tools, by the same decision. The tests use the server of the conformance suite.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::{
    everything::{Everything, Running},
    harness::{Reply, mcp_request, send},
};

impl Running {
    fn post(&self, token: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let mut request = mcp_request(&self.url).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(body.to_string()).unwrap())
    }

    /// Sends a request of revision 2025-11-25 without a session.
    fn rpc(&self, token: &str, method: &str, params: &Value) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.post(token, &[("mcp-protocol-version", "2025-11-25")], &body)
    }

    /// Sends a request of revision 2026-07-28.
    fn rpc_2026(&self, token: &str, method: &str, name: Option<&str>, params: &Value) -> Reply {
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {
                "extensions": { "io.modelcontextprotocol/tasks": {} },
            },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        self.post(token, &headers, &body)
    }
}

fn names<'a>(reply: &'a Reply, list: &str, key: &str) -> Vec<&'a str> {
    let items = reply.json["result"][list].as_array().unwrap_or_else(|| panic!("{reply:#?}"));
    items.iter().map(|item| item[key].as_str().unwrap()).collect()
}

#[test]
fn resources_and_prompts_follow_the_policy() {
    let running = Running::start(false, false);
    let reader = running.token("ada", &["test:read"]);
    let user = running.token("ada", &["test:use"]);
    let reads = [
        "test://static-text",
        "test://static-binary",
        "test://template/7/data",
        "test://template/a%20b/data",
    ];
    for uri in reads {
        let allowed = running.rpc(&reader, "resources/read", &json!({ "uri": uri }));
        assert_eq!(allowed.json["result"]["contents"][0]["uri"], uri, "{allowed:#?}");
        let denied = running.rpc(&user, "resources/read", &json!({ "uri": uri }));
        assert_eq!((denied.status, denied.challenge("scope")), (403, Some("test:read")), "{uri}");
        // The refusal names the resource as the policy does.
        let known = if uri.contains("template") { "test://template/{id}/data" } else { uri };
        assert_eq!(denied.json["error"]["data"]["resource"], known);
    }
    let prompt = json!({ "name": "test_prompt_with_arguments", "arguments": { "arg1": "x" } });
    let allowed = running.rpc(&reader, "prompts/get", &prompt);
    assert!(allowed.json["result"]["messages"].is_array(), "{allowed:#?}");
    let denied = running.rpc(&user, "prompts/get", &prompt);
    assert_eq!((denied.status, denied.challenge("scope")), (403, Some("test:read")));
    assert_eq!(denied.json["error"]["data"]["prompt"], "test_prompt_with_arguments");
    // A caller without the scope learns nothing about the arguments.
    let wrong =
        json!({ "name": "test_prompt_with_arguments", "arguments": { "arg1": "x", "arg2": 1 } });
    assert_eq!(
        running.rpc(&user, "prompts/get", &wrong).text.replace("test_prompt", ""),
        denied.text.replace("test_prompt", "")
    );

    let listed = running.rpc(&reader, "resources/list", &json!({}));
    let all = ["test://static-binary", "test://static-text", "test://watched-resource"];
    assert_eq!(names(&listed, "resources", "uri"), all);
    let listed = running.rpc(&reader, "resources/templates/list", &json!({}));
    assert_eq!(names(&listed, "resourceTemplates", "uriTemplate"), ["test://template/{id}/data"]);
    assert_eq!(
        names(&running.rpc(&reader, "prompts/list", &json!({})), "prompts", "name").len(),
        5
    );
    // A caller who may use only tools sees no resources, and only the prompt with the tools' scope.
    for (method, list, key) in [
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ] {
        assert!(names(&running.rpc(&user, method, &json!({})), list, key).is_empty());
    }
    assert_eq!(
        names(&running.rpc(&user, "prompts/list", &json!({})), "prompts", "name"),
        ["comes_and_goes_prompt"]
    );
}

#[test]
fn names_without_a_rule_are_unknown() {
    let running = Running::start(false, false);
    let token = running.token("ada", &crate::everything::SCOPES);
    for uri in [
        "",
        "test://",
        "test://static-text?x",
        "test://@static-text",
        "test://static-text/.",
        "test://template//data",
        "test://template/a/b/data",
        "test://template/../data",
        "test://template/%2e%2e/data",
        "test://template/..%2Fstatic-text/data",
        "test://template/%zz/data",
        "test://template/{id}/data",
        "test://template/a\u{0}/data",
        "test://template/%00/data",
        "file:///etc/passwd",
    ] {
        for method in ["resources/read", "resources/subscribe"] {
            let reply = running.rpc(&token, method, &json!({ "uri": uri }));
            assert!(reply.json["result"].is_null(), "{method} {uri}: {reply:#?}");
        }
        if uri.contains('\0') {
            continue;
        }
        let reply = running.rpc_2026(&token, "resources/read", Some(uri), &json!({ "uri": uri }));
        assert!(reply.json["result"].is_null(), "{uri}: {reply:#?}");
    }
    for name in ["", "nope", "Test_simple_prompt", "test_simple_prompt "] {
        let reply = running.rpc(&token, "prompts/get", &json!({ "name": name }));
        assert_eq!(reply.json["error"]["code"], -32602, "{name}: {reply:#?}");
        assert!(!reply.text.contains("test_prompt_with_image"), "what there is is not said");
    }
    for method in ["skills/list", "skills/get", "resources/directory/read", "x/custom"] {
        let reply =
            running.rpc(&token, method, &json!({ "uri": "test://static-text", "name": "x" }));
        assert_eq!((reply.status, &reply.json["error"]["code"]), (200, &json!(-32601)), "{method}");
        // A client of an older revision takes 404 for the end of its session.
        let reply = running.rpc_2026(&token, method, None, &json!({}));
        assert_eq!((reply.status, &reply.json["error"]["code"]), (404, &json!(-32601)), "{method}");
    }
}

#[test]
fn completion_needs_the_scopes_of_its_feature() {
    let running = Running::start(false, false);
    let (reader, user) =
        (running.token("ada", &["test:read"]), running.token("ada", &["test:use"]));
    let argument = json!({ "name": "arg1", "value": "pa" });
    let prompt = json!({ "ref": { "type": "ref/prompt", "name": "test_prompt_with_arguments" }, "argument": argument });
    let template = json!({ "ref": { "type": "ref/resource", "uri": "test://template/{id}/data" }, "argument": argument });
    for params in [&prompt, &template] {
        let allowed = running.rpc(&reader, "completion/complete", params);
        assert_eq!(
            allowed.json["result"]["completion"]["values"],
            json!(["paris", "park", "party"]),
            "{allowed:#?}"
        );
        let denied = running.rpc(&user, "completion/complete", params);
        assert_eq!((denied.status, denied.challenge("scope")), (403, Some("test:read")));
    }
    let unknown = json!({ "ref": { "type": "ref/prompt", "name": "nope" }, "argument": argument });
    assert_eq!(running.rpc(&reader, "completion/complete", &unknown).json["error"]["code"], -32602);
}

#[test]
fn lists_say_who_may_cache_them() {
    let running = Running::start(false, false);
    let token = running.token("ada", &crate::everything::SCOPES);
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        let reply = running.rpc_2026(&token, method, None, &json!({}));
        let result = &reply.json["result"];
        assert_eq!(
            (&result["cacheScope"], &result["ttlMs"]),
            (&json!("private"), &json!(60_000)),
            "{reply:#?}"
        );
        let old = running.rpc(&token, method, &json!({}));
        assert!(old.json["result"]["ttlMs"].is_null(), "older revisions do not know it");
    }
}

/// Only the caller of a task can read, answer and cancel it, and only while the caller may call the
/// tool.
#[test]
fn a_task_is_its_callers_own() {
    let running = Running::start(false, false);
    let (ada, eve) = (running.token("ada", &["test:use"]), running.token("eve", &["test:use"]));
    let call = json!({ "name": "slow_compute", "arguments": { "seconds": 30.0 } });
    let made = running.rpc_2026(&ada, "tools/call", Some("slow_compute"), &call);
    let task = made.json["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{made:#?}"));
    let asks = |token: &str, method: &str, task: &str| {
        let params = json!({ "taskId": task, "inputResponses": {} });
        running.rpc_2026(token, method, Some(task), &params)
    };
    assert_eq!(asks(&ada, "tasks/get", task).json["result"]["status"], "working");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let (others, nobodys) = (asks(&eve, method, task), asks(&eve, method, "nope"));
        assert_eq!(others.json["error"]["code"], -32602, "{method} {others:#?}");
        assert_eq!(others.text, nobodys.text, "somebody else's task and none are the same");
        // The same person, signed in with fewer scopes.
        let less = running.token("ada", &["test:read"]);
        assert_eq!(asks(&less, method, task).status, 403, "{method}");
    }
    assert_eq!(asks(&ada, "tasks/get", task).json["result"]["status"], "working");
    assert!(asks(&ada, "tasks/cancel", task).json["error"].is_null());
    let cancelled = || asks(&ada, "tasks/get", task).json["result"]["status"] == "cancelled";
    assert!((0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        cancelled()
    }));
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"test","version":"1"}}}"#;

fn session(running: &Running, token: &str) -> String {
    let reply = running.post(token, &[], &serde_json::from_str(INITIALIZE).unwrap());
    assert_eq!(reply.status, 200, "{reply:#?}");
    let session = reply.header("mcp-session-id").to_owned();
    let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(running.post(token, &headers, &ready).status, 202);
    session
}

#[test]
fn a_session_is_its_callers_own() {
    let running = Running::start(true, false);
    let (ada, eve) = (running.token("ada", &["test:use"]), running.token("eve", &["test:use"]));
    let session = session(&running, &ada);
    let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    assert!(running.post(&ada, &headers, &list).text.contains("test_simple_text"));
    // Another caller who knows the session's id gets the same response as for an unknown session.
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": { "action": "accept" } });
    for message in [&list, &answer] {
        let taken = running.post(&eve, &headers, message);
        assert_eq!(taken.status, 404, "{taken:#?}");
    }
    let open = |token: &str, method: &str, session: &str| {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(&running.url)
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "text/event-stream")
            .header("mcp-session-id", session);
        send(request.body(String::new()).unwrap()).status
    };
    assert_eq!(open(&eve, "GET", &session), 404);
    assert_eq!(open(&eve, "DELETE", &session), 404);
    assert_eq!(open(&ada, "GET", "made-up"), 404);
    let twice = [headers[0], headers[0], headers[1]];
    assert_eq!(running.post(&ada, &twice, &list).status, 404);
    // A request within a session is decided by its own token, not by the token of `initialize`.
    let less = running.token("ada", &["test:read"]);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "test_simple_text" } });
    assert_eq!(running.post(&less, &headers, &call).status, 403);
    assert_eq!(running.post(&ada, &headers, &call).status, 200);
    // A response to the server's request is accepted only within the session.
    assert_eq!(running.post(&ada, &[], &answer).status, 400);
    assert_eq!(running.post(&ada, &headers, &answer).status, 202);
    assert!((200..300).contains(&open(&ada, "DELETE", &session)));
    assert_eq!(running.post(&ada, &headers, &list).status, 404);
}

/// Notifications reach a caller who has subscribed and may read the resource.
#[test]
fn subscribers_are_told_of_changes() {
    let running = Running::start(true, false);
    let ada = running.token("ada", &crate::everything::SCOPES);
    let session = session(&running, &ada);
    let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let say = |method: &str, params: &Value| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        running.post(&ada, &headers, &body)
    };
    let uri = "test://template/7/data";
    assert_eq!(say("resources/subscribe", &json!({ "uri": uri })).status, 200);
    // A caller who may not read the resource may not subscribe to it.
    let user = running.token("ada", &["test:use"]);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": { "uri": uri } });
    assert_eq!(running.post(&user, &headers, &body).status, 403);

    let stream = ureq::get(&running.url)
        .header("authorization", format!("Bearer {ada}"))
        .header("accept", "text/event-stream")
        .header("mcp-session-id", &session)
        .call()
        .unwrap();
    let mut lines = BufReader::new(stream.into_body().into_reader()).lines();
    let touch =
        |id: &str| say("tools/call", &json!({ "name": "touch", "arguments": { "id": id } }));
    assert_eq!(touch("8").status, 200);
    assert_eq!(touch("7").status, 200);
    let told = lines.find_map(|line| {
        line.unwrap()
            .strip_prefix("data: ")
            .filter(|data| data.contains("updated"))
            .map(str::to_owned)
    });
    let told: Value = serde_json::from_str(&told.unwrap()).unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!(uri))
    );
}

/// Revision 2025-03-26 has batches: the gate decides each message, and runs all of them or none.
#[test]
fn batches_of_march_2025() {
    let running = Running::start(false, false);
    let token = running.token("ada", &["test:use"]);
    let call = |id: u32, tool: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool } });
    let read = json!({ "jsonrpc": "2.0", "id": 9, "method": "resources/read", "params": { "uri": "test://static-text" } });
    let notice = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    {
        let headers = &[("mcp-protocol-version", "2025-03-26")];
        let both = running.post(
            &token,
            headers,
            &json!([call(1, "test_simple_text"), notice, call(2, "test_error_handling")]),
        );
        let answers = both.json.as_array().unwrap_or_else(|| panic!("{both:#?}"));
        assert_eq!(answers.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(answers[1]["result"]["isError"], true);
        let denied = running.post(&token, headers, &json!([call(1, "test_simple_text"), read]));
        assert_eq!((denied.status, denied.challenge("scope")), (403, Some("test:read")));
        assert!(!denied.text.contains("simple text response"), "nothing of it was executed");
        let unknown =
            running.post(&token, headers, &json!([call(1, "nope"), call(2, "test_simple_text")]));
        assert!(!unknown.text.contains("simple text response"), "{unknown:#?}");
        assert_eq!(running.post(&token, headers, &json!([notice, notice])).status, 202);
        let begin: Value = serde_json::from_str(INITIALIZE).unwrap();
        assert_eq!(running.post(&token, headers, &json!([begin])).status, 400);
    }
    for revision in [None, Some("2025-06-18"), Some("2025-11-25"), Some("2026-07-28")] {
        let header = revision.map(|revision| ("mcp-protocol-version", revision));
        let refused =
            running.post(&token, header.as_slice(), &json!([call(1, "test_simple_text")]));
        assert_eq!(refused.status, 400, "{revision:?}");
    }
}

/// Without the gate, the check of each feature itself refuses every request.
#[tokio::test]
async fn without_the_gate_every_feature_is_closed() {
    use rmcp::{
        ServiceExt,
        model::{GetPromptRequestParams, ReadResourceRequestParams},
    };
    use scopeward::{live::LivePolicy, mcp::handler::McpHandler};

    let policy = crate::everything::policy("http://localhost:1/mcp", true);
    let live = LivePolicy::from(policy);
    let (here, there) = tokio::io::duplex(64 * 1024);
    let server = McpHandler::new(Everything::new(live));
    tokio::spawn(async move { server.serve(there).await.unwrap().waiting().await });
    let client = ().serve(here).await.unwrap();
    let read = client.read_resource(ReadResourceRequestParams::new("test://static-text")).await;
    assert!(read.unwrap_err().to_string().contains("Not authenticated"));
    let get = client.get_prompt(GetPromptRequestParams::new("test_simple_prompt")).await;
    assert!(get.unwrap_err().to_string().contains("Not authenticated"));
    assert!(client.list_all_resources().await.unwrap().is_empty());
    assert!(client.list_all_prompts().await.unwrap().is_empty());
    assert!(client.list_all_resource_templates().await.unwrap().is_empty());
}
