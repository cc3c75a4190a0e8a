//! What the README shows is what happens.

use serde_json::{Value, json};

use crate::harness::{SHIPPED, Server, command, run};

const README: &str = include_str!("../../README.md");

/// The contents of the README's code block that holds `words`.
fn block(words: &str) -> &'static str {
    let blocks = README.split("```").skip(1).step_by(2);
    let mut found = blocks.filter(|block| block.contains(words));
    let block = found.next().unwrap_or_else(|| panic!("no block with `{words}`"));
    assert!(found.next().is_none(), "two blocks with `{words}`");
    block.split_once('\n').unwrap().1
}

#[test]
fn the_greeting() {
    let server = Server::with_policy(SHIPPED);
    let shown = block("guarded by Scopeward")
        .replace(":3002", &format!(":{}", server.port))
        .replace(":9464", &format!(":{}", server.monitor));
    // How the program is called depends on how it was started.
    let (shown, _) = shown.split_once("  cargo run -q --").unwrap();
    assert!(server.log().contains(shown), "the README shows\n{shown}\nbut it is\n{}", server.log());
}

#[test]
fn the_refusal() {
    let server = Server::with_policy(SHIPPED);
    let reply = server.call(&server.token("todo:read"), "create_todo", &json!({ "title": "x" }));
    let shown = block("HTTP/1.1 403").replace(":3002", &format!(":{}", server.port));
    let (head, body) = shown.split_once("\n\n").unwrap();
    let challenge = format!("www-authenticate: {}", reply.header("www-authenticate"));
    assert!(head.lines().any(|line| line == challenge), "{head}\n{challenge}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), reply.json);
}

#[test]
fn the_misspelt_tool() {
    let policy = SHIPPED.replace("delete_todo =", "delete_tood =");
    let output = run(&policy, &["policy", "check"]);
    assert_eq!(block("tool-without-policy"), String::from_utf8(output.stderr).unwrap());
}

#[test]
fn the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let wider = SHIPPED.replace("create_todo = { write =", "create_todo = { read =");
    std::fs::write(folder.path().join("old.toml"), SHIPPED).unwrap();
    std::fs::write(folder.path().join("policy.toml"), wider).unwrap();
    let output = command(folder.path()).args(["policy", "diff", "old.toml"]).output().unwrap();
    assert_eq!(block("create_todo widens"), String::from_utf8(output.stdout).unwrap());
}

#[test]
fn the_explanation() {
    let arguments = ["policy", "explain", "--tool", "purge_todos", "--scopes", "todo:write"];
    let output = run(SHIPPED, &arguments);
    assert_eq!(block("purge_todos: not allowed"), String::from_utf8(output.stdout).unwrap());
}

/// The policy that the README explains is part of the one that the repository ships, and the
/// policy of its own tool is a good one.
#[test]
fn the_policies() {
    let spaceless =
        |line: &str| line.split('#').next().unwrap().split_whitespace().collect::<String>();
    let shipped: Vec<String> = SHIPPED.lines().map(spaceless).collect();
    for line in block("# needs both").lines() {
        assert!(shipped.contains(&spaceless(line)), "{line}");
    }
    // The parts that the README shows alone are good ones in their place.
    let tested = format!("{SHIPPED}\n{}", block("name = \"a reader looks"));
    let output = run(&tested, &["policy", "test"]);
    assert!(output.status.success(), "{output:?}");
    let greeter = block("greet:read\" = ");
    let diary = format!(
        "{}{}{}",
        greeter.replace("[tools]", "\"diary:read\" = \"Read the diary\"\n[tools]"),
        block("\"diary://notes/{day}\" ="),
        block("[[client]]").replace("todo:read", "diary:read"),
    );
    for policy in [greeter, &diary] {
        let source = scopeward::policy::diagnostic::Source::new("README.md", policy);
        scopeward::policy::CompiledPolicy::compile(source).unwrap();
    }
    let plain = "update_todo = { write = \"todo\" }\n";
    let conditional = SHIPPED.replace(plain, "") + block("[[tools.update_todo.when]]");
    let output = run(&conditional, &["policy", "lint", "--deny", "warning"]);
    assert!(output.status.success(), "{output:?}");
}
