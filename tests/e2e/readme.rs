//! The README and the book show real output, valid policies and existing commands.
//!
//! `cargo test --package scopeward --doc` compiles the Rust code of the README and the book. The
//! book's generated reference is left out here, because the code that generates it also checks it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use scopeward::policy::{CompiledPolicy, Snapshot, diagnostic::Source};
use serde_json::{Value, json};

use crate::harness::{SHIPPED, Server, command, run};

/// One page of the documentation.
pub(crate) struct Page {
    pub(crate) path: String,
    text: &'static str,
}

/// A code block of a page, with the words after its opening fence.
pub(crate) struct Block {
    pub(crate) page: &'static str,
    pub(crate) info: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths: Vec<_> =
        ["README.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name)).into();
    markdown(&root.join("docs/src"), &mut paths);
    let page = |path: PathBuf| Page {
        text: fs::read_to_string(&path).unwrap().leak(),
        path: path.strip_prefix(root).unwrap().display().to_string(),
    };
    paths.into_iter().map(page).collect()
});

/// Adds the Markdown files of a folder and the folders in it, without the generated reference.
fn markdown(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("reference") {
            markdown(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

/// The code blocks of all pages.
pub(crate) fn blocks() -> impl Iterator<Item = Block> {
    PAGES.iter().flat_map(|page| {
        let fenced = page.text.split("```").skip(1).step_by(2);
        fenced.map(|block| {
            let (info, text) = block.split_once('\n').unwrap();
            Block { page: &page.path, info, text }
        })
    })
}

/// The text of the code block that contains `words`. All blocks that contain the words must be
/// equal.
fn block(words: &str) -> &'static str {
    let mut found = blocks().filter(|block| block.text.contains(words));
    let first = found.next().unwrap_or_else(|| panic!("no block has `{words}`"));
    for other in found {
        assert_eq!(first.text, other.text, "`{words}` in {} and {}", first.page, other.page);
    }
    first.text
}

/// The text of the code block that contains `words` and must also be in the README.
fn shown_first(words: &str) -> &'static str {
    let is_in_readme = |block: Block| block.page == "README.md" && block.text.contains(words);
    assert!(blocks().any(is_in_readme), "the README has no block with `{words}`");
    block(words)
}

#[test]
fn the_greeting() {
    let server = Server::with_policy(SHIPPED);
    let shown = shown_first("guarded by Scopeward")
        .replace(":3002", &format!(":{}", server.port))
        .replace(":9464", &format!(":{}", server.monitor));
    // The rest is not compared, because the command in it depends on how the program was started.
    let (shown, _) = shown.split_once("  cargo run -q --").unwrap();
    assert!(server.log().contains(shown), "the README shows\n{shown}\nbut it is\n{}", server.log());
}

#[test]
fn the_refusal() {
    let server = Server::with_policy(SHIPPED);
    let reply = server.call(&server.token("todo:read"), "create_todo", &json!({ "title": "x" }));
    let shown = shown_first("HTTP/1.1 403").replace(":3002", &format!(":{}", server.port));
    let (head, body) = shown.split_once("\n\n").unwrap();
    let challenge = format!("www-authenticate: {}", reply.header("www-authenticate"));
    assert!(head.lines().any(|line| line == challenge), "{head}\n{challenge}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), reply.json);
}

#[test]
fn the_misspelt_tool() {
    let policy = SHIPPED.replace("delete_todo =", "delete_tood =");
    let output = run(&policy, &["policy", "check"]);
    assert_eq!(block("unknown-tool]"), String::from_utf8(output.stderr).unwrap());
}

#[test]
fn the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let wider = SHIPPED.replace("create_todo = { write =", "create_todo = { read =");
    fs::write(folder.path().join("old.toml"), SHIPPED).unwrap();
    fs::write(folder.path().join("policy.toml"), wider).unwrap();
    let output = command(folder.path()).args(["policy", "diff", "old.toml"]).output().unwrap();
    assert_eq!(block("create_todo widens"), String::from_utf8(output.stdout).unwrap());
}

#[test]
fn the_explanation() {
    let arguments = ["policy", "explain", "--tool", "purge_todos", "--scopes", "todo:write"];
    let output = run(SHIPPED, &arguments);
    assert_eq!(block("purge_todos: not allowed"), String::from_utf8(output.stdout).unwrap());
}

/// The policy that the README explains is a part of the shipped policy, and the excerpts that
/// depend on the todo server's tools are valid for them.
#[test]
fn the_policy_of_the_todo_server() {
    let spaceless =
        |line: &str| line.split('#').next().unwrap().split_whitespace().collect::<String>();
    let shipped: Vec<String> = SHIPPED.lines().map(spaceless).collect();
    for line in shown_first("# needs both").lines() {
        assert!(shipped.contains(&spaceless(line)), "{line}");
    }
    let tested = format!("{SHIPPED}\n{}", block("name = \"a reader looks"));
    let output = run(&tested, &["policy", "test"]);
    assert!(output.status.success(), "{output:?}");
    let plain = "update_todo = { write = \"todo\" }\n";
    let conditional = SHIPPED.replace(plain, "") + block("[[tools.update_todo.when]]");
    let output = run(&conditional, &["policy", "lint", "--deny", "warning"]);
    assert!(output.status.success(), "{output:?}");
}

/// The scopes for fragments of a policy that have no `[scopes]`.
const SCOPES: &str = r#"
[scopes]
"todo:read" = "See your todos"
"todo:write" = { title = "Create and change your todos", implies = ["todo:read"] }
"todo:admin" = "See and clear everyone's todos"
"admin:access" = "Do what administrators do"
"diary:read" = "Read the diary"
"#;

/// A whole policy: a fragment, and the tables that the fragment leaves out.
fn completed(fragment: &str) -> String {
    let has = |table: &str| fragment.lines().any(|line| line.trim_end() == table);
    let server = if has("[server]") { "" } else { "[server]\nurl = \"http://localhost/mcp\"\n" };
    let scopes = if has("[scopes]") { "" } else { SCOPES };
    format!("version = 1\n{server}{scopes}\n{fragment}")
}

/// Each TOML block is a policy or a part of a policy, unless its fence names another kind of file.
#[test]
fn the_policies() {
    let mut policies = 0;
    for Block { page, info, text } in blocks() {
        match info {
            "toml" => {
                let is_whole = text.contains("version = 1\n");
                let policy = if is_whole { text.to_owned() } else { completed(text) };
                let found = CompiledPolicy::compile(Source::new(page, policy.as_str()));
                assert!(found.is_ok(), "{}", found.unwrap_err());
                policies += 1;
            }
            "toml,registered" => {
                let found = Snapshot::parse(&Source::new(page, text));
                assert!(found.is_ok(), "{}", found.unwrap_err());
            }
            "toml,revoked" => {
                let folder = tempfile::tempdir().unwrap();
                fs::create_dir(folder.path().join("data")).unwrap();
                fs::write(folder.path().join("data/revoked.toml"), text).unwrap();
                let output = command(folder.path()).args(["revocation", "list"]).output().unwrap();
                assert!(output.status.success(), "{page}: {output:?}");
            }
            other => assert!(!other.starts_with("toml"), "{page}: what is `{other}`?"),
        }
    }
    assert!(policies >= 10, "only {policies} policies were found");
}

/// The starts of a command line in the documentation.
const PROGRAMS: [&str; 5] = [
    "cargo run -q -- ",
    "cargo run --quiet -- ",
    "cargo run -- ",
    "target/release/greeter ",
    "/usr/bin/todo ",
];

/// The commands of the program, and whether each has subcommands.
const COMMANDS: [(&str, bool); 9] = [
    ("serve", false),
    ("health", false),
    ("policy", true),
    ("resource", true),
    ("provider", true),
    ("audit", true),
    ("revocation", true),
    ("doctor", false),
    ("token", false),
];

/// The words of a command line, up to the first character that is special to the shell.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next().filter(|first| !"#|&;)>\n".contains(*first)) {
        let (word, after) = if first == '"' || first == '\'' {
            rest[1..].split_once(first).unwrap()
        } else {
            rest.split_at(rest.find(|c: char| c.is_whitespace() || c == ')').unwrap_or(rest.len()))
        };
        words.push(word.to_owned());
        rest = after.trim_start_matches(' ');
    }
    words
}

/// The commands in the inline code of a page, such as `policy lint`.
fn inline(page: &Page) -> impl Iterator<Item = Vec<String>> {
    let prose = page.text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).filter_map(|code| {
        let program = PROGRAMS.iter().find_map(|program| code.strip_prefix(program));
        let line = words(program.unwrap_or(code));
        let (_, has_more) =
            COMMANDS.iter().find(|(name, _)| line.first().is_some_and(|w| w == name))?;
        // Skips settings such as `provider = "okta"`, and `policy …`, which stands for all commands
        // that begin with `policy`.
        let second = line.get(1).map_or("", String::as_str);
        let is_command = if *has_more {
            !second.is_empty() && second.chars().all(|c| c.is_ascii_lowercase())
        } else {
            second != "=" && second != "…"
        };
        is_command.then_some(line)
    })
}

/// Each command in the documentation exists, with its options.
#[test]
fn the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let shown = blocks().flat_map(|Block { page, text, .. }| {
        let lines = PROGRAMS.iter().flat_map(|program| {
            text.match_indices(program).map(|(at, _)| words(&text[at + program.len()..]))
        });
        lines.map(|line| (page, line)).collect::<Vec<_>>()
    });
    let named = PAGES.iter().flat_map(|page| inline(page).map(|line| (&*page.path, line)));
    let mut all: Vec<_> = shown.chain(named).collect();
    all.sort_by(|(_, one), (_, other)| one.cmp(other));
    all.dedup_by(|(_, one), (_, other)| one == other);
    assert!(all.len() >= 30, "only {} commands were found", all.len());
    for (page, line) in all {
        let output = command(folder.path()).args(&line).arg("--help").output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{page} shows `{}`:\n{error}", line.join(" "));
    }
}
