//! The audit file: one record for each decision, and the commands that read it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Server, stdout};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The records that `audit …` prints, once there are `count` of them.
fn records(server: &Server, arguments: &[&str], count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let output =
            server.command().arg("audit").args(arguments).args(["--format", "json"]).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = stdout(&output);
        let records: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if records.len() >= count || Instant::now() > deadline {
            assert_eq!(records.len(), count, "{text}");
            return records;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_decision_is_one_record() {
    let server = Server::start();
    let (reader, writer) = (server.token("todo:read"), server.token_for("grace", "todo:write"));
    let params = |tool: &str, trace: &str| {
        json!({ "name": tool, "arguments": { "title": "a private matter" },
            "_meta": { "traceparent": trace } })
    };
    server.rpc(&reader, "tools/call", &params("create_todo", TRACE));
    server.rpc(&writer, "tools/call", &params("create_todo", "not a trace\n"));
    server.call(&reader, "list_todos", &json!({}));
    server.call(&reader, "nobody", &json!({}));
    server.post_with(&[("authorization", "Bearer not.a.token")], "{}");
    server.rpc(&reader, "tools/list", &json!({}));

    let all = records(&server, &["query"], 5);
    let field = |name: &str| all.iter().map(|record| record[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("decision"), ["deny", "allow", "allow", "deny", "unauthenticated"]);
    assert_eq!(
        field("subject"),
        [json!("ada"), json!("grace"), json!("ada"), json!("ada"), json!(null)]
    );
    assert_eq!(
        field("tool"),
        [
            json!("create_todo"),
            json!("create_todo"),
            json!("list_todos"),
            json!("nobody"),
            json!(null)
        ]
    );
    assert_eq!(all[0]["missing"], "todo:write");
    assert_eq!(all[0]["trace"], TRACE);
    assert_eq!(all[1]["trace"], json!(null), "what is no trace is the caller's own text");
    assert!(all[0]["rule"].as_str().unwrap().starts_with("policy.toml:"), "{}", all[0]);
    assert!(all[0]["issuer"].is_string() && all[0]["policy"].is_string(), "{}", all[0]);
    assert!(all[0]["micros"].is_u64() && all[0]["timestamp"].is_string(), "{}", all[0]);

    let file = server.folder.path().join("data/audit.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    for secret in [&*reader, &*writer, "not.a.token", "private"] {
        assert!(!text.contains(secret), "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn records_are_found_by_tool_subject_and_denial() {
    let server = Server::start();
    let (ada, grace) = (server.token("todo:read"), server.token_for("grace", "todo:read"));
    for token in [&ada, &grace] {
        server.call(token, "list_todos", &json!({}));
        server.call(token, "purge_todos", &json!({}));
    }
    records(&server, &["query"], 4);
    records(&server, &["query", "--tool", "purge_todos"], 2);
    records(&server, &["query", "--subject", "grace"], 2);
    records(&server, &["query", "--denied"], 2);
    records(&server, &["query", "--denied", "--subject", "grace", "--tool", "purge_todos"], 1);
    records(&server, &["query", "--subject", "nobody"], 0);
    records(&server, &["tail", "-n", "3"], 3);

    let text = stdout(&server.command().args(["audit", "tail", "-n", "1"]).output().unwrap());
    assert!(text.contains("  deny             purge_todos  grace  "), "{text}");
    assert!(text.contains("missing=todo:write admin:access"), "{text}");
}

/// A record that a crash cut short hides no other record, and `--follow` prints new records.
#[test]
fn the_file_is_followed_and_survives_a_crash() {
    let mut server = Server::start();
    let token = server.token("todo:read");
    server.call(&token, "list_todos", &json!({}));
    records(&server, &["query"], 1);
    server.kill();
    let file = server.folder.path().join("data/audit.jsonl");
    fs::OpenOptions::new().append(true).open(file).unwrap().write_all(b"{\"timest\n").unwrap();
    server.launch();
    let mut tail = server
        .command()
        .args(["audit", "tail", "--follow", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["tool"], "list_todos");
    server.call(&token, "todo_stats", &json!({}));
    assert_eq!(next()["tool"], "todo_stats");
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn a_missing_audit_file_is_named() {
    let server = Server::prepare(&crate::harness::POLICY, &[]);
    let output = server.command().args(["audit", "query"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("audit.jsonl") && text.contains("--data"), "{text}");
}

/// `audit verify` finds changed, removed and swapped records and names their place. The chain goes
/// on over restarts.
#[test]
fn the_chain_shows_what_was_touched() {
    let mut server = Server::start();
    let token = server.token("todo:read");
    for _ in 0..2 {
        for _ in 0..5 {
            server.call(&token, "list_todos", &json!({}));
        }
        thread::sleep(Duration::from_millis(100));
        server.kill();
        server.launch();
    }
    let verify = |arguments: &[&str]| {
        server.command().args(["audit", "verify"]).args(arguments).output().unwrap()
    };
    let good = verify(&[]);
    assert!(good.status.success(), "{good:?}");
    let said = stdout(&good);
    let head = said.trim().strip_prefix("unbroken up to ").unwrap().to_owned();
    assert!(head.starts_with("10:"), "{said}");
    assert_eq!(server.monitor("/health").json["audit"]["head"], head.as_str());
    let path = server.folder.path().join("data/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let broken = |lines: Vec<String>, place: &str| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let output = verify(&[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = crate::harness::stderr(&output);
        assert!(said.contains(&format!("audit.jsonl:{place}:")), "{said}");
    };
    let owned = || lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let mut changed = owned();
    changed[3] = changed[3].replace("\"ada\"", "\"eve\"");
    broken(changed, "5");
    let mut shorter = owned();
    shorter.remove(3);
    broken(shorter, "4");
    let mut other = owned();
    other.swap(6, 7);
    broken(other, "7");
    // Records that are cut off at the end are found only with a head that was kept before.
    fs::write(&path, lines[..9].join("\n") + "\n").unwrap();
    assert_eq!(verify(&[]).status.code(), Some(0));
    assert_eq!(verify(&["--head", &head]).status.code(), Some(1));
    fs::write(&path, text).unwrap();
    assert_eq!(verify(&["--head", &head]).status.code(), Some(0));
}
