//! Each mistake of syntax gives one finding, at its place, and the rest of the file is read.

use proptest::prelude::*;

use crate::{
    Declaration, Feature, Location, Registry,
    diagnostic::{Diagnostics, Source},
    lint::{self, LintInputs, Stage},
};

const GOOD: &str = r#"# A policy.
version = 1

[server]
url = "http://localhost:3002/mcp"
list = "step_up"   # all

[scopes]
"todo:read"  = "See your todos"
"todo:write" = { title = "Change your todos", implies = ["todo:read"] }

[tools]
list_todos  = { read = "todo" }
get_todo    = { read = "todo" } # one
create_todo = { write = "todo" }
update_todo = { all_of = ["todo:read", "todo:write"], allow = { redundant-scope = "clear" } }
delete_todo = {
    write = "todo",
    hidden = true,
}

[tools.close_todo]
write = "todo"

[[tools.close_todo.when]]
if = '''
args.done == true
'''
write = "todo"

[[tools.close_todo.when]]
if = '''args.all == true'''
all_of = [
    "todo:write", # the one
]

[resources]
"todos://all" = { read = "todo" }

[[test]]
scopes = ["todo:read"]
can = ["list_todos"]
"#;

const fn tool(name: &'static str, scopes: &'static [&'static str]) -> Declaration {
    Declaration::new(Feature::Tool, name, scopes, &[], Location::new("src/t.rs", 1, 1))
        .with_hints(Some(false), Some(false))
}

const DECLARED: &[Declaration] = &[
    tool("list_todos", &["todo:read"]).with_hints(Some(true), None),
    tool("get_todo", &["todo:read"]).with_hints(Some(true), None),
    tool("create_todo", &["todo:write"]),
    tool("update_todo", &["todo:write"]),
    tool("delete_todo", &["todo:write"]),
    tool("close_todo", &["todo:write"]),
    Declaration::new(
        Feature::Resource,
        "todos://all",
        &["todo:read"],
        &[],
        Location::new("src/t.rs", 1, 1),
    ),
];

fn lint(text: &str) -> Diagnostics {
    let registry = Registry::new(DECLARED);
    let now = std::time::UNIX_EPOCH;
    let inputs = LintInputs { registry: &registry, snapshot: None, now };
    lint::examine(&Source::new("policy.toml", text), &inputs, Stage::Advice).found
}

/// Each mistake: what is replaced, by what, and the place of the only finding.
const MISTAKES: &[(&str, &str, &str)] = &[
    // A bracket is missing.
    ("create_todo = { write = \"todo\" }", "create_todo = { write = \"todo\"", "15:15"),
    ("list_todos  = { read = \"todo\" }", "list_todos  = { read = \"todo\"", "13:15"),
    ("{ read = \"todo\" } # one", "{ read = \"todo\"   # one", "14:15"),
    ("\"todo:read\"] }", "\"todo:read\"]", "10:16"),
    ("\"todo:read\"] }", "\"todo:read\" }", "10:57"),
    ("\"clear\" } }", "\"clear\" }", "16:15"),
    ("    hidden = true,\n}", "    hidden = true,", "17:15"),
    ("    hidden = true,\n}", "    hidden = true", "17:15"),
    ("    \"todo:write\", # the one\n]", "    \"todo:write\", # the one", "33:10"),
    ("scopes = [\"todo:read\"]", "scopes = [\"todo:read\"", "41:10"),
    ("can = [\"list_todos\"]", "can = [\"list_todos\"", "42:7"),
    ("\"todos://all\" = { read = \"todo\" }", "\"todos://all\" = { read = \"todo\"", "38:17"),
    // One is too many.
    ("create_todo = { write = \"todo\" }", "create_todo = { write = \"todo\" } }", "15:34"),
    ("scopes = [\"todo:read\"]", "scopes = [\"todo:read\"]]", "41:23"),
    // A quote is missing, or one is too many.
    ("list = \"step_up\"", "list = \"step_up", "6:8"),
    ("list = \"step_up\"", "list = step_up\"", "6:8"),
    ("list = \"step_up\"", "list = step_up", "6:8"),
    ("list = \"step_up\"", "list = \"step_up\"\"", "6:17"),
    ("list = \"step_up\"", "list = \"\"step_up\"", "6:8"),
    ("list = \"step_up\"", "list\" = \"step_up\"", "6:5"),
    ("list = \"step_up\"", "list = 'step_up\"", "6:8"),
    ("list = \"step_up\"", "list = “step_up”", "6:8"),
    ("create_todo = { write = \"todo\" }", "create_todo = { write = \"todo }", "15:25"),
    ("create_todo = { write = \"todo\" }", "create_todo = { write = todo\" }", "15:25"),
    ("\"todo:read\"  =", "\"todo:read  =", "9:1"),
    ("\"todo:read\"  =", "todo:read\"  =", "9:1"),
    ("\"todo:read\"  =", "todo:read  =", "9:1"),
    ("title = \"Change your todos\",", "title = \"Change your todos,", "10:26"),
    ("args.done == true\n'''", "args.done == true", "26:6"),
    ("'''args.all == true'''", "'''args.all == true", "32:6"),
    ("'''args.all == true'''", "args.all == true'''", "32:6"),
    ("if = '''\nargs.done", "if =\nargs.done", "26:1"),
    // `=` or a value is missing.
    ("list = \"step_up\"", "list \"step_up\"", "6:1"),
    ("list = \"step_up\"", "list: \"step_up\"", "6:5"),
    ("list = \"step_up\"", "list = = \"step_up\"", "6:8"),
    ("list = \"step_up\"", "list =", "6:1"),
    ("list = \"step_up\"", "list", "6:1"),
    ("list = \"step_up\"", "= \"step_up\"", "6:1"),
    ("list_todos  = { read = \"todo\" }", "list_todos    { read = \"todo\" }", "13:1"),
    ("list_todos  = { read = \"todo\" }", "list_todos  = { read \"todo\" }", "13:17"),
    ("version = 1", "version 1", "2:1"),
    ("\"todo:read\", \"todo:write\"]", "\"todo:read\" \"todo:write\"]", "16:39"),
    ("hidden = true", "hidden = True", "19:14"),
    ("list = \"step_up\"", "list = \"a\\qb\"", "6:11"),
    ("list = \"step_up\"", "list = \"step_up\" audit = \"required\"", "6:18"),
    // A header.
    ("[tools]\n", "[tools\n", "12:1"),
    ("[tools]\n", "tools]\n", "12:1"),
    ("[tools]\n", "[[tools]\n", "12:1"),
    ("[tools]\n", "[tools]]\n", "12:1"),
    ("[scopes]\n", "[scopes\n", "8:1"),
    ("[server]\n", "[server # here\n", "4:1"),
    ("[[test]]", "[[test]", "40:1"),
    ("[[test]]", "[[test", "40:1"),
    ("[[test]]", "[test]]", "40:1"),
    ("[[tools.close_todo.when]]\nif = '''\n", "[[tools.close_todo.when]\nif = '''\n", "25:1"),
    ("[[tools.close_todo.when]]\nif = '''\n", "[[tools.close_todo.when\nif = '''\n", "25:1"),
    ("[resources]\n", "[resources] # x\ny z\n", "38:1"),
    // A table in `{ … }` cannot be added to.
    ("\ndelete_todo = {\n", "\nclose_todo = { write = \"todo\" }\ndelete_todo = {\n", "23:8"),
    // A table twice.
    ("[resources]\n", "[tools]\nx = { read = \"todo\" }\n[resources]\n", "37:2"),
    // The same key twice.
    ("get_todo    =", "list_todos  =", "14:1"),
    ("list = \"step_up\"", "list = \"step_up\"\nlist = \"callable\"", "7:1"),
];

#[test]
fn each_mistake_of_syntax_gives_one_finding_at_its_place() {
    let good = lint(GOOD);
    assert!(good.is_empty(), "{}", good.render(false));
    let mut texts = String::new();
    let mut wrong = vec![];
    for (from, to, place) in MISTAKES {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let found = lint(&GOOD.replace(from, to));
        let all: Vec<_> = found.iter().collect();
        let places: Vec<String> = all
            .iter()
            .map(|finding| {
                let (line, column) = found.source().position(finding.span().start);
                format!("{line}:{column}")
            })
            .collect();
        // A name that stands twice hides the one that was meant, and that one has no rule.
        let is_one = places.len() == 1 || from.starts_with("get_todo");
        if !is_one || !places.contains(&(*place).to_owned()) {
            wrong.push(format!(
                "== {to} (wanted {place}, found {places:?})\n{}",
                found.render(false)
            ));
        }
        texts.push_str(&format!("== {to}\n{}", found.render(false)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!("mistakes_of_syntax", texts);
}

/// What stands in other lines is reported as if the broken line were whole.
#[test]
fn the_rest_of_the_file_is_read() {
    let text = GOOD
        .replace("create_todo = { write = \"todo\" }", "create_todo = { write = \"todo\"")
        .replace("[resources]\n", "[resources\n")
        .replace("list_todos  = { read = \"todo\" }", "list_todos  = { raed = \"todo\" }")
        .replace("\"todos://all\" = { read = \"todo\" }", "\"todos://all\" = { read = \"toto\" }");
    let found = lint(&text);
    let lines: Vec<usize> =
        found.iter().map(|finding| found.source().position(finding.span().start).0).collect();
    assert_eq!(lines, [13, 15, 37, 38], "{}", found.render(false));
}

/// A file of any length is answered, in time that grows with its length.
#[test]
fn many_mistakes_are_not_all_reported() {
    let found = lint(&"a = [\n".repeat(20_000));
    assert!(found.iter().count() <= 21);
    let found = lint(&"]\n\"\n= =\n[[\n".repeat(20_000));
    assert!(found.iter().count() <= 21);
}

/// Every bracket, quote and `=` of the file, left out or doubled: the statement that it stands in has
/// one finding, and no other statement has one.
#[test]
fn each_sign_left_out_or_doubled_is_found_in_its_statement() {
    let mut wrong = vec![];
    let mut tried = 0;
    for (at, sign) in GOOD.char_indices().filter(|(_, c)| "{}[]\"'=".contains(*c)) {
        let line_start = GOOD[..at].rfind('\n').map_or(0, |newline| newline + 1);
        if GOOD[line_start..at].contains('#') {
            continue;
        }
        for put in ["", &format!("{sign}{sign}")] {
            let text = format!("{}{put}{}", &GOOD[..at], &GOOD[at + 1..]);
            let found = lint(&text);
            if !found.iter().any(|finding| finding.kind() == crate::mistake::INVALID_TOML) {
                continue;
            }
            tried += 1;
            let line = GOOD[..at].matches('\n').count() + 1;
            let (first, last) = match line {
                17..=20 => (17, 20),
                26..=28 => (26, 28),
                33..=35 => (33, 35),
                line => (line, line),
            };
            let places: Vec<usize> = found
                .iter()
                .map(|finding| found.source().position(finding.span().start).0)
                .collect();
            if places.len() != 1 || !(first..=last).contains(&places[0]) {
                wrong.push(format!(
                    "== {sign} → {put} at {line}, found {places:?}\n{}",
                    found.render(false)
                ));
            }
        }
    }
    assert!(tried > 150, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried}\n{}", wrong.len(), wrong.join("\n"));
}

/// Every statement of up to five signs that quotes, backslashes and ends of lines can make is answered.
#[test]
fn every_short_statement_is_answered() {
    const SIGNS: [char; 8] = ['"', '\'', '\\', '\n', ':', '=', ']', 'a'];
    let mut statements = vec![String::new()];
    let mut longest = 0..1;
    for _ in 0..5 {
        for at in longest.clone() {
            for sign in SIGNS {
                let longer = format!("{}{sign}", statements[at]);
                statements.push(longer);
            }
        }
        longest = longest.end..statements.len();
    }
    assert_eq!(statements.len(), 37_449);
    for statement in statements {
        // Once as the last one of a file, and once before another.
        for after in ["", "\n[tools]\nx = 1\n"] {
            let source = Source::new("policy.toml", format!("version = 1\n{statement}{after}"));
            let (_, repaired) = super::repair(&source);
            let _ = repaired.restore(vec![]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Any text is answered: with a finding, or because it is a policy.
    #[test]
    fn any_text_is_answered(
        text in r#"([\[\]{}"'=,.#:a-c\n \t\\é1]|'''|"""|\[tools\]\n|x = \{|version = 1){0,40}"#
    ) {
        let found = lint(&text);
        prop_assert!(!found.is_empty());
        found.render(false);
    }

    /// So is the good policy with any part of it replaced.
    #[test]
    fn any_change_is_answered(
        at in 0..GOOD.len(),
        length in 0_usize..30,
        put in r#"[\[\]{}"'=,#é\n ]{0,4}"#,
    ) {
        let end = (at + length).min(GOOD.len());
        lint(&format!("{}{put}{}", &GOOD[..at], &GOOD[end..])).render(false);
    }
}
