//! The server starts only when the tools, the policy and the registered scopes agree.

use crate::harness::{POLICY, Server, command, free_port, run, stderr};

/// Asserts that the server does not start with one replacement in the policy: exit code 2, and a
/// message with the place and the fix. `policy check` must print the same.
fn refused(from: &str, to: &str, says: &[&str]) {
    assert_eq!(POLICY.matches(from).count(), 1, "{from}");
    refused_policy(&POLICY.replace(from, to), says);
}

fn refused_policy(policy: &str, says: &[&str]) {
    for arguments in [&[][..], &["policy", "check"][..]] {
        let output = run(policy, arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for words in says {
            assert!(text.contains(words), "no `{words}` in:\n{text}");
        }
        assert!(output.stdout.is_empty(), "it greeted: {output:?}");
    }
}

/// The line and the column of `needle` in the policy, as messages write them.
fn place(needle: &str) -> String {
    let offset = POLICY.find(needle).unwrap();
    let line = POLICY[..offset].matches('\n').count() + 1;
    let column = offset - POLICY[..offset].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    format!("policy.toml:{line}:{column}")
}

#[test]
fn a_tool_without_a_line_stops_the_start() {
    refused(
        "delete_todo = { write = \"todo\" }\n",
        "",
        &[
            "error[SW001 tool-without-policy]",
            &place("tools]\n"),
            "the tool `delete_todo`",
            "server/src/tools.rs:",
            "add it: `delete_todo = { write = \"todo\" }`",
        ],
    );
}

#[test]
fn a_misspelt_tool_stops_the_start() {
    refused(
        "delete_todo =",
        "delete_tood =",
        &[
            "error[SW002 unknown-tool]",
            &place("delete_todo ="),
            "did you mean `delete_todo`?",
            "policy.toml has 1 error",
        ],
    );
}

#[test]
fn a_misspelt_scope_stops_the_start() {
    refused(
        "[\"todo:write\", \"admin:access\"]",
        "[\"todo:write\", \"admin:acess\"]",
        &[
            "error[SW111 undefined-scope]",
            &place("\"admin:access\"] }\n"),
            "did you mean `admin:access`?",
        ],
    );
}

#[test]
fn a_weakened_scope_stops_the_start() {
    let says = [
        "error[SW003 weakened]",
        &place("delete_todo ="),
        "may be called without todo:write",
        "server/src/tools.rs:",
        "add `relax = \"the reason\"`",
    ];
    refused("delete_todo = { write = \"todo\" }", "delete_todo = { read = \"todo\" }", &says);
    refused("delete_todo = { write = \"todo\" }", "delete_todo = { authenticated = true }", &says);
    refused(
        "delete_todo = { write = \"todo\" }",
        "delete_todo = { any_of = [\"todo:write\", \"admin:access\"] }",
        &says,
    );
}

#[test]
fn a_weakened_scope_with_a_reason_starts() {
    let policy = POLICY.replace(
        "create_todo = { write = \"todo\" }",
        "create_todo = { read = \"todo\", relax = \"a demonstration\" }",
    );
    let output = run(&policy, &["policy", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn an_unregistered_scope_stops_the_start() {
    refused(
        "[scopes]",
        "registered = [\"todo:read\", \"todo:write\"]\n[scopes]",
        &[
            "error[SW004 unreachable-tool]",
            "nobody could ever call `purge_todos`: admin:access is not registered",
            "policy.toml:26:1",
            "add \"admin:access\" to `registered`",
        ],
    );
}

#[test]
fn an_implies_cycle_stops_the_start() {
    refused(
        "\"See your todos\"\n",
        "{ title = \"See your todos\", implies = [\"todo:write\"] }\n",
        &["error[SW113 implies-cycle]", "policy.toml:14:", "todo:read → todo:write → todo:read"],
    );
}

#[test]
fn invalid_toml_stops_the_start() {
    refused("[scopes]", "[scopes", &["error[SW101 invalid-toml]", &place("[scopes]")[..15]]);
}

#[test]
fn all_disagreements_are_reported_at_once() {
    let policy = POLICY
        .replace("delete_todo =", "delete_tood =")
        .replace("create_todo = { write = \"todo\" }", "create_todo = { read = \"todo\" }")
        .replace("[scopes]", "registered = [\"todo:read\", \"todo:write\"]\n[scopes]");
    let codes = ["unknown-tool", "weakened", "unreachable-tool", "3 errors"];
    refused_policy(&policy, &codes);
}

#[test]
fn the_readable_part_of_a_broken_file_is_compared_with_the_tools() {
    let policy = POLICY
        .replace("url =", "ulr =")
        .replace("\"See your todos\"", "7")
        .replace("get_todo    = { read = \"todo\" }", "get_tood = { raed = \"todo\" }")
        .replace("todo_stats  = { read = \"todo\" }", "todo_stats  = { read = \"toto\" }")
        .replace("create_todo = { write = \"todo\" }", "create_todo = { read = \"todo\" }")
        .replace("delete_todo = { write = \"todo\" }\n", "");
    let codes = [
        "wrong-type",
        "unknown-key",
        "undefined-scope",
        "did you mean `get_todo`?",
        "weakened",
        "the tool `delete_todo`",
    ];
    refused_policy(&policy, &codes);
}

#[test]
fn check_warn_allows_disagreements_but_no_broken_file() {
    let warn = POLICY.replace("[scopes]", "startup_check = \"warn\"\n[scopes]");
    let output =
        run(&warn.replace("delete_todo = { write = \"todo\" }\n", ""), &["policy", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("tool-without-policy"));
    refused_policy(&warn.replace("read = \"todo\"", "raed = \"todo\""), &["unknown-key"]);
}

#[test]
fn the_embedded_issuer_refuses_a_public_url() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.toml"), *POLICY).unwrap();
    let output =
        command(folder.path()).env("MCP_URL", "https://mcp.example.com/mcp").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("serves loopback only"), "{output:?}");

    refused("http://localhost:3002/mcp", "https://mcp.example.com/mcp", &[]);
}

#[test]
fn a_url_with_a_reserved_path_is_refused() {
    for path in ["/oauth/token", "/.well-known/openid-configuration"] {
        refused(
            "http://localhost:3002/mcp",
            &format!("http://localhost:3002{path}"),
            &["a server cannot have the path"],
        );
    }
}

#[test]
fn a_missing_policy_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("policy.toml") && text.contains("--policy"), "{text}");
}

#[test]
fn settings_are_read_from_a_file_named_env() {
    let folder = tempfile::tempdir().unwrap();
    let show = || command(folder.path()).args(["policy", "show"]).output().unwrap();
    std::fs::write(folder.path().join("other.toml"), *POLICY).unwrap();
    std::fs::write(folder.path().join(".env"), "SCOPEWARD_POLICY=other.toml\n").unwrap();
    assert!(String::from_utf8(show().stdout).unwrap().contains("other.toml:"));
    std::fs::write(folder.path().join(".env"), "SECRET = 'never closed\n").unwrap();
    let output = show();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains(".env") && !text.contains("never closed"), "{text}");
}

#[test]
fn a_signing_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.toml"), *POLICY).unwrap();
    let token = |code| {
        let output =
            command(folder.path()).args(["token", "--scope", "todo:read"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        stderr(&output)
    };
    token(0);
    let key = folder.path().join("data/issuer-key.p8");
    assert_eq!(key.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(key.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(token(2).contains("chmod 600"));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&key, b"damaged").unwrap();
    assert!(token(2).contains("is damaged"));
}

#[test]
fn a_token_for_a_scope_that_does_not_exist_is_refused() {
    let output = run(&POLICY, &["token", "--scope", "todo:raed"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty() && stderr(&output).contains("did you mean `todo:read`?"));
}

#[test]
fn help_is_there_for_every_command() {
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["policy", "check", "--help"],
        &["policy", "show", "--help"],
        &["policy", "lint", "--help"],
        &["policy", "diff", "--help"],
        &["policy", "explain", "--help"],
        &["policy", "matrix", "--help"],
        &["policy", "test", "--help"],
        &["policy", "fmt", "--help"],
        &["policy", "schema", "--help"],
        &["policy", "status", "--help"],
        &["resource", "pull", "--help"],
        &["token", "--help"],
    ] {
        let output = run(&POLICY, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Usage:"), "{arguments:?}");
    }
    let output = run(&POLICY, &["polcy"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn policy_show_is_the_table_of_the_policy() {
    let output = run(&POLICY, &["policy", "show"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = format!("purge_todos  todo:write and admin:access  {}", place("purge_todos ="));
    assert!(text.contains(&line), "{text}");
}

#[test]
fn a_taken_port_is_reported_with_the_fix() {
    let server = Server::start();
    let output = server.command().args(["--data", "other"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("cannot listen on 127.0.0.1:") && text.contains("PORT="), "{text}");
    let mut command = server.command();
    command.args(["--data", "other"]).env("PORT", free_port().to_string());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("for /health and /metrics") && text.contains("MONITOR="), "{text}");
}

#[test]
fn a_data_folder_has_one_server() {
    let server = Server::start();
    let output = server.command().env("PORT", free_port().to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("another server uses data") && text.contains("--data"), "{text}");
}

#[test]
fn told_to_stop_it_stops_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::start();
        let exit = server.stop(signal);
        assert_eq!(exit.code(), Some(0), "{signal}: {}", server.log());
    }
}
