//! The gate decides every call as `policy.toml` says, and lets no other request through.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{POLICY, Server, get};

/// Each tool, with arguments for it and the scopes that the shipped policy needs.
const TOOLS: [(&str, &str, &[&str]); 7] = [
    ("create_todo", r#"{"title":"x"}"#, &["todo:write"]),
    ("list_todos", "{}", &["todo:read"]),
    ("get_todo", r#"{"id":"x"}"#, &["todo:read"]),
    ("update_todo", r#"{"id":"x"}"#, &["todo:write"]),
    ("delete_todo", r#"{"id":"x"}"#, &["todo:write"]),
    ("purge_todos", "{}", &["todo:write", "admin:access"]),
    ("todo_stats", "{}", &["todo:read"]),
];

const SCOPES: [&str; 3] = ["todo:read", "todo:write", "admin:access"];

#[test]
fn every_tool_with_every_set_of_scopes() {
    let server = Server::start();
    for bits in 0..8_u8 {
        let granted: Vec<&str> = SCOPES
            .iter()
            .enumerate()
            .filter(|(n, _)| bits & (1 << n) != 0)
            .map(|(_, s)| *s)
            .collect();
        let token = server.token(&granted.join(" "));
        let holds = |scope: &&str| {
            granted.contains(scope) || (*scope == "todo:read" && granted.contains(&"todo:write"))
        };
        let listed = server.tools(&token);
        for (tool, arguments, needs) in TOOLS {
            let reply = server.call(&token, tool, &serde_json::from_str(arguments).unwrap());
            let missing: Vec<&&str> = needs.iter().filter(|scope| !holds(scope)).collect();
            if missing.is_empty() {
                assert_eq!(reply.status, 200, "{granted:?} {tool}");
                assert!(listed.contains(&tool.to_owned()), "{granted:?} {tool}");
                continue;
            }
            assert_eq!(reply.status, 403, "{granted:?} {tool}");
            assert_eq!(reply.challenge("error"), Some("insufficient_scope"));
            assert_eq!(reply.challenge("scope"), Some(needs.join(" ").as_str()));
            assert_eq!(reply.json["error"]["data"]["missing"], json!(missing));
            // A tool that cannot be called is listed only if nothing but a step-up scope is
            // missing.
            let step_up = missing == [&"admin:access"];
            assert_eq!(listed.contains(&tool.to_owned()), step_up, "{granted:?} {tool}");
        }
    }
}

/// A client that sends its body after its headers gets the refusal, and can use the same TCP
/// connection again.
#[test]
fn a_refusal_waits_for_the_body() {
    let server = Server::start();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    for (header, status) in [("X-Nothing: 1", "401"), ("Origin: http://evil.example", "403")] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for _ in 0..2 {
            let head = format!(
                "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\n{header}\r\nContent-Type: \
                 application/json\r\nContent-Length: {}\r\n\r\n",
                server.port,
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            stream.write_all(body.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            let mut answer = vec![0; 4096];
            let length = stream.read(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
    }
}

/// `on_denied = "adaptive"`: a client that comes back with the grant that was challenged is told what
/// to do, for everything, until it comes with another grant.
#[test]
fn a_client_that_comes_back_unchanged_is_told_in_plain_words() {
    let server = Server::with_policy(&POLICY.replace("\"challenge\"", "\"adaptive\""));
    let purge = |token: &str| server.call(token, "purge_todos", &json!({}));
    let create = |token: &str| server.call(token, "create_todo", &json!({ "title": "x" }));
    let token = server.token("todo:write");
    assert_eq!(purge(&token).status, 403);
    // Another caller is another client.
    assert_eq!(purge(&server.token_for("grace", "todo:write")).status, 403, "another caller");
    // A refreshed token with the same scopes counts as the same grant.
    let told = purge(&server.token("todo:write"));
    assert_eq!((told.status, told.challenge("scope")), (200, None), "{told:?}");
    let result = &told.json["result"];
    assert_eq!(result["isError"], true);
    assert_eq!(
        result["content"][0]["text"],
        "You cannot use `purge_todos` yet: it needs the permission \"See and clear everyone's \
         todos\" (admin:access), and this sign-in does not have it. To grant it, disconnect this \
         server in your client, connect it again, and allow it on the page that opens."
    );
    assert_eq!(result["_meta"]["scopeward/refusal"]["missing"], json!(["admin:access"]));
    let challenge = result["_meta"]["mcp/www_authenticate"][0].as_str().unwrap();
    assert!(challenge.contains("scope=\"todo:write admin:access\""), "{challenge}");
    let todos = server.call(&token, "list_todos", &json!({}));
    assert_eq!(todos.result()["todos"], json!([]), "and nothing else changed");
    for _ in 0..5 {
        assert_eq!(purge(&token).status, 200, "words from now on");
    }
    // Another grant is challenged once, whatever it asks for first, and then told for everything.
    let reader = server.token("todo:read");
    assert_eq!(server.call(&reader, "list_todos", &json!({})).status, 200, "it is seen");
    assert_eq!(purge(&token).status, 403, "the first grant after another one");
    assert_eq!(create(&reader).status, 403, "another grant");
    assert_eq!((purge(&reader).status, create(&reader).status), (200, 200), "another tool");
    assert!(create(&reader).json["result"]["isError"] == true);
    assert_eq!(purge(&server.token("todo:write admin:access")).status, 200);
}

#[test]
fn a_refusal_says_what_is_missing() {
    let server = Server::start();
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", server.origin());
    let reply = server.call(&server.token("todo:read"), "create_todo", &json!({ "title": "x" }));
    assert_eq!(reply.status, 403);
    assert_eq!(
        reply.header("www-authenticate"),
        format!(
            "Bearer error=\"insufficient_scope\", error_description=\"Insufficient permissions: \
             'todo:write' scope required.\", scope=\"todo:write\", resource_metadata=\"{metadata}\""
        )
    );
    let message = "Insufficient permissions: `todo:write` scope required.";
    assert_eq!(
        reply.json,
        json!({
            "jsonrpc": "2.0",
            "id": 1,
            "error": {
                "code": -32003,
                "message": message,
                "data": {
                    "error": "insufficient_scope",
                    "message": message,
                    "tool": "create_todo",
                    "required": ["todo:write"],
                    "missing": ["todo:write"],
                    "granted": ["todo:read"],
                    "resource_metadata": metadata,
                },
            },
        })
    );
    let reply = server.call(&server.token("todo:read"), "purge_todos", &json!({}));
    assert_eq!(reply.json["error"]["message"], "Missing scopes: todo:write, admin:access");
}

#[test]
fn the_refusal_as_a_tool_error() {
    let server = Server::with_policy(
        &POLICY.replace("on_denied = \"challenge\"", "on_denied = \"tool_error\""),
    );
    let reply = server.call(&server.token("todo:read"), "create_todo", &json!({ "title": "x" }));
    let result = &reply.json["result"];
    assert_eq!((reply.status, &result["isError"]), (200, &json!(true)), "{reply:#?}");
    let message = "Insufficient permissions: `todo:write` scope required.";
    assert_eq!(result["content"], json!([{ "type": "text", "text": message }]));
    assert_eq!(result["_meta"]["scopeward/refusal"]["error"], "insufficient_scope");
    assert_eq!(result["_meta"]["scopeward/refusal"]["missing"], json!(["todo:write"]));
}

#[test]
fn a_refused_caller_learns_nothing_about_the_arguments() {
    let server = Server::start();
    let token = server.token("todo:read");
    let right = server.call(&token, "create_todo", &json!({ "title": "x" }));
    for arguments in [json!({}), json!({ "title": 7 }), json!({ "tilte": "x" })] {
        assert_eq!(server.call(&token, "create_todo", &arguments).json, right.json);
    }
}

#[test]
fn the_policy_overrides_the_declaration() {
    let stricter = POLICY.replace(
        "list_todos  = { read = \"todo\" }",
        "list_todos  = { any_of = [\"admin:access\", { all_of = [\"todo:read\", \"todo:write\"] }] }",
    );
    // admin:access implies todo:read, because the tool declares todo:read and a rule may not be
    // weaker.
    let stricter =
        stricter.replace("step_up = true }", "step_up = true, implies = [\"todo:read\"] }");
    let server = Server::with_policy(&stricter);
    let call = |scope| server.call(&server.token(scope), "list_todos", &json!({})).status;
    assert_eq!(call("todo:read"), 403);
    assert_eq!(call("todo:write"), 200);
    assert_eq!(call("admin:access"), 200);
    // Two sets of scopes suffice. The challenge names the set of which the fewest are missing.
    let reply = server.call(&server.token("todo:read"), "list_todos", &json!({}));
    assert_eq!(reply.json["error"]["data"]["missing"].as_array().unwrap().len(), 1);
}

#[test]
fn the_three_settings_of_list() {
    let listed = |list: &str, scope: &str| {
        let server = Server::with_policy(
            &POLICY.replace("list = \"step_up\"", &format!("list = \"{list}\"")),
        );
        server.tools(&server.token(scope))
    };
    let read = ["get_todo", "list_todos", "todo_stats"];
    assert_eq!(listed("callable", "todo:read"), read);
    assert_eq!(listed("step_up", "todo:read"), read);
    assert_eq!(listed("reachable", "todo:read").len(), 7);
    assert_eq!(listed("callable", "todo:write").len(), 6);
    assert_eq!(listed("step_up", "todo:write").len(), 7);

    let hidden = POLICY.replace("\"admin:access\"] }\n", "\"admin:access\"], hidden = true }\n");
    let server = Server::with_policy(&hidden);
    assert_eq!(server.tools(&server.token("todo:write")).len(), 6);
    assert_eq!(server.tools(&server.token("todo:write admin:access")).len(), 7);
}

/// The list has all tools on one page, sorted by name. An unknown cursor is an error.
#[test]
fn lists_have_one_page_in_one_order() {
    let server = Server::start();
    let token = server.token("todo:write admin:access");
    let listed = server.tools(&token);
    assert!(listed.is_sorted() && listed.len() == 7, "{listed:?}");
    assert_eq!(server.tools(&token), listed);
    let page = server.rpc(&token, "tools/list", &json!({ "cursor": "made-up" }));
    assert_eq!(page.json["error"]["code"], -32602, "{page:?}");
}

#[test]
fn a_listed_tool_says_what_it_still_needs() {
    let server = Server::start();
    let reply = server.rpc(&server.token("todo:write"), "tools/list", &json!({}));
    for tool in reply.json["result"]["tools"].as_array().unwrap() {
        let needs = &tool["_meta"]["scopeward/required_scopes"];
        let expected = if tool["name"] == "purge_todos" {
            json!(["todo:write", "admin:access"])
        } else {
            Value::Null
        };
        assert_eq!(*needs, expected, "{tool}");
        for part in ["title", "description", "inputSchema", "outputSchema"] {
            assert!(!tool[part].is_null(), "{part} of {tool}");
        }
        for hint in ["readOnlyHint", "destructiveHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{hint} of {tool}");
        }
    }
}

#[test]
fn unknown_tools_and_methods_cannot_be_reached() {
    let server = Server::start();
    let token = server.token("todo:read todo:write admin:access");
    for tool in ["", "nope", "CREATE_TODO", "create_todo ", "create_todo\u{0}", "cr\u{435}ate_todo"]
    {
        let reply = server.call(&token, tool, &json!({}));
        assert_eq!(reply.json["error"]["code"], -32602, "{tool:?} {reply:#?}");
    }
    for method in [
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "resources/subscribe",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "skills/list",
        "Tools/Call",
        "tools/call ",
        "rpc.discover",
        "",
    ] {
        let params = json!({ "name": "x", "uri": "x:y", "ref": { "type": "ref/prompt", "name": "x" },
            "argument": { "name": "x", "value": "y" }, "level": "info", "notifications": {}, "taskId": "x" });
        let reply = server.rpc(&token, method, &params);
        let code = &reply.json["error"]["code"];
        assert!(code == -32601 || code == -32600, "{method:?} {reply:#?}");
        // The status is the revision's: before 2026-07-28 a JSON-RPC error is answered 200, because 404
        // ends a client's session.
        assert!(matches!(reply.status, 200 | 400), "{method:?} {}", reply.status);
    }
}

#[test]
fn bodies_that_are_not_one_message_are_refused() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.token("todo:read"));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos"}}"#;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{}"}}}}"#,
        "x".repeat(5 << 20)
    );
    for (body, status) in [
        ("", 400),
        ("not json", 400),
        ("null", 400),
        ("{}", 400),
        ("[]", 400),
        (&format!("[[{call}]]"), 400),
        (&format!("[{call},]"), 400),
        (&format!("[{call},{{}}]"), 400),
        (&format!("[{}]", [call; 101].join(",")), 400),
        (&format!("{call}{call}"), 400),
        (&call.replace("2.0", "1.0"), 400),
        (&call.replace("list_todos", "list_todos\u{ffff}\\ud800"), 400),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 400),
        (&deep, 400),
        (&large, 413),
    ] {
        let reply = server.post_with(&[("authorization", &bearer)], body);
        assert_eq!(reply.status, status, "{body:.80} {reply:#?}");
        assert!(reply.json["result"].is_null(), "{body:.80}");
    }
}

#[test]
fn a_name_that_is_given_twice_reaches_no_denied_tool() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.token("todo:read"));
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","name":"purge_todos"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"purge_todos","name":"list_todos"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"purge_todos"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos"},"params":{"name":"purge_todos"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"purge\u005ftodos"}}"#,
    ] {
        let reply = server.post_with(&[("authorization", &bearer)], body);
        assert!(!reply.text.contains("purged"), "{body} {reply:#?}");
    }
}

#[test]
fn the_four_revisions() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.token("todo:read"));
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": revision, "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } } });
        let reply = server.post_with(&[("authorization", &bearer)], &initialize.to_string());
        assert_eq!(reply.json["result"]["protocolVersion"], revision, "{reply:#?}");
        let headers = [("authorization", bearer.as_str()), ("mcp-protocol-version", revision)];
        let notice = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(server.post_with(&headers, notice).status, 202);
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let reply = server.post_with(&headers, list);
        assert_eq!(reply.json["result"]["tools"].as_array().unwrap().len(), 3, "{revision}");
        assert!(reply.json["result"]["cacheScope"].is_null(), "not a field of {revision}");
    }

    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let send = |method: &str, name: Option<&str>, sent_method: &str| {
        let mut params = json!({ "_meta": meta });
        if let Some(name) = name {
            params["name"] = json!(name);
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let headers = [
            ("authorization", bearer.as_str()),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", sent_method),
            ("mcp-name", "list_todos"),
        ];
        server.post_with(&headers[..if name.is_some() { 4 } else { 3 }], &body.to_string())
    };
    let discovered = send("server/discover", None, "server/discover");
    assert_eq!(discovered.status, 200, "{discovered:#?}");
    let listed = send("tools/list", None, "tools/list");
    assert_eq!(listed.json["result"]["cacheScope"], "private");
    assert_eq!(
        send("tools/call", Some("list_todos"), "tools/call").result(),
        &json!({ "todos": [] })
    );
    // The body decides, not the headers. Headers that disagree with an allowed body are refused.
    assert_eq!(send("tools/call", Some("create_todo"), "tools/call").status, 403);
    let mismatch = send("tools/call", Some("get_todo"), "tools/call");
    assert_eq!((mismatch.status, &mismatch.json["error"]["code"]), (400, &json!(-32020)));
    assert_eq!(send("prompts/list", None, "prompts/list").status, 404);
}

#[test]
fn a_stateless_server_has_no_streams_and_no_sessions() {
    let server = Server::start();
    assert_eq!(get(&server.url(), &[("accept", "text/event-stream")]).status, 401);
    let bearer = format!("Bearer {}", server.token("todo:read"));
    let headers = [("authorization", bearer.as_str()), ("accept", "text/event-stream")];
    assert_eq!(get(&server.url(), &headers).status, 405);
}

#[test]
fn todos_belong_to_their_caller() {
    let server = Server::start();
    let (ada, eve) = (server.token_for("ada", "todo:write"), server.token_for("eve", "todo:write"));
    let admin = server.token_for("root", "todo:write admin:access");
    let created =
        server.call(&ada, "create_todo", &json!({ "title": "Secret", "description": "d" }));
    let id = created.result()["id"].as_str().unwrap().to_owned();
    let not_found = format!("Todo `{id}` not found.");

    for (tool, arguments) in [
        ("get_todo", json!({ "id": id })),
        ("update_todo", json!({ "id": id, "title": "Mine" })),
        ("delete_todo", json!({ "id": id })),
    ] {
        let reply = server.call(&eve, tool, &arguments);
        assert_eq!(reply.json["result"]["isError"], true, "{tool}");
        assert_eq!(reply.json["result"]["content"][0]["text"], json!(not_found), "{tool}");
    }
    assert_eq!(server.call(&eve, "list_todos", &json!({})).result(), &json!({ "todos": [] }));
    let stats = server.call(&eve, "todo_stats", &json!({}));
    assert_eq!(stats.result(), &json!({ "yours": { "total": 0, "completed": 0, "open": 0 } }));

    assert_eq!(server.call(&admin, "get_todo", &json!({ "id": id })).result()["title"], "Secret");
    let stats = server.call(&admin, "todo_stats", &json!({}));
    assert_eq!(stats.result()["everyone"], json!({ "total": 1, "completed": 0, "open": 1 }));

    let done = server.call(&ada, "update_todo", &json!({ "id": id, "completed": true }));
    assert_eq!(
        (&done.result()["completed"], &done.result()["title"]),
        (&json!(true), &json!("Secret"))
    );
    let open = server.call(&ada, "list_todos", &json!({ "completed": false }));
    assert_eq!(open.result(), &json!({ "todos": [] }));
    assert_eq!(
        server.call(&ada, "delete_todo", &json!({ "id": id })).result(),
        &json!({ "deleted": id })
    );
    let gone = server.call(&ada, "get_todo", &json!({ "id": id }));
    assert_eq!(gone.json["result"]["content"][0]["text"], json!(not_found));
}

#[test]
fn each_decision_is_recorded_without_the_token() {
    let server = Server::start();
    let token = server.token("todo:read");
    server.call(&token, "list_todos", &json!({}));
    server.call(&token, "create_todo", &json!({ "title": "a private matter" }));
    server.post_with(&[("authorization", "Bearer not.a.token")], "{}");
    let log = server.log();
    for words in [
        "decision=\"allow\" tool=\"list_todos\" subject=\"ada\"",
        "decision=\"deny\" tool=\"create_todo\" subject=\"ada\"",
        "missing=\"todo:write\"",
        "decision=\"unauthenticated\"",
    ] {
        assert!(log.contains(words), "no {words} in {log}");
    }
    assert!(
        !log.contains(&token) && !log.contains("not.a.token") && !log.contains("private"),
        "{log}"
    );
}

/// Only some calls of a tool need more: the tool says so in the middle of its call, and the client gets
/// the very challenge that the gate would have sent.
#[test]
fn everyones_todos_are_challenged_in_the_middle_of_the_call() {
    let server = Server::with_policy(&POLICY);
    let ada = server.token("todo:read todo:write");
    server.call(&ada, "create_todo", &json!({ "title": "Of ada" }));
    let eve = server.token_for("eve", "todo:read");
    for (arguments, count) in [(json!({}), 0), (json!({ "everyone": false }), 0)] {
        let list = server.call(&eve, "list_todos", &arguments);
        assert_eq!(list.result()["todos"].as_array().unwrap().len(), count);
    }
    let refused = server.call(&eve, "list_todos", &json!({ "everyone": true }));
    assert_eq!(refused.status, 403, "{refused:#?}");
    assert_eq!(refused.challenge("error"), Some("insufficient_scope"));
    assert_eq!(refused.challenge("scope"), Some("todo:read admin:access"));
    assert_eq!(refused.json["error"]["data"]["missing"], json!(["admin:access"]));
    assert!(!refused.text.contains("Of ada"));

    let root = server.token_for("root", "todo:read admin:access");
    let list = server.call(&root, "list_todos", &json!({ "everyone": true }));
    assert_eq!(list.result()["todos"][0]["title"], "Of ada");

    let path = server.folder.path().join("data/audit.jsonl");
    let records = || -> Vec<Value> {
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    for _ in 0..100 {
        if records().iter().any(|one| one["subject"] == "root") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let denied: Vec<Value> =
        records().into_iter().filter(|one| one["decision"] == "deny").collect();
    let [denied] = &denied[..] else { panic!("one call was refused: {denied:#?}") };
    assert_eq!((&denied["subject"], &denied["tool"]), (&json!("eve"), &json!("list_todos")));
    assert_eq!((&denied["missing"], &denied["by"]), (&json!("admin:access"), &json!("tool")));
}

/// The words tell a person to connect again. The sign-in that begins then, from the same address, asks
/// for what was missing; one from elsewhere does not.
#[test]
fn who_was_told_in_words_is_offered_what_was_missing() {
    let policy = POLICY.replace("\"challenge\"", "\"adaptive\"");
    let server = Server::with_settings(&policy, &[("TRUSTED_PROXIES", "127.0.0.1")]);
    let token = server.token("todo:read todo:write");
    let purge = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "purge_todos", "arguments": {} } })
    .to_string();
    let call = |address: &str, token: Option<&str>| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("x-forwarded-for", address)];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        server.post_with(&headers, &purge)
    };
    let first =
        |address: &str| call(address, None).challenge("scope").unwrap_or_default().to_owned();
    let usual = "todo:read todo:write";
    assert_eq!(first("192.0.2.1"), usual);
    assert_eq!(call("192.0.2.1", Some(&token)).status, 403);
    assert_eq!(first("192.0.2.1"), usual, "a client that may yet step up");
    let told = call("192.0.2.1", Some(&token));
    assert!(told.status == 200 && told.text.contains("connect it again"), "{told:#?}");
    assert_eq!(first("192.0.2.1"), "todo:read todo:write admin:access");
    assert_eq!(first("192.0.2.2"), usual);
    let granted = server.token("todo:read todo:write admin:access");
    assert_eq!(call("192.0.2.1", Some(&granted)).result(), &json!({ "purged": 0 }));
}
