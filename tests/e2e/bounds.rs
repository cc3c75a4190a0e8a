//! Nothing that an operator writes, in a file, an argument, a variable or a shell, makes a panic.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::harness::{POLICY, Server, command, run, stderr, stdout};

/// The commands that print something on a good policy.
const PRINTING: &[&[&str]] = &[
    &["--help"],
    &["--version"],
    &["policy", "--help"],
    &["policy", "check"],
    &["policy", "lint"],
    &["policy", "lint", "--format", "json"],
    &["policy", "lint", "--format", "sarif"],
    &["policy", "lint", "--explain", "all"],
    &["policy", "matrix"],
    &["policy", "matrix", "--format", "json"],
    &["policy", "matrix", "--format", "html"],
    &["policy", "explain", "--tool", "create_todo", "--scopes", "todo:read"],
    &["policy", "diff", "policy.toml", "policy.toml"],
    &["policy", "diff", "policy.toml", "policy.toml", "--format", "markdown"],
    &["policy", "schema"],
    &["policy", "show"],
    &["policy", "test"],
    &["provider", "list"],
    &["provider", "show", "scalekit"],
    &["resource", "diff"],
    &["revocation", "list"],
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), *POLICY).unwrap();
    folder
}

#[track_caller]
fn no_panic(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(101), "{what}: {said}");
    assert!(output.status.code().is_some(), "{what} was ended by a signal: {said}");
    assert!(!said.contains("panicked"), "{what}: {said}");
}

fn prints_nothing(folder: &Path, arguments: &[&str]) -> bool {
    command(folder).args(arguments).output().unwrap().stdout.is_empty()
}

/// `… > /dev/full`: a message and exit code 1.
#[test]
fn a_full_standard_output_is_an_error_with_a_message() {
    let folder = folder();
    for arguments in PRINTING {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command(folder.path()).args(*arguments).stdout(full).output().unwrap();
        no_panic(&output, &format!("{arguments:?}"));
        let said = stderr(&output);
        if output.status.code() == Some(1) && said.contains("standard output") {
            continue;
        }
        assert!(prints_nothing(folder.path(), arguments), "{arguments:?}: {said}");
    }
}

/// `… | head -c 10`: the command ends as one that SIGPIPE ends, and says nothing.
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let folder = folder();
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(folder.path()).args(*arguments).stdout(writer).output().unwrap();
        no_panic(&output, &format!("{arguments:?}"));
        let code = output.status.code();
        assert!(
            code == Some(141) || prints_nothing(folder.path(), arguments),
            "{arguments:?}: {code:?}"
        );
        if code == Some(141) {
            assert!(!stderr(&output).contains("standard output"), "{}", stderr(&output));
        }
    }
}

/// `… >&- 2>&-` and `… 2> /dev/full`.
#[test]
fn closed_outputs_and_a_full_standard_error_are_no_panic() {
    let folder = folder();
    for arguments in PRINTING {
        let mut inner = command(folder.path());
        inner.args(*arguments);
        for redirection in
            [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full 2>&1"]
        {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}"));
            shell.arg(inner.get_program()).args(inner.get_args());
            shell.current_dir(folder.path()).env_clear();
            for (name, value) in inner.get_envs() {
                if let Some(value) = value {
                    shell.env(name, value);
                }
            }
            let output = shell.output().unwrap();
            no_panic(&output, &format!("{arguments:?} {redirection}"));
        }
    }
}

/// The paths of all commands, from the help of each.
fn commands(before: &[String]) -> Vec<Vec<String>> {
    let mut arguments: Vec<&str> = before.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = stdout(&run(&POLICY, &arguments));
    let mut found = vec![before.to_vec()];
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    for line in listed.lines().take_while(|line| line.starts_with("  ")) {
        let Some(name) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else {
            continue;
        };
        let name = name.split_whitespace().next().unwrap_or_default().to_owned();
        found.extend(commands(&[before, &[name]].concat()));
    }
    found
}

/// The long options and the variables that the help of a command names.
fn options_and_variables(command: &[String]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = stdout(&run(&POLICY, &arguments));
    let words = help.split(|c: char| c.is_whitespace() || ",]=".contains(c));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    let options = options.map(str::to_owned).collect();
    let variables = help.match_indices("[env: ").filter_map(|(at, start)| {
        let rest = &help[at + start.len()..];
        rest.split(['=', ']']).next().map(|name| name.trim().to_owned())
    });
    (options, variables.collect())
}

/// Values that a person, a script or an attacker writes.
fn value() -> impl Strategy<Value = OsString> {
    let bytes = proptest::collection::vec(1_u8..=255, 0..12);
    prop_oneof![
        "[ -~]{0,12}".prop_map(OsString::from),
        bytes.prop_map(|bytes| OsStr::from_bytes(&bytes).to_owned()),
        proptest::sample::select(vec![
            "",
            "0",
            "-1",
            "1",
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775807",
            "1e309",
            "NaN",
            "never",
            "true",
            "off",
            "::",
            "[::1]:0",
            "256.0.0.1:1",
            "127.0.0.1:65536",
            "http://localhost:3002/:mcp",
            "http://localhost:3002/*",
            "http://localhost:3002/{x}",
            "http://localhost:0/mcp",
            "https://a/%zz",
            "http://localhost:3002/a b?c#d",
            "http://localhost:3002//../..//x",
            "{",
            "{}",
            "[]",
            "null",
            "{\"a\":1e999}",
            "policy.toml",
            ".",
            "/",
            "/dev/null",
            "/dev/full",
            "/nonexistent/x",
            "-",
            "--",
            "todo:read",
            "\u{202e}x",
            "ü",
            "a\nb",
            "1:aa",
            "0:",
            "%",
            "%s%n",
            "$(true)",
        ])
        .prop_map(OsString::from),
    ]
}

/// Every command with its own options, and with values of any kind.
#[test]
fn no_arguments_make_a_panic() {
    let mut runner = TestRunner::deterministic();
    let folder = folder();
    for path in commands(&[]) {
        // A server that starts does not end.
        let serves = path.is_empty() || path == ["serve"];
        let (options, _) = options_and_variables(&path);
        let options: Vec<String> = options.into_iter().filter(|one| one != "--follow").collect();
        let each = (proptest::sample::select(options), proptest::option::of(value()));
        let all = (proptest::collection::vec(each, 0..4), proptest::collection::vec(value(), 0..2));
        for _ in 0..8 {
            let (options, others) = all.new_tree(&mut runner).unwrap().current();
            let mut one = command(folder.path());
            one.args(&path).stdin(Stdio::null());
            for (option, value) in options {
                one.arg(option).args(value);
            }
            one.args(others);
            if serves {
                one.arg("--no-such-option");
            }
            no_panic(&one.output().unwrap(), &format!("{one:?}"));
        }
    }
}

/// Every variable that the command line names, with values of any kind.
#[test]
fn no_variables_make_a_panic() {
    let mut runner = TestRunner::deterministic();
    let (_, variables) = options_and_variables(&["serve".to_owned()]);
    assert!(variables.len() > 15, "{variables:?}");
    let folder = folder();
    // A policy with a mistake, so that a server whose variables are all right ends as well.
    fs::write(folder.path().join("policy.toml"), "version = 1\n").unwrap();
    for name in variables {
        for _ in 0..12 {
            let value = value().new_tree(&mut runner).unwrap().current();
            let mut one = command(folder.path());
            one.arg("serve").env(&name, &value);
            no_panic(&one.output().unwrap(), &format!("{name}={}", value.display()));
        }
    }
    for (name, value) in
        [("BODY_TIMEOUT", "18446744073709551615"), ("GRACE", "99999999"), ("MAX_REQUESTS", "0")]
    {
        let output = command(folder.path()).arg("serve").env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("is not in"), "{}", stderr(&output));
    }
}

/// A policy file, a test file and `.env` with any bytes.
#[test]
fn no_file_makes_a_panic() {
    let mut runner = TestRunner::deterministic();
    let folder = folder();
    let any = proptest::collection::vec(any::<u8>(), 0..200);
    for name in ["policy.toml", "policy.test.toml", "registered-scopes.toml", ".env"] {
        for n in 0..12 {
            let mut bytes = any.new_tree(&mut runner).unwrap().current();
            match n {
                0 => bytes = vec![0; 10],
                1 => bytes = b"A=a\0b\n".to_vec(),
                2 => bytes = b"\xef\xbb\xbfversion = 1\r\n".to_vec(),
                3 => bytes = "[".repeat(100_000).into_bytes(),
                4 => bytes = format!("a{}=1", ".a".repeat(100_000)).into_bytes(),
                5 => bytes = format!("x = {}1", "{a=".repeat(100_000)).into_bytes(),
                _ => {}
            }
            fs::write(folder.path().join(name), &bytes).unwrap();
            for arguments in [&["policy", "lint"][..], &["policy", "check"], &["policy", "test"]] {
                let output = command(folder.path()).args(arguments).output().unwrap();
                no_panic(&output, &format!("{name} with {bytes:?}"));
            }
        }
        fs::remove_file(folder.path().join(name)).unwrap();
        fs::write(folder.path().join("policy.toml"), *POLICY).unwrap();
    }
}

/// Each URL is refused by the check, or the server starts with it.
#[test]
fn every_url_is_refused_or_served() {
    let port = crate::harness::free_port();
    let with = |path: &str| {
        let at = POLICY.find("url = ").unwrap();
        let end = at + POLICY[at..].find('\n').unwrap();
        format!("{}url = \"http://localhost:{port}{path}\"{}", &POLICY[..at], &POLICY[end..])
    };
    for refused in [
        "/:mcp",
        "/*",
        "/*mcp",
        "/a/:b",
        "/x/../:y",
        "/?a",
        "/#a",
        "/oauth/token",
        "/.well-known/oauth-protected-resource",
    ] {
        let output = run(&with(refused), &["policy", "check"]);
        assert_eq!(output.status.code(), Some(2), "{refused}: {}", stderr(&output));
        assert!(stderr(&output).contains("SW108"), "{refused}: {}", stderr(&output));
        let output =
            run(&POLICY, &["serve", "--url", &format!("http://localhost:{port}{refused}")]);
        no_panic(&output, refused);
        assert_eq!(output.status.code(), Some(2), "{refused}: {}", stderr(&output));
    }
    for served in ["/{x}", "/a b", "/ü", "//mcp", "/%3Amcp", "/a/./b/../c", "/mcp/"] {
        let server = Server::with_policy(&with(served));
        assert!(server.monitor("/health").status == 200, "{served}");
    }
}
