//! Callers who want the audit to say something else than what happened.

use std::fs;

use serde_json::{Value, json};

use super::{raw, request};
use crate::harness::{POLICY, Server, get, mcp_request, send, stderr, stdout};

/// All lines of a file in the data folder as JSON.
fn lines(server: &Server, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(server.folder.path().join("data").join(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn written(server: &Server) {
    for _ in 0..200 {
        let health = server.monitor("/health").json;
        let is_idle = |file: &str| health[file]["pending_bytes"] == 0;
        if is_idle("audit") && is_idle("audit_unauthenticated") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{}", server.monitor("/health").text);
}

fn allowed(server: &Server, tool: &str) -> u64 {
    let name =
        format!("scopeward_decisions_total{{feature=\"tool\",name=\"{tool}\",outcome=\"allow\"}} ");
    let text = server.monitor("/metrics").text;
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

/// CWE-223: the first messages of a batch are allowed and the last one is not, so none runs. No record
/// and no count says that one did.
#[test]
fn a_batch_that_is_refused_whole_has_allowed_nothing() {
    let server = Server::start();
    let token = server.token("todo:read");
    let call = |tool: &str| {
        json!({ "jsonrpc": "2.0", "id": tool, "method": "tools/call",
            "params": { "name": tool, "arguments": { "title": "reached" } } })
    };
    let batches = [
        json!([call("list_todos"), call("todo_stats"), call("create_todo")]),
        json!([call("list_todos"), call("nobody")]),
        json!([call("list_todos"), { "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": { "protocolVersion": "2025-03-26", "capabilities": {},
                "clientInfo": { "name": "x", "version": "1" } } }]),
        json!([call("list_todos"), 5]),
    ];
    for batch in batches {
        let body = batch.to_string();
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", &*authorization), ("mcp-protocol-version", "2025-03-26")];
        let reply = server.post_with(&headers, &body);
        assert!(!reply.text.contains("\"todos\""), "{reply:#?}");
    }
    written(&server);
    let all = lines(&server, "audit.jsonl");
    assert!(all.iter().all(|one| one["decision"] == "deny"), "{all:#?}");
    assert_eq!((allowed(&server, "list_todos"), allowed(&server, "todo_stats")), (0, 0));
}

/// CWE-223: calls that the policy allows, and that cannot be read afterwards (415, 406, 400): they did
/// not run, so no record and no count says that they did.
#[test]
fn a_call_that_could_not_be_read_has_no_record() {
    let server = Server::start();
    let token = server.token("todo:read");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "list_todos", "arguments": {} } })
    .to_string();
    for (name, value, status) in [
        ("content-type", "text/plain", 415),
        ("accept", "text/html", 406),
        ("mcp-protocol-version", "1999-01-01", 400),
        ("mcp-protocol-version", "2026-07-28", 400),
    ] {
        let mut request = mcp_request(&server.url());
        request.headers_mut().unwrap().insert(name, value.parse().unwrap());
        let request = request.header("authorization", format!("Bearer {token}"));
        let reply = send(request.body(body.clone()).unwrap());
        assert_eq!(reply.status, status, "{name}: {value} {reply:#?}");
    }
    written(&server);
    assert_eq!(lines(&server, "audit.jsonl"), Vec::<Value>::new());
    assert_eq!(allowed(&server, "list_todos"), 0);
}

/// CWE-779, CWE-778: requests without a token, and with broken ones, fill the files until an older
/// one goes. They have files of their own, so what an administrator did stays. Those without any token
/// are counted: one record for the first, and one at the end for the others.
#[test]
fn requests_without_a_token_push_out_nothing() {
    let server = Server::with_settings(&POLICY, &[("AUDIT_SIZE", "1"), ("AUDIT_KEPT", "1")]);
    let admin = server.token("todo:write admin:access");
    assert_eq!(server.call(&admin, "purge_todos", &json!({})).status, 200);
    for number in 0..200 {
        let headers = format!("Authorization: Bearer {number}{}\r\n", "x".repeat(2_000));
        let answer = raw(&server, &request(&server, &headers, b"{}"));
        assert_eq!(answer.status, 401, "{answer:?}");
        let answer = raw(&server, &request(&server, "", b"{}"));
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    written(&server);
    let all = lines(&server, "audit.jsonl");
    assert_eq!((all.len(), &all[0]["tool"]), (1, &json!("purge_todos")), "{all:#?}");
    let others = lines(&server, "audit-unauthenticated.jsonl");
    assert!((201..=206).contains(&others.len()), "{}", others.len());
    let number = others.len();
    let is_one = |one: &Value| one["decision"] == "unauthenticated" && one["address"].is_string();
    assert!(others.iter().all(is_one), "{:#}", others[0]);
    // Both are read and verified, each as a chain of its own.
    let verify = server.command().args(["audit", "verify"]).output().unwrap();
    assert!(verify.status.success(), "{}", stderr(&verify));
    let unbroken = format!("requests without a token: unbroken up to {number}:");
    assert!(stdout(&verify).contains(&unbroken), "{}", stdout(&verify));
    let query = server.command().args(["audit", "query"]).output().unwrap();
    assert_eq!(stdout(&query).lines().count(), number + 1);
}

/// Load balancers ask without a token, and so does anybody else: 10,000 requests from 10,000 addresses
/// leave a bounded number of lines in the log and in the audit file, and the counts leave nobody out.
#[test]
fn requests_without_a_token_are_counted_a_minute_at_a_time() {
    let settings = [("TRUSTED_PROXIES", "127.0.0.0/8"), ("RUST_LOG", "info")];
    let mut server = Server::with_settings(&POLICY, &settings);
    let before = server.log().lines().count();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..1250 {
                    let from = format!("10.{thread}.{}.{}", number / 250, number % 250);
                    let headers = [("x-forwarded-for", &*from)];
                    let reply = if number % 2 == 0 {
                        server.post_with(&headers, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
                    } else {
                        get(&server.url(), &headers)
                    };
                    assert_eq!(reply.status, 401, "{reply:#?}");
                }
            });
        }
    });
    let refused = server.monitor("/metrics").text;
    assert!(refused.contains("reason=\"no_token\"} 10000"), "{refused}");
    // The last minute is recorded when the server stops, and each other one when it was over.
    server.stop("-TERM");
    let records = lines(&server, "audit-unauthenticated.jsonl");
    let in_all: u64 = records.iter().map(|one| one["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(in_all, 10_000, "each is counted");
    let minutes = 5;
    assert!(records.len() <= minutes * 67, "{} records", records.len());
    let logged = server.log().lines().count() - before;
    assert!(logged <= minutes * 67 + 10, "{logged} lines:\n{}", server.log());
}

/// CVE-2021-42574 (Trojan Source), CWE-117, CWE-150: names that hold controls, marks of direction,
/// separators of lines and characters that are not seen. Each is one quoted thing wherever a person
/// reads it.
#[test]
fn a_name_that_changes_how_a_line_reads() {
    let server = Server::start();
    for hidden in [
        "\u{1b}[2K\r",
        "\u{202e}",
        "\u{202a}",
        "\u{2066}",
        "\u{2069}",
        "\u{200e}",
        "\u{200f}",
        "\u{61c}",
        "\u{200b}",
        "\u{200d}",
        "\u{feff}",
        "\u{2028}",
        "\u{2029}",
        "\u{85}",
        "\n",
        "\u{e0041}",
        "  allow  ",
        "\"",
        "\\",
    ] {
        let name = format!("x{hidden}y");
        let token = server.token_for("ada", "todo:read");
        let reply = server.call(&token, &name, &json!({}));
        let message = reply.json["error"]["message"].as_str().unwrap();
        is_one_thing(message, hidden);
        let reply = server.rpc(&token, &name, &json!({}));
        is_one_thing(reply.json["error"]["message"].as_str().unwrap(), hidden);
        written(&server);
        let tail = server.command().args(["audit", "tail", "-n", "1"]).output().unwrap();
        let tail = stdout(&tail);
        is_one_thing(tail.trim_end_matches('\n'), hidden);
        assert!(tail.contains("  deny             \"x"), "{tail}");
        let log = server.log();
        let line = log.lines().rfind(|line| line.contains("decision=")).unwrap();
        is_one_thing(line, hidden);
        assert!(line.contains("tool=\"x"), "{line}");
    }
}

/// Asserts that a text is one line, and that a hidden part stands in it only escaped.
#[track_caller]
fn is_one_thing(text: &str, hidden: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let is_shown = hidden.chars().all(|one| one == ' ' || one.is_ascii_alphanumeric());
    let is_escaped = matches!(hidden, "\"" | "\\");
    assert!(is_shown || is_escaped || !text.contains(hidden), "{text:?}");
    assert!(text.contains("\"x"), "{text:?}");
}

/// A caller's subject, in the answer of `doctor --token` too.
#[test]
fn a_subject_that_changes_how_a_line_reads() {
    let server = Server::start();
    let token = server.token_for("ada\u{202e}\u{2028}  allow", "todo:read");
    server.call(&token, "create_todo", &json!({ "title": "x" }));
    written(&server);
    let shown = r#""ada\u{202e}\u{2028}  allow""#;
    let tail = stdout(&server.command().args(["audit", "tail"]).output().unwrap());
    assert!(tail.contains(shown), "{tail}");
    assert!(server.log().contains(&format!("subject={shown}")), "{}", server.log());
    let doctor = server.command().args(["doctor", "--token", &token]).output().unwrap();
    let doctor = stdout(&doctor);
    assert!(!doctor.contains(['\u{202e}', '\u{2028}']), "{doctor}");
}
