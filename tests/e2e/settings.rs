//! Settings: the file `.env`, the variables, and the options of each command.

use std::fs;

use crate::harness::{POLICY, SHIPPED, Server, command, free_port, run, stderr, stdout};

/// What a command prints and says in a folder with this `.env` and these variables.
fn outcome(env_file: &[u8], variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), *POLICY).unwrap();
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
        if name.starts_with('M') && name != "MCP_SESSIONS" {
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

/// A policy as another editor saves it, with what each command makes of it.
#[test]
fn files_as_they_are_checked_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let run = |line: &[&str]| {
        let output = command(folder.path()).args(line).output().unwrap();
        (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
    };
    let misspelt = POLICY.replace("version = 1", "versoin = 1");
    fs::write(&path, *POLICY).unwrap();
    assert_eq!(run(&["policy", "fmt"]).0, 0);
    let tidy = fs::read_to_string(&path).unwrap();
    let place = |text: &str| {
        fs::write(&path, text).unwrap();
        let (_, json) = run(&["policy", "lint", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        (json["findings"][0]["line"].clone(), json["findings"][0]["column"].clone())
    };
    let plain = place(&misspelt);
    assert_eq!(place(&format!("\u{feff}{misspelt}")), plain);
    assert_eq!(place(&misspelt.replace('\n', "\r\n")), plain);
    for mark in ["", "\u{feff}"] {
        let text = mark.to_owned() + &tidy.replace('\n', "\r\n");
        fs::write(&path, &text).unwrap();
        let (code, said) = run(&["policy", "fmt", "--check"]);
        assert_eq!(code, 0, "{said}");
        let untidy = text.replacen(" = ", "=", 1);
        fs::write(&path, &untidy).unwrap();
        assert_eq!(run(&["policy", "fmt", "--check"]).0, 1);
        assert_eq!(run(&["policy", "fmt"]).0, 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let little: Vec<u8> = tidy.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = tidy.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let latin = [tidy.as_bytes(), b"# \xe9t\xe9\n"].concat();
    for (bytes, name) in
        [(little, "UTF-16 (little-endian)"), (big, "UTF-16 (big-endian)"), (latin, "Latin-1")]
    {
        fs::write(&path, bytes).unwrap();
        let (code, said) = run(&["policy", "lint"]);
        assert!(code == 2 && said.contains(name), "{said}");
    }
}

#[test]
fn annotations_name_the_file_from_the_root_of_the_repository() {
    let root = tempfile::tempdir().unwrap();
    let below = root.path().join("services/todo");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("policy.toml"), POLICY.replace("delete_todo =", "delete_tood =")).unwrap();
    let lint = |format: &str| {
        let mut command = command(&below);
        command.args(["policy", "lint", "--format", format]);
        stdout(&command.env("GITHUB_WORKSPACE", root.path()).output().unwrap())
    };
    for has_git in [false, true] {
        if has_git {
            fs::create_dir(root.path().join(".git")).unwrap();
        }
        assert!(lint("github").contains("file=services/todo/policy.toml,"), "{}", lint("github"));
        assert!(lint("sarif").contains("\"uri\": \"services/todo/policy.toml\""));
    }
    assert!(lint("terminal").contains(" policy.toml:"));
}

#[test]
fn colour_can_be_asked_for_and_left_out() {
    let has_colour = |variables: &[(&str, &str)], more: &[&str]| {
        let lint = [&["policy", "lint"][..], more].concat();
        let folder = tempfile::tempdir().unwrap();
        let wrong = POLICY.replace("delete_todo =", "delete_tood =");
        fs::write(folder.path().join("policy.toml"), wrong).unwrap();
        let mut command = command(folder.path());
        stdout(&command.args(lint).envs(variables.iter().copied()).output().unwrap())
            .contains('\u{1b}')
    };
    assert!(!has_colour(&[], &[]));
    assert!(has_colour(&[], &["--color", "always"]));
    assert!(has_colour(&[("FORCE_COLOR", "1")], &[]));
    assert!(has_colour(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!has_colour(&[("FORCE_COLOR", "0")], &[]));
    assert!(!has_colour(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], &[]));
    assert!(!has_colour(&[("FORCE_COLOR", "1")], &["--color", "never"]));
}

/// A policy with 500 tools and 51 scopes, which is what a large server has.
pub(crate) fn large_policy() -> String {
    let mut policy = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n".to_owned();
    for area in 0..17 {
        policy += &format!(
            "\"area{area}:read\" = \"See area {area}\"\n\
            \"area{area}:write\" = {{ title = \"Change area {area}\", implies = [\"area{area}:read\"] }}\n\
            \"area{area}:admin\" = {{ title = \"Own area {area}\", implies = [\"area{area}:write\"] }}\n"
        );
    }
    policy += "[tools]\n";
    for tool in 0..500 {
        let kind = ["read", "write", "admin"][tool % 3];
        policy += &format!("tool_number_{tool}_of_area = {{ {kind} = \"area{}\" }}\n", tool % 17);
    }
    policy
}

#[test]
fn a_large_matrix_stays_readable_and_small() {
    let policy = large_policy();
    let matrix = |more: &[&str]| {
        let output = run(&policy, &[&["policy", "matrix"][..], more].concat());
        (output.status.code().unwrap(), stdout(&output) + &stderr(&output))
    };
    let (_, text) = matrix(&[]);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(text.matches("tool_number_").count(), 500);
    let (_, page) = matrix(&["--format", "html"]);
    assert!(page.len() < 300_000 && page.contains("type=\"search\""), "{}", page.len());
    let (_, one) = matrix(&["--who-can", "tool_number_49_of_area"]);
    assert!(one.contains("area15:write  area15:admin") && !one.contains("area15:read"), "{one}");
    let (_, some) = matrix(&["--scope", "area3:"]);
    assert!(some.matches("tool_number_").count() < 40 && !some.contains("area4"), "{some}");
    let (_, turned) = matrix(&["--scope", "area3:read", "--by", "scope"]);
    assert!(turned.contains("area3:read\n    ● tool_number_3_of_area"), "{turned}");
    let (_, turned) = matrix(&["--by", "scope", "--format", "html"]);
    assert!(turned.len() < 300_000, "{}", turned.len());
    for wrong in [["--tool", "nothing"], ["--scope", "area99"], ["--who-can", "tool_number_4"]] {
        assert_eq!(matrix(&wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn health_ends_with_0_or_1_and_is_not_recorded() {
    let mut server = Server::start();
    let health = |server: &Server, more: &[&str]| {
        let output = server.command().arg("health").args(more).output().unwrap();
        output.status.code().unwrap()
    };
    let before = server.log();
    assert_eq!((health(&server, &[]), health(&server, &["--live"])), (0, 0));
    assert_eq!(server.log(), before, "a probe is not logged");
    let output = server.command().args(["audit", "query", "--format", "json"]).output().unwrap();
    assert_eq!(stdout(&output), "", "and not audited");
    server.kill();
    assert_eq!((health(&server, &[]), health(&server, &["--live"])), (1, 1));
    let output = server.command().arg("health").env("MONITOR", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A setting that has no effect beside the others is refused, by its name and with what to do.
#[test]
fn settings_without_effect_are_refused() {
    let embedded = SHIPPED;
    let client = &format!(
        "{}\n[[client]]\nid = \"nightly\"\nsecret_env = \"NIGHTLY\"\nredirect_uris = [\"https://a.example/b\"]\n",
        SHIPPED.replace(
            "provider = \"embedded\"   # development sign-in, this machine only",
            "provider = \"keycloak\"\nissuer = \"https://sso.example.com/realms/a\"",
        )
    );
    let days = &SHIPPED.replace(
        "[scopes]\n",
        "registered = [\"todo:read\", \"todo:write\", \"admin:access\"]\nsnapshot_days = 3\n\n[scopes]\n",
    );
    for (policy, variable, words) in [
        (embedded, Some(("ISSUER_URL", "https://a.example")), &["ISSUER_URL", "no effect"][..]),
        (embedded, Some(("INTROSPECTION_URL", "https://a.example")), &["INTROSPECTION_URL"]),
        (embedded, Some(("MAX_SESSIONS", "5")), &["MAX_SESSIONS", "without sessions"]),
        (
            embedded,
            Some(("MAX_SESSIONS_PER_CALLER", "5")),
            &["MAX_SESSIONS_PER_CALLER", "MCP_SESSIONS=true"],
        ),
        (embedded, Some(("MAX_KEY_AGE", "60")), &["MAX_KEY_AGE", "no effect"]),
        (embedded, Some(("MAX_TOKEN", "100000")), &["MAX_TOKEN", "MAX_HEAD"]),
        (client, None, &["`[[client]]` has no effect", "Keycloak"]),
        (days, None, &["`snapshot_days` has no effect", "registered"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let mut command = command(folder.path());
        command.arg("serve").env("PORT", free_port().to_string()).env("MONITOR", "off");
        command.envs(variable);
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{variable:?}: {output:?}");
        for word in words {
            assert!(said.contains(word), "{variable:?}: {word} is not in: {said}");
        }
    }
    let output = run(embedded, &["serve", "--audit-size", "0", "--audit-kept", "3"]);
    let said = stderr(&output);
    assert!(output.status.code() == Some(2) && said.contains("--audit-kept"), "{said}");
}
