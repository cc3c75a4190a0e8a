//! Compares the difference with brute force over all sets of scopes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    diagnostic::Source,
    model::{Model, model},
};

fn compile(text: &str) -> CompiledPolicy {
    CompiledPolicy::compile(Source::new("policy.toml", text))
        .unwrap_or_else(|found| panic!("{found}\n{text}"))
}

/// The smallest sets of scopes that suffice for a tool in one model and not in the other, by
/// trying them all.
fn smallest_only(here: &Model, there: &Model, tool: usize) -> BTreeSet<BTreeSet<usize>> {
    let scopes = here.implies.len();
    let members = |set: u64| (0..scopes).filter(move |scope| set & (1 << scope) != 0);
    let smallest = (0..1_u64 << scopes).filter(|set| {
        here.suffices(*set, tool)
            && members(*set).all(|left_out| !here.suffices(set & !(1 << left_out), tool))
    });
    let only = smallest.filter(|set| !there.suffices(*set, tool));
    only.map(|set| members(set).collect()).collect()
}

/// Whether at least one set of scopes suffices here and not there.
fn any_only(here: &Model, there: &Model, tool: usize) -> bool {
    let scopes = here.implies.len().max(there.implies.len());
    (0..1_u64 << scopes).any(|set| here.suffices(set, tool) && !there.suffices(set, tool))
}

fn numbers(grants: &Grants) -> BTreeSet<BTreeSet<usize>> {
    let numbers =
        |grant: &Grant| grant.scopes().map(|s| s.as_str()[2..].parse().unwrap()).collect();
    grants.smallest.iter().map(numbers).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_difference_equals_brute_force(old in model(), new in model()) {
        let difference = compare(&compile(&old.text()), &compile(&new.text()));
        for tool in 0..old.tools.len().max(new.tools.len()) {
            let name = format!("t{tool}");
            let change = difference.rules.iter().find(|change| change.name == name);
            let (gained, lost) = (
                change.map(|change| change.gained.clone()).unwrap_or_default(),
                change.map(|change| change.lost.clone()).unwrap_or_default(),
            );
            prop_assert_eq!(!gained.is_empty(), any_only(&new, &old, tool));
            prop_assert_eq!(!lost.is_empty(), any_only(&old, &new, tool));
            if !gained.is_cut {
                prop_assert_eq!(numbers(&gained), smallest_only(&new, &old, tool));
            }
            if !lost.is_cut {
                prop_assert_eq!(numbers(&lost), smallest_only(&old, &new, tool));
            }
        }
    }

    /// A condition changes access as a rule does that needs both.
    #[test]
    fn conditions_are_compared_too(old in model(), new in model(), more in model()) {
        let with = |model: &Model, more: &Model, alternatives: &[Vec<usize>]| {
            let known = model.implies.len();
            let needed = alternatives.first().and_then(|all| all.iter().find(|n| **n < known));
            let Some(needed) = needed.filter(|_| !more.implies.is_empty()) else { return (model.text(), None) };
            let when = format!("when = [{{ if = \"args.x\", all_of = [\"s:{needed}\"] }}], ");
            (model.text().replace("t0 = { ", &format!("t0 = {{ {when}")), Some(*needed))
        };
        let (text, needed) = with(&new, &more, &more.tools[0]);
        let (before, after) = (compile(&old.text()), compile(&text));
        let difference = compare(&before, &after);
        // The naive twin: a rule that always needs both.
        let mut both = new.clone();
        if let Some(needed) = needed {
            let alternatives = &mut both.tools[0];
            if alternatives.is_empty() {
                alternatives.push(vec![]);
            }
            for all in alternatives {
                if !all.contains(&needed) {
                    all.push(needed);
                }
            }
        }
        let said = |change: &&RuleChange| change.name == "t0";
        let gains = difference.rules.iter().filter(said).any(RuleChange::widens);
        let loses = difference.rules.iter().filter(said).any(RuleChange::narrows);
        prop_assert_eq!(gains, any_only(&new, &old, 0) || any_only(&both, &old, 0));
        prop_assert_eq!(loses, any_only(&old, &new, 0) || any_only(&old, &both, 0));
    }

    #[test]
    fn a_policy_does_not_differ_from_itself(model in model()) {
        let policy = compile(&model.text());
        prop_assert!(compare(&policy, &policy).is_empty());
    }
}

/// A rule with more choices than are listed still gets the exact answer.
#[test]
fn many_ways_to_one_grant() {
    let mut scopes = String::new();
    for need in 0..12 {
        scopes += &format!("\"n:{need}\" = \"N\"\n");
        for way in 0..4 {
            scopes +=
                &format!("\"w:{need}:{way}\" = {{ title = \"W\", implies = [\"n:{need}\"] }}\n");
        }
    }
    let all: Vec<String> = (0..12).map(|need| format!("\"n:{need}\"")).collect();
    let head = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n";
    let policy =
        |rule: &str| compile(&format!("{head}[scopes]\n{scopes}[tools]\nt = {{ {rule} }}\n"));
    let strict = policy(&format!("all_of = [{}]", all.join(", ")));
    let lax = policy("any_of = [\"n:0\"]");
    let narrowed = compare(&lax, &strict);
    assert!(narrowed.narrows() && !narrowed.widens(), "what suffices for all suffices for one");
    let widened = compare(&strict, &lax);
    assert_eq!(widened.rules[0].gained.smallest.len(), 5, "n:0 and the four that give it");

    let other = policy(&format!("all_of = [{}, \"w:3:3\"]", all.join(", ")));
    let change = &compare(&other, &strict).rules[0];
    assert!(change.widens() && change.gained.is_cut && !change.narrows(), "{change:?}");
}

#[test]
fn what_people_read() {
    let old = compile(
        r#"version = 1
[server]
url = "http://localhost:3002/mcp"
[scopes]
"todo:read" = "R"
"todo:write" = { title = "W", implies = ["todo:read"] }
"admin:access" = { title = "A", step_up = true }
[tools]
list_todos = { read = "todo" }
create_todo = { write = "todo" }
purge_todos = { all_of = ["todo:write", "admin:access"] }
gone = { read = "todo" }
"#,
    );
    let text = old
        .source()
        .text()
        .replace("create_todo = { write", "create_todo = { read")
        .replace(
            "purge_todos = { all_of = [\"todo:write\"",
            "purge_todos = { any_of = [\"todo:write\"",
        )
        .replace(
            "list_todos = { read = \"todo\" }",
            "list_todos = { write = \"todo\", hidden = true }",
        )
        .replace("gone =", "come =")
        .replace("step_up = true", "step_up = false")
        .replace("[scopes]", "list = \"callable\"\n[scopes]");
    let difference = compare(&old, &compile(&text));
    insta::assert_snapshot!("text", super::text(&difference));
    insta::assert_snapshot!("markdown", markdown(&difference));
    insta::assert_snapshot!("json", json(&difference));
    let same = compare(&old, &old);
    insta::assert_snapshot!("nothing", format!("{}{}", super::text(&same), markdown(&same)));
}
