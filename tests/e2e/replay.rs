//! `policy replay`: what a change of the policy would have done to the calls on record.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{POLICY, Server, stderr, stdout};

/// The calls of the test: every tool, by callers with different scopes.
fn calls() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let callers = [
        ("reader", "todo:read"),
        ("writer", "todo:write"),
        ("admin", "todo:write admin:access"),
        ("nobody", ""),
    ];
    let id = json!({ "id": "none" });
    let tools = [
        ("list_todos", json!({})),
        ("list_todos", json!({ "completed": true })),
        ("get_todo", id.clone()),
        ("todo_stats", json!({})),
        ("create_todo", json!({ "title": "x" })),
        ("update_todo", id.clone()),
        ("delete_todo", id),
        ("purge_todos", json!({ "completed": true })),
    ];
    let mut calls = vec![];
    for (subject, scopes) in callers {
        for (tool, arguments) in &tools {
            calls.push((subject, scopes, *tool, arguments.clone()));
        }
    }
    calls
}

/// Makes all calls, and says of each whether it was let through.
fn make(server: &Server, tokens: &BTreeMap<&str, String>) -> Vec<bool> {
    let make = |(subject, _, tool, arguments): (&str, &str, &str, Value)| {
        let reply = server.call(&tokens[subject], tool, &arguments);
        assert!(matches!(reply.status, 200 | 403), "{reply:#?}");
        reply.status == 200
    };
    calls().into_iter().map(make).collect()
}

/// The new policy: `create_todo` needs more, `purge_todos` less, and `list_todos` more for some arguments.
fn changed() -> String {
    let policy = POLICY
        .replace(
            "purge_todos = { all_of = [\"todo:write\", \"admin:access\"] }",
            "purge_todos = { write = \"todo\", relax = \"a trial\" }",
        )
        .replace(
            "create_todo = { write = \"todo\" }",
            "create_todo = { all_of = [\"todo:write\", \"admin:access\"] }",
        );
    let list = policy.lines().find(|line| line.starts_with("list_todos")).unwrap();
    policy.replace(
        list,
        "list_todos = { read = \"todo\", when = [{ if = \"args.completed\", all_of = [\"admin:access\"] }] }",
    )
}

fn replay(server: &Server, arguments: &[&str]) -> Output {
    let mut command = server.command();
    command.args(["policy", "replay"]).args(arguments).output().unwrap()
}

fn found(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{output:?}"))
}

/// The number of calls of each tool, in one kind of what was found.
fn by_tool(found: &Value, kind: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for group in found[kind]["groups"].as_array().unwrap() {
        let tool = group["tool"].as_str().unwrap().to_owned();
        *counts.entry(tool).or_default() += group["calls"].as_u64().unwrap();
    }
    counts
}

/// Calls are recorded, the policy is changed, and the same calls are made again: the replay had said
/// which of them are answered otherwise.
#[test]
fn a_replay_says_which_calls_are_answered_otherwise() {
    let server = Server::with_policy(&POLICY);
    let tokens: BTreeMap<&str, String> = calls()
        .into_iter()
        .map(|(subject, scopes, _, _)| (subject, scopes))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .map(|(subject, scopes)| (subject, server.token_for(subject, scopes)))
        .collect();
    let before = make(&server, &tokens);
    let new = server.folder.path().join("policy.next.toml");
    fs::write(&new, changed()).unwrap();
    let path = new.to_str().unwrap();
    let mut output = replay(&server, &[path, "--format", "json"]);
    for _ in 0..100 {
        if found(&output)["calls"] == before.len() as u64 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
        output = replay(&server, &[path, "--format", "json"]);
    }
    let said = found(&output);
    assert_eq!(said["calls"], before.len() as u64, "{said:#}");

    fs::write(server.folder.path().join("policy.toml"), changed()).unwrap();
    server.wait_for_policy(&changed());
    let after = make(&server, &tokens);
    let mut changes: [BTreeMap<String, u64>; 2] = Default::default();
    let mut untold = 0;
    for ((_, _, tool, _), (before, after)) in calls().into_iter().zip(before.iter().zip(&after)) {
        if tool == "list_todos" {
            // Its arguments are not on record.
            untold += u64::from(*before);
        } else if before != after {
            *changes[usize::from(*after)].entry(tool.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(by_tool(&said, "newly_refused"), changes[0], "{said:#}");
    assert_eq!(by_tool(&said, "newly_allowed"), changes[1], "{said:#}");
    // The administrator meets the condition in every case, so only the others cannot be told.
    let admins = 2;
    assert_eq!(by_tool(&said, "cannot_be_told").get("list_todos"), Some(&(untold - admins)));
    let refused = &said["newly_refused"]["groups"][0];
    assert_eq!(
        (&refused["tool"], &refused["missing"]),
        (&json!("create_todo"), &json!(["admin:access"]))
    );
    assert_eq!(refused["subjects"], json!({ "writer": 1 }));
}

#[test]
fn a_replay_reads_compressed_files_and_fails_where_it_is_told_to() {
    let server = Server::with_policy(&POLICY);
    let writer = server.token("todo:write");
    for _ in 0..3 {
        server.call(&writer, "create_todo", &json!({ "title": "x" }));
    }
    let folder = server.folder.path();
    fs::write(folder.join("next.toml"), changed()).unwrap();
    let next = folder.join("next.toml");
    let next = next.to_str().unwrap();
    let audit = folder.join("data/audit.jsonl");
    let calls = || found(&replay(&server, &[next, "--format", "json"]))["calls"].clone();
    for _ in 0..100 {
        if calls() == 3 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let text = fs::read(&audit).unwrap();
    let zip = |bytes: &[u8]| {
        let mut gzip =
            Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        gzip.stdin.take().unwrap().write_all(bytes).unwrap();
        gzip.wait_with_output().unwrap().stdout
    };
    // One file of two compressed parts, a plain one, and one with a line that a crash cut short.
    let (zipped, cut) = (folder.join("old.jsonl.gz"), folder.join("cut.jsonl"));
    fs::write(&zipped, [zip(&text), zip(&text)].concat()).unwrap();
    fs::write(&cut, [&text[..], b"{\"half\n"].concat()).unwrap();
    let all = [zipped.to_str().unwrap(), audit.to_str().unwrap(), cut.to_str().unwrap()];
    let output = replay(&server, &[&[next, "--format", "json", "--against"], &all[..]].concat());
    assert_eq!(found(&output)["newly_refused"]["calls"], 12, "{output:?}");
    assert!(stderr(&output).contains("skipped 1 line"), "{output:?}");
    assert_eq!(output.status.code(), Some(0));

    let output = replay(&server, &[next, "--deny", "newly-refused"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("`--deny newly-refused` refuses"), "{output:?}");
    assert!(stdout(&output).contains("create_todo: 3 calls"), "{output:?}");
    let output = replay(&server, &[next, "--deny", "newly-allowed"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let output = replay(&server, &[next, "--since", "7d", "--format", "json"]);
    assert_eq!(found(&output)["calls"], 3, "{output:?}");
    thread::sleep(Duration::from_millis(1_100));
    let output = replay(&server, &[next, "--since", "1s", "--format", "json"]);
    assert_eq!(found(&output)["calls"], 0, "{output:?}");
    for wrong in ["soon", "", "7 fortnights", "99999999999999999d"] {
        let output = replay(&server, &[next, "--since", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
        assert!(stderr(&output).contains("--since takes a time"), "{wrong}: {output:?}");
    }
    let output = replay(&server, &[next, "--against", "no-such-file"]);
    assert!(stderr(&output).contains("cannot read no-such-file"), "{output:?}");
}
