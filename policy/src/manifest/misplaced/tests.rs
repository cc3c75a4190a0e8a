//! Each entry in a wrong table has one finding, which says where it stands and where it belongs.

use crate::{
    Declaration, Feature, Location, Registry,
    diagnostic::{Diagnostics, Source},
    lint::{self, LintInputs, Stage},
};

const fn declared(feature: Feature, name: &'static str) -> Declaration {
    Declaration::new(feature, name, &["todo:read"], &[], Location::new("src/t.rs", 1, 1))
        .with_hints(Some(true), None)
}

const DECLARED: &[Declaration] = &[
    declared(Feature::Tool, "list_todos"),
    declared(Feature::Tool, "get_todo"),
    declared(Feature::Tool, "find_todo"),
    declared(Feature::Resource, "todos://all"),
];

const GOOD: &str = r#"version = 1
[server]
url = "http://localhost:3002/mcp"
[scopes]
"todo:read" = "See your todos"
[resources]
"todos://all" = { read = "todo" }
[tools]
get_todo = { read = "todo" }
find_todo = { read = "todo" }
[tools.list_todos]
read = "todo"
[[tools.list_todos.when]]
if = "has(args.all) && args.all"
read = "todo"
"#;

fn lint(text: &str) -> Diagnostics {
    let registry = Registry::new(DECLARED);
    let now = std::time::UNIX_EPOCH;
    let inputs = LintInputs { registry: &registry, snapshot: None, now };
    lint::examine(&Source::new("policy.toml", text), &inputs, Stage::Advice).found
}

#[test]
fn an_entry_in_a_wrong_table_is_told_where_it_belongs() {
    assert!(lint(GOOD).is_empty(), "{}", lint(GOOD).render(false));
    let get = "get_todo = { read = \"todo\" }\n";
    let resource = "\"todos://all\" = { read = \"todo\" }\n";
    let scope = "\"todo:read\" = \"See your todos\"\n";
    let without = |line: &str| {
        assert_eq!(GOOD.matches(line).count(), 1, "{line}");
        GOOD.replace(line, "")
    };
    let after = |line: &str, header: &str| format!("{}{header}{line}", without(line));
    let texts = [
        after(get, ""),
        after(resource, ""),
        after(get, "[tools.list_todos.allow]\n"),
        after(get, "[[test]]\nscopes = []\ncan_read = []\n"),
        after(get, "[[invariant]]\ntools = \"all\"\nneeds = { read = \"todo\" }\n"),
        after(get, "[[client]]\nid = \"a\"\nredirect_uris = []\n"),
        after(get, "[lint]\n"),
        without(get).replace("[server]\n", &format!("[server]\n{get}")),
        without(get).replace("[server]\n", &format!("{get}[server]\n")),
        without(resource).replace("[scopes]\n", &format!("[scopes]\n{resource}")),
        after(scope, ""),
        without(scope).replace("[server]\n", &format!("[server]\n{scope}")),
        without(scope).replace("[tools]\n", &format!("[tools]\n{scope}")),
        without("version = 1\n").replace("[server]\n", "[server]\nversion = 1\n"),
        after("version = 1\n", ""),
        // A header that is missing.
        without("[tools]\n"),
        without("[resources]\n"),
        without("[scopes]\n"),
    ];
    let mut said = String::new();
    for text in texts {
        let found = lint(&text);
        assert_eq!(found.iter().count(), 1, "{text}\n{}", found.render(false));
        said += &found.render(false);
    }
    insta::assert_snapshot!("misplaced", said);
}

#[test]
fn a_missing_header_and_a_missing_version_are_fixed() {
    let registry = Registry::new(DECLARED);
    let now = std::time::UNIX_EPOCH;
    let inputs = LintInputs { registry: &registry, snapshot: None, now };
    let fixed = |text: &str| {
        let fixed = lint::fix::fix(&Source::new("policy.toml", text), &inputs).unwrap();
        fixed.source.text().to_owned()
    };
    let table = "[tools]\nget_todo";
    assert_eq!(fixed(&GOOD.replace(table, "get_todo")), GOOD);
    for head in ["", "# About.\n\n", "# About.\n", "#:schema x\n# About.\n\n# The server.\n"] {
        let comment = head.strip_suffix("# The server.\n").unwrap_or(head);
        let rest = GOOD.strip_prefix("version = 1\n").unwrap();
        let below = &head[comment.len()..];
        let expected = format!("{comment}version = 1\n\n{below}{rest}");
        assert_eq!(fixed(&format!("{head}{rest}")), expected, "{head:?}");
    }
    let missing = lint(GOOD.strip_prefix("version = 1\n").unwrap());
    assert_eq!(missing.to_string(), "policy.toml:1:1: error: the policy does not say its version");
}
