//! Runs every lint on its own examples, and lints two hundred mutations of a good policy.

use super::*;
use crate::{Feature, Location, Operation, effort::Effort, entailment::Unproved, model::model};
use proptest::prelude::*;

pub(super) fn now() -> SystemTime {
    // 2026-11-24T12:00:00Z
    SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(498_756)
}

/// Lints a whole file.
fn lint(text: &str, registry: &Registry) -> Diagnostics {
    let inputs = LintInputs { registry, snapshot: None, now: now() };
    examine(&Source::new("policy.toml", text), &inputs, Stage::Advice).found
}

pub(crate) fn lint_example(example: &Example) -> Diagnostics {
    let registry = Registry::new(example.declared);
    let snapshot =
        example.snapshot.map(|text| Snapshot::parse(&Source::new(Snapshot::FILE, text)).unwrap());
    let inputs = LintInputs { registry: &registry, snapshot: snapshot.as_ref(), now: now() };
    let source = Source::new("policy.toml", example.whole());
    examine(&source, &inputs, Stage::Advice).found
}

#[test]
fn every_lint_speaks_on_its_bad_example_and_only_there() {
    for lint in LINTS {
        let bad = lint_example(&lint.bad);
        let spoken: Vec<&str> = bad.iter().map(|finding| finding.kind().name).collect();
        assert!(spoken.contains(&lint.kind.name), "{}: {spoken:?}\n{bad}", lint.kind.name);
        let good = lint_example(&lint.good);
        assert!(good.is_empty(), "{}:\n{}", lint.kind.name, good.render(false));
        insta::assert_snapshot!(lint.kind.name, bad.render(false));
        assert!(explain(lint.kind.id).unwrap().contains(lint.why));
        assert_eq!(explain(lint.kind.id), explain(lint.kind.name));
    }
}

#[test]
fn ids_and_names_are_unique_and_in_order() {
    let lints: Vec<Kind> = LINTS.iter().map(|lint| lint.kind).collect();
    assert!(lints.is_sorted_by_key(|kind| kind.id), "the list follows the ids");
    let all: Vec<Kind> = kinds().collect();
    for (index, kind) in all.iter().enumerate() {
        let others = &all[index + 1..];
        assert!(others.iter().all(|other| other.id != kind.id && other.name != kind.name));
        assert!(explain(kind.id).unwrap().contains(kind.summary), "{}", kind.id);
    }
    assert!(explain("all").unwrap().lines().count() == all.len());
    assert!(explain("SW999").is_none());
    let pages: Vec<String> = all.iter().map(|kind| explain(kind.id).unwrap()).collect();
    insta::assert_snapshot!("explain", pages.join("\n----\n"));
}

/// Two parts of a server have one resource: both places are named.
#[test]
fn resources_of_two_parts_may_not_overlap() {
    const fn item(uri: &'static str, file: &'static str) -> Declaration {
        Declaration::new(Feature::Resource, uri, &[], &[], Location::new(file, 1, 1))
    }
    const PARTS: &[&[Declaration]] = &[
        &[item("note://{id}", "src/notes.rs")],
        &[],
        &[item("note://{name}", "src/sharing.rs"), item("note://all", "src/sharing.rs")],
    ];
    let registry = Registry::of_parts(PARTS);
    let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n";
    let found = lint(text, &registry).render(false);
    let (_, twice) = found.split_once("SW027").unwrap();
    assert!(twice.contains("src/notes.rs:1:1 and src/sharing.rs:1:1"), "{found}");
    assert_eq!(found.matches("SW027").count(), 1, "{found}");
}

const READER: Declaration =
    Declaration::new(Feature::Tool, "list", &["a:read"], &[], Location::new("src/t.rs", 1, 1))
        .with_hints(Some(true), None);

fn levels(lines: &str) -> String {
    format!(
        "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n\
         [scopes]\n\"a:read\" = \"R\"\n\"a:more\" = \"M\"\n[tools]\nlist = {{ read = \"a\" }}\n{lines}"
    )
}

#[test]
fn levels_are_set_in_the_lint_table() {
    let registry = Registry::new(&[READER]);
    let said = |lines: &str| lint(&levels(lines), &registry).to_string();
    assert!(said("").contains("warning: `a:more` is registered"));
    assert!(said("[lint]\nunused-scope = \"error\"").contains("error: `a:more`"));
    assert!(said("[lint]\nSW011 = \"error\"").contains("error: `a:more`"), "by id as well");
    assert_eq!(said("[lint]\nunused-scope = \"off\""), "");
    assert!(said("[lint]\nunused-scop = \"off\"").contains("no lint named `unused-scop`"));
    assert!(said("[lint]\nweakened = \"off\"").contains("`weakened` is part of the startup check"));
    assert!(said("[lint]\nunused-scope = \"quiet\"").contains("cannot be \"quiet\""));
}

#[test]
fn a_finding_is_silenced_on_its_line_with_a_reason() {
    let registry = Registry::new(&[READER]);
    let with = |allow: &str| {
        let scope = format!("\"a:more\" = {{ title = \"M\", allow = {{ {allow} }} }}");
        lint(&levels("").replace("\"a:more\" = \"M\"", &scope), &registry).to_string()
    };
    assert_eq!(with("unused-scope = \"next week's tool\""), "");
    assert!(with("unused-scope = \" \"").contains("is empty"), "a reason is one");
    assert!(with("idle-scope = \"x\"").contains("nothing to allow"), "stale");
    assert!(with("weakened = \"x\"").contains("stays an error"));
    let off = "[lint]\nunused-scope = \"off\"";
    let scope = "\"a:more\" = { title = \"M\", allow = { unused-scope = \"x\" } }";
    let both = levels(off).replace("\"a:more\" = \"M\"", scope);
    assert_eq!(lint(&both, &registry).to_string(), "", "what is not asked cannot be stale");
}

#[test]
fn fixes_keep_comments_layout_and_access() {
    const EDITOR: Declaration =
        Declaration::new(Feature::Tool, "edit", &["a:write"], &[], Location::new("src/t.rs", 9, 1))
            .with_hints(Some(false), Some(false));
    let text = r#"# top
version = 1

[server]
url = "http://localhost:3002/mcp" # where
check = "warn"   # former

[scopes]
"a:read"  = "R"   # see
"a:write" = { title = "W", implies = ["a:read"] }
"a:admin" = { title = "A", implies = ["a:read", "a:write"], allow = { idle-scope = "no" } } # all

[tools]
# the reader
list = { any_of = [ "a:read", "a:admin" ], relax = "old" } # look
edit = { all_of = [
    "a:read", # to look
    "a:write", # to change
] }
"#;
    let registry = Registry::new(&[READER, EDITOR]);
    let inputs = LintInputs { registry: &registry, snapshot: None, now: now() };
    let fixed = fix::fix(&Source::new("policy.toml", text), &inputs).unwrap();
    let done: Vec<String> =
        fixed.done.iter().map(|(line, what)| format!("{line}: {what}")).collect();
    insta::assert_snapshot!("fixed", format!("{}\n---\n{}", done.join("\n"), fixed.source.text()));
    let again = fix::fix(&fixed.source, &inputs).unwrap();
    assert!(again.done.is_empty(), "{:?}", again.done);
}

/// Reads, fixes and reads again a policy whose server stands under `[resource]`, the former name.
fn fix_the_former_name(written: &str) -> String {
    let rest = "[scopes]\n\"a:read\" = \"R\"\n[tools]\nlist = { read = \"a\" }\n";
    let source = Source::new("policy.toml", format!("version = 1\n{written}{rest}"));
    let registry = Registry::new(&[READER]);
    let inputs = LintInputs { registry: &registry, snapshot: None, now: now() };
    let found = examine(&source, &inputs, Stage::Advice).found;
    let is_name = |one: &&Diagnostic| one.message() == "`[resource]` is called `[server]` now";
    assert_eq!(found.iter().filter(is_name).count(), 1, "{found}");
    // The other findings are about the providers, which no fix can set up.
    let others = found.iter().count() - 1;
    let fixed = fix::fix(&source, &inputs).unwrap();
    let found = examine(&fixed.source, &inputs, Stage::Advice).found;
    assert_eq!(found.iter().count(), others, "{found}\n{}", fixed.source.text());
    let written = fixed.source.text().strip_prefix("version = 1\n").unwrap();
    written.strip_suffix(rest).unwrap().to_owned()
}

#[test]
fn a_fix_renames_the_server_table_in_every_form() {
    let table = "\n# ours\n[ resource ] # here\nurl = \"https://a.example\" # where\n\
                 \n# theirs\n[[ resource.also ]] # the old one\nprovider = \"google\"\n\
                 [[ resource.also ]]\nprovider = \"entra\"\n\n";
    let dotted = "# ours\nresource.url = \"https://a.example\" # where\n# more\n\
                  resource.list = \"callable\"\n\"resource\".also = [{ provider = \"google\" }]\n";
    let inline = "# ours\nresource   = { url = \"https://a.example\", list=\"callable\" } # here\n";
    let lines = "resource = { # ours\n  url = \"https://a.example\", # where\n}\n";
    for written in [table, dotted, inline, lines] {
        let new = written.replace("\"resource\"", "server").replace("resource", "server");
        assert_eq!(fix_the_former_name(written), new);
    }
}

#[test]
fn a_fix_of_a_key_in_the_table_with_the_former_name_goes_first() {
    let text = "version = 1\n[resource]\nurl = \"https://a.example\"\ncheck = \"warn\" # for now\n\
                registered = [\"a:read\", \"a:read\"]\n\
                [scopes]\n\"a:read\" = \"R\"\n[tools]\nlist = { read = \"a\" }\n";
    let registry = Registry::new(&[READER]);
    let inputs = LintInputs { registry: &registry, snapshot: None, now: now() };
    let fixed = fix::fix(&Source::new("policy.toml", text), &inputs).unwrap();
    let new = text
        .replace("[resource]", "[server]")
        .replace("check", "startup_check")
        .replace("\"a:read\", \"a:read\"", "\"a:read\"");
    assert_eq!(fixed.source.text(), new);
}

#[test]
fn two_server_tables_are_not_fixed() {
    let text = "version = 1\n[resource]\nurl = \"https://a.example\"\n\
                [server]\nurl = \"https://b.example\"\n";
    let registry = Registry::new(&[]);
    let inputs = LintInputs { registry: &registry, snapshot: None, now: now() };
    let found = lint(text, &registry);
    let names: Vec<&str> = found.iter().map(|finding| finding.kind().name).collect();
    assert_eq!(names, ["two-servers"]);
    let fixed = fix::fix(&Source::new("policy.toml", text), &inputs).unwrap();
    assert_eq!(fixed.source.text(), text, "which of them counts would be a guess");
}

/// Each condition is compared by itself. All of them multiplied have 8^9 alternatives.
#[test]
fn an_invariant_about_many_conditions_is_proved_one_by_one() {
    let scopes: String = (0..8).map(|n| format!("\"s:{n}\" = \"S\"\n")).collect();
    let any: Vec<String> = (0..8).map(|n| format!("\"s:{n}\"")).collect();
    let any = format!("any_of = [{}]", any.join(", "));
    let when: Vec<String> =
        (0..9).map(|n| format!("{{ if = \"args.x == {n}\", {any} }}")).collect();
    let found = |last: &str, enough: &str| {
        let text = format!(
            "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n\
             [scopes]\n{scopes}[tools]\nlist = {{ {any}, when = [{}{last}] }}\n\
             [[invariant]]\ntools = [\"list\"]\nenough = {{ {enough} }}",
            when.join(", ")
        );
        let found = lint(&text, &Registry::new(&[]));
        found.iter().filter(|one| one.kind() == verify::BROKEN_INVARIANT).count()
    };
    assert_eq!(found("", "all_of = [\"s:3\"]"), 0);
    assert_eq!(found("", "authenticated = true"), 1);
    let last = ", { if = \"args.y\", all_of = [\"s:7\"] }";
    assert_eq!(found(last, "all_of = [\"s:3\"]"), 1, "one condition refuses");
    assert_eq!(found(last, "all_of = [\"s:3\", \"s:7\"]"), 0);
}

const GOOD: &str = r#"version = 1
[server]
url = "http://localhost:3002/mcp"
provider = "embedded"
list = "step_up"
registered = ["todo:read", "todo:write", "todo:share", "admin:access"]
[scopes]
"todo:read" = "See your todos"
"todo:share" = { title = "Share your todos", implies = ["todo:read"] }
"todo:write" = { title = "Change your todos", implies = ["todo:share"] }
"admin:access" = { title = "See everyone's todos", step_up = true }
[tools]
list_todos = { read = "todo" }
share_todo = { any_of = ["todo:share", { all_of = ["todo:read", "admin:access"] }] }
create_todo = { write = "todo" }
purge_todos = { all_of = ["todo:write", "admin:access"] }
whoami = { authenticated = true, hidden = true }
[[invariant]]
name = "nothing destructive without todo:write"
tools = "destructive"
needs = { write = "todo" }
[[test]]
scopes = ["todo:read"]
can = ["list_todos"]
cannot = ["create_todo", "purge_todos", "share_todo"]
"#;

const fn declared(name: &'static str, scopes: &'static [&'static str]) -> Declaration {
    Declaration::new(Feature::Tool, name, scopes, &[], Location::new("src/tools.rs", 1, 1))
}

pub(super) const TOOLS: &[Declaration] = &[
    declared("list_todos", &["todo:read"]).with_hints(Some(true), None),
    declared("share_todo", &["todo:read"]).with_hints(None, Some(false)),
    declared("create_todo", &["todo:write"]).with_hints(None, Some(false)),
    declared("purge_todos", &["todo:write", "admin:access"]).with_hints(None, Some(true)),
    declared("whoami", &[]).with_hints(Some(true), None),
];

/// A changed policy, and the line of the change.
struct Mutation {
    what: String,
    text: String,
    line: usize,
}

fn mutations() -> Vec<Mutation> {
    let mut list = vec![];
    let lines: Vec<&str> = GOOD.lines().collect();
    let mut add = |what: String, text: String, line: usize| {
        if text != GOOD {
            list.push(Mutation { what, text, line });
        }
    };
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    for number in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(number);
        add(format!("drop line {}", number + 1), joined(&dropped), number + 1);
        let mut doubled = lines.clone();
        doubled.insert(number, lines[number]);
        add(format!("double line {}", number + 1), joined(&doubled), number + 1);
        if number + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(number, number + 1);
            add(
                format!("swap lines {} and {}", number + 1, number + 2),
                joined(&swapped),
                number + 1,
            );
        }
    }
    // Misspell each word twice: without its second letter, and with two letters turned.
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut at = 0;
    while let Some(start) = GOOD[at..].find(is_letter).map(|n| at + n) {
        let end = GOOD[start..].find(|c| !is_letter(c)).map_or(GOOD.len(), |n| start + n);
        if end - start > 2 {
            let text = format!("{}{}", &GOOD[..=start], &GOOD[start + 2..]);
            let line = GOOD[..start].matches('\n').count() + 1;
            add(format!("misspell `{}` in line {line}", &GOOD[start..end]), text, line);
            let (head, tail) = (&GOOD[..=start], &GOOD[start + 3..]);
            let turned: String = GOOD[start + 1..start + 3].chars().rev().collect();
            let text = format!("{head}{turned}{tail}");
            add(format!("turn letters of `{}` in line {line}", &GOOD[start..end]), text, line);
        }
        at = end;
    }
    let mut replace = |from: &str, to: &str| {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let line = GOOD[..GOOD.find(from).unwrap()].matches('\n').count() + 1;
        add(format!("{from} → {to}"), GOOD.replace(from, to), line);
    };
    // Weaken rules, and let scopes imply each other.
    replace("create_todo = { write = \"todo\" }", "create_todo = { read = \"todo\" }");
    replace("create_todo = { write = \"todo\" }", "create_todo = { authenticated = true }");
    replace(
        "{ all_of = [\"todo:write\", \"admin:access\"] }",
        "{ any_of = [\"todo:write\", \"admin:access\"] }",
    );
    replace("{ all_of = [\"todo:write\", \"admin:access\"] }", "{ all_of = [\"todo:write\"] }");
    replace(
        "\"todo:read\" = \"See your todos\"",
        "\"todo:read\" = { title = \"R\", implies = [\"todo:write\"] }",
    );
    replace(
        "\"todo:read\" = \"See your todos\"",
        "\"todo:read\" = { title = \"R\", implies = [\"todo:read\"] }",
    );
    replace("implies = [\"todo:share\"]", "implies = [\"todo:write\"]");
    list
}

/// The decision about each tool for every set of scopes, and whether the tool is hidden.
fn access(policy: &CompiledPolicy) -> Vec<(String, u32, bool)> {
    let names = ["todo:read", "todo:share", "todo:write", "admin:access"];
    let mut access = vec![];
    for tool in TOOLS {
        let is_hidden = policy.rule(Feature::Tool, tool.name()).is_some_and(crate::Rule::is_hidden);
        access.push((format!("{} in {:?}", tool.name(), policy.list_mode()), 0, is_hidden));
        for bits in 0..16_u32 {
            let granted = (0..4).filter(|n| bits & (1 << n) != 0).map(|n| names[n]);
            let allowed =
                policy.decide(Operation::tool(tool.name()), &policy.hold(granted)).is_allow();
            access.push((tool.name().to_owned(), bits, allowed));
        }
    }
    access
}

/// Each mutation has a finding near its line, or the mutated policy gives the same access.
#[test]
fn every_mutation_is_found_or_changes_nothing() {
    let registry = Registry::new(TOOLS);
    let good = lint(GOOD, &registry);
    assert!(good.is_empty(), "{}", good.render(false));
    let reference = CompiledPolicy::compile(Source::new("policy.toml", GOOD)).unwrap();
    let mutations = mutations();
    assert!(mutations.len() >= 200, "only {}", mutations.len());
    let mut equivalent = vec![];
    for Mutation { what, text, line } in &mutations {
        let found = lint(text, &registry);
        let last = text.lines().count() + 1;
        if found.is_empty() {
            let policy =
                CompiledPolicy::compile(Source::new("policy.toml", text.as_str())).unwrap();
            assert_eq!(access(&policy), access(&reference), "{what}: passes silently\n{text}");
            equivalent.push(what.clone());
            continue;
        }
        // A dropped or swapped line is missed in another place. Every other mutation is found on its
        // own line, or on the next one if a line was added.
        let places: Vec<usize> =
            found.iter().map(|f| found.source().position(f.span().start).0).collect();
        assert!(places.iter().all(|place| (1..=last).contains(place)), "{what}");
        if !what.starts_with("drop") && !what.starts_with("swap") {
            let near = places.iter().any(|place| place.abs_diff(*line) <= 1);
            let said = found.iter().any(|f| {
                f.kind().name.starts_with("failed")
                    || f.kind().name.starts_with("undefined")
                    || f.kind().name.ends_with("policy")
            });
            assert!(near || said, "{what}: found in {places:?}\n{}", found.render(false));
        }
        found.render(true);
    }
    insta::assert_snapshot!("equivalent_mutations", equivalent.join("\n"));
}

/// A policy that is cut off at any byte is answered. If it has no error, it gives the same access as
/// the whole policy.
#[test]
fn truncation_at_every_byte_is_answered() {
    let registry = Registry::new(TOOLS);
    let reference = CompiledPolicy::compile(Source::new("policy.toml", GOOD)).unwrap();
    for end in 0..GOOD.len() {
        let text = &GOOD[..end];
        let found = lint(text, &registry);
        found.render(false);
        if !found.has_errors() {
            let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
            assert_eq!(access(&policy), access(&reference), "cut at {end}:\n{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// An invariant is proved exactly when it holds for every set of scopes, and the
    /// counterexample is one.
    #[test]
    fn proofs_equal_brute_force(model in model()) {
        // The first tool's rule is the rule, the second's is what it must entail.
        prop_assume!(model.tools.len() >= 2);
        let policy = CompiledPolicy::compile(Source::new("policy.toml", model.text())).unwrap();
        let requirement = |tool: &str| &policy.rule(Feature::Tool, tool).unwrap().requirement;
        let effort = Effort::new(Effort::PROOFS);
        let proof = policy.entails(requirement("t0"), requirement("t1"), &effort);
        let scopes = model.implies.len();
        let breaks = |bits: u32| {
            let granted = (0..scopes).filter(|n| bits & (1 << n) != 0).collect();
            let held = model.holds(&granted);
            model.allows(0, &held) && !model.allows(1, &held)
        };
        prop_assert_eq!(proof.is_err(), (0..1_u32 << scopes).any(breaks));
        if let Err(Unproved::Counterexample(counterexample)) = proof {
            let numbers = counterexample.iter().map(|s| s.name().as_str()[2..].parse::<u32>().unwrap());
            prop_assert!(breaks(numbers.fold(0, |bits, n| bits | 1 << n)));
        }
    }

    /// Fixes leave access as it is, and after them no fix is left.
    #[test]
    fn fixes_never_change_access(model in model()) {
        let registry = Registry::new(&[]);
        let inputs = LintInputs { registry: &registry, snapshot: None, now: now() };
        let source = Source::new("policy.toml", model.text());
        let fixed = fix::fix(&source, &inputs).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let (old, new) = (
            CompiledPolicy::compile(source).unwrap(),
            CompiledPolicy::compile(fixed.source.clone()).map_err(|e| TestCaseError::fail(e.to_string()))?,
        );
        prop_assert!(crate::diff::compare(&old, &new).is_empty());
        let left = fix::fix(&fixed.source, &inputs).unwrap().done;
        prop_assert!(left.is_empty(), "{:?}", left);
    }
}

/// Each mistake that used to give several findings, and the only one that it gives now.
#[test]
fn one_cause_gives_one_finding() {
    const RIGHT: &[Declaration] = &[
        declared("list_todos", &["todo:read"]).with_hints(Some(true), None),
        declared("find_todo", &["todo:write"]).with_hints(Some(false), Some(false)),
    ];
    const MISSPELT: &[Declaration] = &[
        declared("list_todos", &["todo:raed"]).with_hints(Some(true), None),
        declared("find_todo", &["todo:raed"]).with_hints(Some(true), None),
    ];
    let policy = |rules: &str| {
        format!(
            "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n\
             \"todo:read\" = \"R\"\n\"todo:write\" = \"W\"\n[tools]\n{rules}"
        )
    };
    let rules = "list_todos = { read = \"todo\" }\nfind_todo = { read = \"todo\" }\n";
    let registry = Registry::new(MISSPELT);
    // A scope that is misspelt in the code, where all, one or none of its tools have a rule.
    let first = rules.lines().next().unwrap();
    for (rules, lints) in [
        (rules, &["undeclared-scope", "unused-scope"][..]),
        (first, &["tool-without-policy", "undeclared-scope", "unused-scope"]),
        ("", &["tool-without-policy", "undeclared-scope"]),
    ] {
        let source = Source::new("policy.toml", policy(rules));
        let inputs = LintInputs { registry: &registry, snapshot: None, now: now() };
        let found = examine(&source, &inputs, Stage::Advice).found;
        let mut names: Vec<&str> = found
            .iter()
            .filter(|one| one.severity() == Severity::Error)
            .map(|finding| finding.kind().name)
            .collect();
        names.sort_unstable();
        let errors: Vec<&str> =
            lints.iter().copied().filter(|name| *name != "unused-scope").collect();
        assert_eq!(names, errors, "{}", found.render(false));
        let text = found.render(false);
        assert!(text.contains("did you mean `todo:read`?"), "{text}");
        assert!(text.contains("declared at src/tools.rs:1:1"), "{text}");
        assert!(!text.contains("\"todo:raed\"]") && !text.contains("= \"todo:raed\""), "{text}");
        // No fix writes the misspelt scope into the policy.
        let fixed = fix::fix(&source, &inputs).unwrap().source;
        assert!(!fixed.text().contains("raed"), "{}", fixed.text());
    }
    // The corrected declaration has no finding.
    let right = Registry::new(RIGHT);
    let good = policy("list_todos = { read = \"todo\" }\nfind_todo = { write = \"todo\" }\n");
    assert!(lint(&good, &right).is_empty(), "{}", lint(&good, &right).render(false));
    // One mistake in the policy each.
    for (from, to, name) in [
        ("list_todos =", "list_tood =", "unknown-tool"),
        ("\"todo:read\" = \"R\"\n", "", "undefined-scope"),
        ("\"todo:read\" =", "\"todo:raed\" =", "undefined-scope"),
        ("\"todo:read\" =", "\"todo read\" =", "invalid-scope"),
        ("{ read = \"todo\" }", "{ raed = \"todo\" }", "unknown-key"),
        ("{ read = \"todo\" }", "{ read = \"toto\" }", "undefined-scope"),
        ("{ read = \"todo\" }", "\"todo:read\"", "wrong-type"),
        ("url =", "ulr =", "unknown-key"),
        ("url = \"http://localhost:3002/mcp\"", "url = 3002", "wrong-type"),
        ("[server]", "[sever]", "unknown-key"),
        ("version = 1", "verison = 1", "unknown-key"),
        ("[tools]", "[tool]", "unknown-key"),
        ("[scopes]", "[scope]", "unknown-key"),
        ("[scopes]", "registered = []\n[scopes]", "unreachable-tool"),
    ] {
        assert_eq!(good.matches(from).count(), 1, "{from}");
        let found = lint(&good.replace(from, to), &right);
        let errors = found.iter().filter(|finding| finding.severity() == Severity::Error);
        let mut names: Vec<&str> = errors.map(|finding| finding.kind().name).collect();
        // Each of the two scopes that are not registered is a cause of its own.
        names.dedup();
        assert_eq!(names, [name], "{to}\n{}", found.render(false));
    }
}

/// Mistakes in the header and in the keys of a condition: one finding each, with what was meant.
#[test]
fn a_misspelt_condition_is_one_finding() {
    const TOOL: Declaration = declared("share_note", &["a:read"]).with_hints(Some(true), None);
    let registry = Registry::new(&[TOOL]);
    let policy = |when: &str| {
        levels("").replace(
            "list = { read = \"a\" }",
            &format!("[tools.share_note]\nread = \"a\"\n{when}"),
        )
    };
    let good = "[[tools.share_note.when]]\nif = \"claims.sub == 'x' && has(claims.x)\"\nall_of = [\"a:more\"]\n";
    assert!(lint(&policy(good), &registry).is_empty(), "{}", lint(&policy(good), &registry));
    let mut said = String::new();
    for (from, to, meant) in [
        ("share_note", "share_not", "did you mean `share_note`?"),
        ("if =", "iff =", "did you mean `if`?"),
        ("if =", "when =", "the condition does not say when"),
        ("==", "=", "write `==`"),
        ("== 'x' &&", "= 'x' and", "write `==`, and for `and` write `&&`"),
        ("all_of", "all_off", "did you mean `all_of`?"),
    ] {
        let found = lint(&policy(&good.replace(from, to)), &registry);
        let errors = found.iter().filter(|one| one.severity() == Severity::Error).count();
        let text = found.render(false);
        assert!(errors == 1 || to == "when =", "{to}\n{text}");
        assert!(text.contains(meant), "{to}\n{text}");
        assert!(!text.contains("remove this line"), "{to}\n{text}");
        said += &text;
    }
    insta::assert_snapshot!("misspelt_conditions", said);
}

#[test]
fn a_scope_that_is_not_registered_is_one_finding() {
    let text = GOOD.replace("\"todo:write\", \"todo:share\", ", "");
    let found = lint(&text, &Registry::new(TOOLS));
    let of = |name: &str| found.iter().filter(|one| one.kind().name == name).count();
    assert_eq!(of("unreachable-tool"), 1, "{}", found.render(false));
    assert!(found.render(false).contains("the same holds for `purge_todos`"), "{found}");
}
