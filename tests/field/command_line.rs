//! Reports about settings, files and commands, at a desk and in CI.

use std::{fs, path::Path, process::Command};

use super::Report;
use crate::harness::{SHIPPED, command, stderr, stdout};

/// The path of a file, and what it holds.
type File = (&'static str, fn() -> String);

/// A command in a folder that is a Git repository, with one commit of all files.
struct Run {
    /// Further files. `policy.toml` is the shipped one if it is not among them.
    files: &'static [File],
    /// The folder below the repository's root in which the command runs.
    folder: &'static str,
    variables: &'static [(&'static str, &'static str)],
    line: &'static [&'static str],
    /// Whether the reader of the output is gone, as `| head` is.
    is_closed: bool,
}

/// The exit code, words of the output, and words that are not in it.
type Outcome = (i32, &'static [&'static str], &'static [&'static str]);

const RUN: Run = Run { files: &[], folder: ".", variables: &[], line: &[], is_closed: false };

const SHOW: &[&str] = &["policy", "show"];
const STRICT: &[&str] = &["policy", "lint", "--deny", "warning"];

fn misspelt() -> String {
    SHIPPED.replace("delete_todo =", "delete_tood =")
}

/// A condition that reads an argument which the tool does not have.
fn never_matches() -> String {
    let plain = "update_todo = { write = \"todo\" }\n";
    let rule = "[tools.update_todo]\nwrite = \"todo\"\n\n[[tools.update_todo.when]]\n\
                if = \"args.done == true\"\nall_of = [\"admin:access\"]\n";
    format!("{}\n{rule}", SHIPPED.replace(plain, ""))
}

fn entra(more: &str) -> String {
    let text = format!(
        "provider = \"entra\"\nissuer = \"https://login.microsoftonline.com/6731de76/v2.0\"\n\
         registered = [\"todo:read\", \"todo:write\", \"admin:access\"]\n{more}"
    );
    SHIPPED
        .replace("provider = \"embedded\"   # development sign-in, this machine only", &text)
        .replace("http://localhost:3002/mcp", "https://mcp.example.com/mcp")
}

const REPORTS: &[Report<Run, Outcome>] = &[
    Report {
        source: "dotenvx 240: `$` between double quotes was expanded",
        input: Run {
            files: &[(".env", || "SCOPEWARD_POLICY=\"pa$word\"\n".to_owned())],
            line: SHOW,
            ..RUN
        },
        expected: (2, &["cannot read pa$word:"], &[]),
    },
    Report {
        source: "dotenvx 689: `$$` became one `$`",
        input: Run {
            files: &[(".env", || "SCOPEWARD_POLICY=pa$$word\n".to_owned())],
            line: SHOW,
            ..RUN
        },
        expected: (2, &["cannot read pa$$word:"], &[]),
    },
    Report {
        source: "fd 24: `| head` ends with a panic",
        input: Run { line: &["policy", "schema"], is_closed: true, ..RUN },
        expected: (141, &[], &["panicked", "standard output"]),
    },
    Report {
        source: "ruff 1835: in a monorepo an annotation names the file from the root",
        input: Run {
            files: &[("services/todo/policy.toml", misspelt)],
            folder: "services/todo",
            line: &["policy", "lint", "--format", "github"],
            ..RUN
        },
        expected: (1, &["file=services/todo/policy.toml,"], &[]),
    },
    Report {
        source: "air 123: a checkout with CRLF is not badly formatted",
        input: Run {
            files: &[("policy.toml", || SHIPPED.replace('\n', "\r\n"))],
            line: &["policy", "fmt", "--check"],
            ..RUN
        },
        expected: (0, &[], &[]),
    },
    Report {
        source: "checkout 1048: the repository belongs to another user than the container's",
        input: Run {
            // Git's own tests pretend so by this variable.
            variables: &[("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")],
            line: &["policy", "diff", "--git", "HEAD"],
            ..RUN
        },
        expected: (
            2,
            &["dubious ownership", "safe.directory"],
            &["has no revision", "allowed nothing"],
        ),
    },
    Report {
        source: "agentgateway 3092: a rule on an argument that never matches is accepted in silence",
        input: Run { files: &[("policy.toml", never_matches)], line: &["policy", "lint"], ..RUN },
        expected: (1, &["`args` has no field `done`", "update_todo"], &[]),
    },
    Report {
        source: "vscode 321249, claude-ai-mcp 977: AADSTS9010010, because the scopes have no prefix",
        input: Run { files: &[("policy.toml", || entra(""))], line: STRICT, ..RUN },
        expected: (1, &["AADSTS9010010", "scope_prefix"], &[]),
    },
    Report {
        source: "claude-code 52871: AADSTS9010010, because the prefix is not the server's URL",
        input: Run {
            files: &[("policy.toml", || entra("scope_prefix = \"api://6731de76/\"\n"))],
            line: STRICT,
            ..RUN
        },
        expected: (1, &["AADSTS9010010", "https://mcp.example.com/mcp"], &[]),
    },
    Report {
        source: "vscode 321249: the prefix that Entra wants",
        input: Run {
            files: &[("policy.toml", || {
                entra("scope_prefix = \"https://mcp.example.com/mcp/\"\n")
            })],
            line: STRICT,
            ..RUN
        },
        expected: (0, &[], &["AADSTS9010010"]),
    },
];

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.autocrlf=false"])
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?}");
}

#[test]
fn the_reports_about_commands() {
    for Report { source, input, expected } in REPORTS {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("policy.toml", SHIPPED);
        for (name, text) in input.files {
            write(name, &text());
        }
        git(root.path(), &["init", "--quiet"]);
        git(root.path(), &["add", "--all"]);
        git(root.path(), &["commit", "--quiet", "-m", "all"]);
        let mut command = command(&root.path().join(input.folder));
        command.args(input.line).envs(input.variables.iter().copied());
        if input.is_closed {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.stdout(writer);
        }
        let output = command.output().unwrap();
        let said = stdout(&output) + &stderr(&output);
        let (code, says, does_not_say) = expected;
        assert_eq!(output.status.code(), Some(*code), "{source}: {said}");
        for words in *says {
            assert!(said.contains(words), "{source}: no `{words}` in {said}");
        }
        for words in *does_not_say {
            assert!(!said.contains(words), "{source}: `{words}` in {said}");
        }
    }
}
