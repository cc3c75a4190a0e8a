//! Every block of commands in the README and the book is run, as its reader would run it: in one
//! folder for each page, beside a server, in the order of the page. What cannot be run here is listed
//! with its reason, and its names are looked up.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crate::{
    harness::{SHIPPED, Server, stderr, stdout, todo},
    readme::{PAGES, blocks},
};

/// How a command differs from one that is run and succeeds.
#[derive(Clone, Copy)]
enum Exception {
    /// The command is not run, for this reason.
    NotRun(&'static str),
    /// The command ends with this exit code, for this reason.
    Ends(i32, &'static str),
}

use Exception::{Ends, NotRun};

/// The page (empty for all pages), words of the command, and the exception.
const EXCEPTIONS: &[(&str, &str, Exception)] = &[
    ("", "cargo test --workspace", NotRun("this test is a part of it")),
    ("", "cargo new ", NotRun("the examples of the library are such programs")),
    ("", "cargo add ", NotRun("needs the registry")),
    ("", "npx ", NotRun("needs the registry; `clients.rs` runs the Inspector")),
    ("", "docker ", NotRun("needs Docker and the network")),
    ("", "bash benches/fastmcp/setup.sh", NotRun("needs the registry")),
    ("", " -p bench ", NotRun("a measurement takes minutes")),
    ("", "audit tail --follow", NotRun("does not end; `audit.rs` follows a file")),
    (
        "README.md",
        "\"create_todo\"",
        Ends(22, "the README shows a refusal, and `curl` fails at it"),
    ),
    ("README.md", "greet", NotRun("about the program of the page; `examples.rs` runs it")),
    ("docs/src/authors/tools.md", "library:read", NotRun("about the program of the page")),
    ("docs/src/authors/tools.md", "find_books", NotRun("about the program of the page")),
    ("", "audit verify --head 1042:", Ends(1, "this server has no such record")),
];

fn exception(page: &str, line: &str) -> Option<Exception> {
    let is_of = |of: &str, words: &str| (of.is_empty() || of == page) && line.contains(words);
    EXCEPTIONS.iter().find(|(of, words, _)| is_of(of, words)).map(|(_, _, exception)| *exception)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The commands of a block: a line that ends with `\` goes on in the next.
fn commands(text: &str) -> Vec<String> {
    let mut all: Vec<String> = vec![];
    let mut goes_on = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match all.last_mut() {
            Some(last) if goes_on => {
                last.push('\n');
                last.push_str(line);
            }
            _ => all.push(line.to_owned()),
        }
        goes_on = line.ends_with('\\');
    }
    all
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/bash\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A reader's machine: a checkout with a running server, `cargo run`, and a `curl` that fails where
/// the server refuses.
struct Reader {
    server: Server,
    programs: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let server = Server::with_policy(SHIPPED);
        let folder = server.folder.path();
        let programs = folder.join("programs");
        fs::create_dir(&programs).unwrap();
        let todo = todo().display();
        // `cargo run` alone is the server, which runs already.
        let cargo = format!(
            "[ \"$1\" = run ] || exit 90\nshift\n\
             while [ $# -gt 0 ] && [ \"$1\" != -- ]; do\n\
             case $1 in -q|--quiet|--locked) shift ;; *) exit 91 ;; esac\ndone\n\
             [ $# -gt 0 ] || exit 0\nshift\nexec {todo} \"$@\""
        );
        write_program(&programs.join("cargo"), &cargo);
        write_program(
            &programs.join("curl"),
            "exec /usr/bin/curl --fail-with-body --silent \"$@\"",
        );
        symlink(root().join("action"), folder.join("action")).unwrap();
        fs::copy(root().join("policy.test.toml"), folder.join("policy.test.toml")).unwrap();
        fs::write(folder.join("token.txt"), server.token("todo:read")).unwrap();
        let reader = Self { server, programs };
        for line in [
            "git init --quiet",
            "git add policy.toml policy.test.toml",
            "git -c user.name=t -c user.email=t@example.com commit --quiet -m policy",
            "git update-ref refs/remotes/origin/main HEAD",
        ] {
            assert!(reader.run(line).status.success(), "{line}");
        }
        reader
    }

    fn run(&self, script: &str) -> Output {
        let of_server = self.server.command();
        let path = std::env::var("PATH").unwrap();
        let script = script.replace(":3002", &format!(":{}", self.server.port));
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &script]).current_dir(self.server.folder.path());
        for (name, value) in of_server.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("PATH", format!("{}:{path}", self.programs.display())).output().unwrap()
    }
}

#[test]
fn every_block_of_commands_is_run() {
    let mut ran = 0;
    for page in PAGES.iter().filter(|page| page.path != "CHANGELOG.md") {
        let of_page = blocks().filter(|block| block.page == page.path);
        let shown: Vec<_> =
            of_page.filter(|block| ["sh", "console"].contains(&block.info)).collect();
        if shown.is_empty() {
            continue;
        }
        let reader = Reader::new();
        for block in shown {
            let mut script = vec![];
            let mut expected = 0;
            for line in commands(block.text) {
                match exception(&page.path, &line) {
                    Some(NotRun(_)) => look_up(&page.path, &line),
                    Some(Ends(code, _)) => {
                        expected = code;
                        script.push(line);
                    }
                    None => {
                        assert_eq!(expected, 0, "{}: `{line}` comes after a failure", page.path);
                        script.push(line);
                    }
                }
            }
            let output = reader.run(&script.join("\n"));
            assert_eq!(
                output.status.code(),
                Some(expected),
                "{} shows\n{}\n{}{}",
                page.path,
                script.join("\n"),
                stdout(&output),
                stderr(&output)
            );
            ran += script.len();
        }
    }
    assert!(ran >= 18, "only {ran} commands were run");
    let all: String = blocks().flat_map(|block| commands(block.text)).collect();
    for (_, words, NotRun(reason) | Ends(_, reason)) in EXCEPTIONS {
        assert!(all.contains(words), "no block has `{words}`, which is an exception: {reason}");
    }
}

/// Looks up the names in a command that is not run: files, features, packages, options.
fn look_up(page: &str, line: &str) {
    let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
    let after = |option: &str| {
        let place = words.iter().position(|word| *word == option)?;
        words.get(place + 1).copied()
    };
    let manifest =
        |folder: &str| fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    if let ["bash", script, ..] = *words {
        assert!(root().join(script).is_file(), "{page}: no {script}");
    }
    if words.contains(&"add") && words.contains(&"scopeward") {
        for feature in after("--features").unwrap_or_default().split(',') {
            let named = format!("\n{feature} = [");
            assert!(manifest("scopeward").contains(&named), "{page}: no feature {feature}");
        }
    }
    if after("-p") == Some("bench") {
        let manifest = manifest("benches");
        for (option, table) in [("--bench", "[[bench]]"), ("--test", "[[test]]")] {
            if let Some(name) = after(option) {
                let named = format!("{table}\nname = \"{name}\"");
                assert!(manifest.contains(&named), "{page}: no {option} {name}");
            }
        }
        if let Some(feature) = after("--features") {
            assert!(manifest.contains(&format!("\n{feature} = [")), "{page}: no feature {feature}");
        }
        if let Some(place) = words.iter().position(|word| *word == "--") {
            let output = Command::new(bench()).args(&words[place + 1..]).arg("--help").output();
            let output = output.unwrap();
            assert!(output.status.success(), "{page} shows `{line}`:\n{}", stderr(&output));
        }
    }
}

/// The path of the program that measures, which is built once.
fn bench() -> &'static Path {
    static BENCH: OnceLock<PathBuf> = OnceLock::new();
    BENCH.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bin", "bench"]).current_dir(root());
        let folder = todo().parent().unwrap();
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "bench does not build");
        folder.join("bench")
    })
}
