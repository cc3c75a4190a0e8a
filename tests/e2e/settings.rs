//! Settings: the file `.env`, the variables, and the options of each command.

use std::fs;

use crate::harness::{POLICY, Server, command, stderr, stdout};

/// What a command prints and says in a folder with this `.env` and these variables.
fn outcome(env_file: &[u8], variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), &*POLICY).unwrap();
    fs::write(folder.path().join(".env"), env_file).unwrap();
    let mut command = command(folder.path());
    let output = command.args(arguments).envs(variables.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
}

/// The value of a setting as the program has it: the name of a policy file that does not exist.
fn value(line: &str) -> String {
    let (code, text) = outcome(line.as_bytes(), &[("HOME", "/root")], &["policy", "show"]);
    assert_eq!(code, 2, "{text}");
    let (_, rest) = text.split_once("cannot read ").unwrap_or_else(|| panic!("{line}: {text}"));
    rest.split_once(": No such file").unwrap_or_else(|| panic!("{line}: {text}")).0.to_owned()
}

#[test]
fn values_are_taken_as_they_are_written() {
    for (line, expected) in [
        ("SCOPEWARD_POLICY=pa$$word", "pa$$word"),
        ("SCOPEWARD_POLICY=\"pa$word\"", "pa$word"),
        ("SCOPEWARD_POLICY='pa$HOME${HOME}'", "pa$HOME${HOME}"),
        ("SCOPEWARD_POLICY=$HOME", "$HOME"),
        ("SCOPEWARD_POLICY=a\\nb\\", "a\\nb\\"),
        ("SCOPEWARD_POLICY=\"a\\tb\"", "a\\tb"),
        ("SCOPEWARD_POLICY=it's", "it's"),
        ("SCOPEWARD_POLICY=a=b c#d", "a=b c#d"),
        ("export SCOPEWARD_POLICY=\"a #b\" # why\r", "a #b"),
        ("\u{feff}SCOPEWARD_POLICY=first\r\nOTHER=x\r\n", "first"),
    ] {
        assert_eq!(value(line), expected, "{line}");
    }
}

#[test]
fn a_line_that_sets_nothing_for_certain_is_refused_with_its_number() {
    for line in [
        "hidden",
        "=hidden",
        "1A=hidden",
        "A B=hidden",
        "A='hidden",
        "A=\"hidden\" x",
        "A=hidden # x",
        "A=one\nA=hidden",
        "A=hid\0den",
    ] {
        let text = format!("# a comment\r\n\r\n{line}\r\n");
        let (code, said) = outcome(text.as_bytes(), &[], &["policy", "show"]);
        let number = if line.contains('\n') { 4 } else { 3 };
        assert!(code == 2 && said.contains(&format!(".env:{number}: ")), "{line}: {said}");
        assert!(!said.contains("hid"), "{said}");
    }
    let utf_16: Vec<u8> = "\u{feff}PORT=1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (code, said) = outcome(&utf_16, &[], &["policy", "show"]);
    assert!(code == 2 && said.contains("UTF-16") && said.contains(".env"), "{said}");
}

#[test]
fn an_error_names_the_variable_or_the_option_that_was_written() {
    for (name, wrong) in [
        ("PORT", "abc"),
        ("HOST", "here"),
        ("MONITOR", "x"),
        ("MAX_BODY", "0"),
        ("MCP_SESSIONS", "maybe"),
        ("GRACE", "-1"),
        ("TRUSTED_PROXIES", "x"),
        ("AUDIT_KEPT", "1e3"),
        ("TLS_KEY", "lone.pem"),
    ] {
        let option = format!("--{}", name.to_lowercase().replace('_', "-"));
        let file = format!("{name}={wrong}\n");
        for (file, variables) in [(&*file, &[][..]), ("", &[(name, wrong)])] {
            let (code, said) = outcome(file.as_bytes(), variables, &["serve"]);
            assert!(code == 2 && said.contains(name) && !said.contains(&option), "{name}: {said}");
        }
        if name.starts_with("M") && name != "MCP_SESSIONS" {
            let (code, said) = outcome(b"", &[], &["serve", &option, wrong]);
            assert!(code == 2 && said.contains(&option), "{said}");
        }
    }
}

#[test]
fn an_empty_variable_is_unset_and_a_filled_one_comes_before_the_file() {
    let empty = [
        "PORT",
        "HOST",
        "MONITOR",
        "MCP_URL",
        "MAX_BODY",
        "MCP_SESSIONS",
        "TLS_KEY",
        "SCOPEWARD_POLICY",
        "ALLOWED_HOSTS",
    ]
    .map(|name| (name, ""));
    let (code, said) = outcome(b"", &empty, &["policy", "show"]);
    assert_eq!(code, 0, "{said}");
    let file = b"SCOPEWARD_POLICY=of-the-file.toml\n";
    let (_, said) = outcome(file, &[("SCOPEWARD_POLICY", "")], &["policy", "show"]);
    assert!(said.contains("of-the-file.toml"), "{said}");
    let (code, said) = outcome(file, &[("SCOPEWARD_POLICY", "policy.toml")], &["policy", "show"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn words_for_on_and_off() {
    for (word, code) in [
        ("1", 0),
        ("yes", 0),
        ("on", 0),
        ("TRUE", 0),
        ("0", 0),
        ("no", 0),
        ("Off", 0),
        ("false", 0),
        ("2", 2),
        ("si", 2),
    ] {
        let (ended, said) = outcome(b"", &[("MCP_SESSIONS", word)], &["policy", "show"]);
        assert_eq!(ended, code, "{word}: {said}");
    }
    for (word, has_sessions) in [("yes", true), ("no", false)] {
        let server = Server::with_settings(&POLICY, &[("MCP_SESSIONS", word)]);
        let token = server.token("todo:read");
        let first = server.rpc(
            &token,
            "initialize",
            &serde_json::json!({
                "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": { "name": "t", "version": "1" }
            }),
        );
        assert_eq!(!first.header("mcp-session-id").is_empty(), has_sessions, "{word}");
    }
}

#[test]
fn options_stand_where_they_work_and_only_there() {
    let help = |line: &[&str]| outcome(b"", &[], &[line, &["--help"]].concat()).1;
    let serve = help(&["serve"]);
    for option in
        ["--max-body", "--rate-per-caller", "--host", "--tls-key", "--inner-path", "--policy"]
    {
        assert!(serve.contains(option), "{serve}");
    }
    for (line, option) in [
        (&["policy", "lint"][..], "--host"),
        (&["policy", "lint"], "--max-body"),
        (&["policy", "lint"], "--data"),
        (&["provider", "list"], "--policy"),
        (&["policy", "schema"], "--policy"),
        (&["audit", "tail"], "--port"),
        (&["revocation", "list"], "--monitor"),
    ] {
        assert!(!help(line).contains(option), "{line:?} {option}");
        for given in [[line, &[option, "1"]].concat(), [&[option, "1"], line].concat()] {
            let (code, said) = outcome(b"", &[], &given);
            assert!(code == 2 && said.contains(option), "{given:?}: {said}");
        }
    }
    for line in [
        &["--policy", "policy.toml", "policy", "lint"][..],
        &["policy", "--policy=policy.toml", "lint"],
    ] {
        assert_eq!(outcome(b"", &[], line).0, 0, "{line:?}");
    }
    for line in [&["serve", "--max-body", "0"][..], &["--max-body", "0"]] {
        let (code, said) = outcome(b"", &[], line);
        assert!(code == 2 && said.contains("0 is not in 1..="), "{said}");
    }
}
