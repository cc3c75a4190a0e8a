//! Tests of decisions against a naive twin, and of every mistake that a file can have.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    model::model,
    samples::{GOOD, MISTAKES, mutilated, under_the_former_name, with_tests},
    *,
};
use crate::{
    diagnostic::{Diagnostics, Source},
    lint,
};

fn compile(text: &str) -> Result<CompiledPolicy, Diagnostics> {
    CompiledPolicy::compile(Source::new("policy.toml", text))
}

proptest! {
    /// For every set of granted scopes, the compiled policy answers as the naive one does.
    #[test]
    fn the_compiled_decision_is_the_naive_one(model in model()) {
        let policy = compile(&model.text()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for bits in 0..1_u32 << model.implies.len() {
            let granted: BTreeSet<usize> = (0..model.implies.len()).filter(|n| bits & (1 << n) != 0).collect();
            let names: Vec<String> = granted.iter().map(|n| format!("s:{n}")).collect();
            let held = policy.hold(names.iter().map(String::as_str));
            let naive = model.holds(&granted);
            for tool in 0..model.tools.len() {
                let decision = policy.decide(Operation::tool(&format!("t{tool}")), &held);
                prop_assert_eq!(decision.is_allow(), model.allows(tool, &naive));
                let Decision::Deny(denial) = decision else { continue };

                // The required scopes are one of the alternatives, and no other lacks fewer.
                let number = |scope: &Scope| scope.as_str()[2..].parse::<usize>().unwrap();
                let required: Vec<usize> = denial.required().map(number).collect();
                prop_assert!(model.tools[tool].contains(&required));
                let missing: Vec<usize> = denial.missing(&held).map(number).collect();
                let lacks = |all: &[usize]| all.iter().filter(|n| !naive.contains(n)).count();
                prop_assert_eq!(missing.len(), lacks(&required));
                prop_assert!(model.tools[tool].iter().all(|all| lacks(all) >= missing.len()));
                // With the missing scopes granted, the caller may.
                let more = names.iter().map(String::as_str).chain(denial.missing(&held).map(Scope::as_str));
                let enough = policy.decide(Operation::tool(&format!("t{tool}")), &policy.hold(more)).is_allow();
                prop_assert!(enough);
            }
            prop_assert!(!policy.decide(Operation::tool("not_a_tool"), &held).is_allow());
        }
    }

    /// Conditions against a naive twin: a call needs the rule's own scopes and those of each condition
    /// that it meets, and a refusal asks for all of them at once.
    #[test]
    fn conditional_decisions_are_the_naive_ones(
        model in model(),
        own in prop::collection::vec(any::<prop::sample::Index>(), 1..3),
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
    ) {
        let count = model.implies.len();
        let own: BTreeSet<usize> = own.iter().map(|n| n.index(count)).collect();
        let (first, second) = (first.index(count), second.index(count));
        let list: Vec<String> = own.iter().map(|n| format!("\"s:{n}\"")).collect();
        let rule = format!(
            "special = {{ all_of = [{}], when = [{{ if = \"args.x\", all_of = [\"s:{first}\"] }}, \
             {{ if = \"args.y == claims.sub\", any_of = [\"s:{second}\", \"s:{first}\"] }}] }}\n",
            list.join(", ")
        );
        let policy = compile(&format!("{}{rule}", model.text())).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let claims = serde_json::json!({ "sub": "ada" });
        let claims = claims.as_object().unwrap();
        for bits in 0..1_u32 << count {
            let granted: BTreeSet<usize> = (0..count).filter(|n| bits & (1 << n) != 0).collect();
            let names: Vec<String> = granted.iter().map(|n| format!("s:{n}")).collect();
            let held = policy.hold(names.iter().map(String::as_str));
            let naive = model.holds(&granted);
            for (x, y) in [(false, "bob"), (true, "bob"), (false, "ada"), (true, "ada")] {
                let arguments = serde_json::json!({ "x": x, "y": y });
                let operation = Operation::tool("special")
                    .with_arguments(arguments.as_object().unwrap())
                    .with_claims(claims);
                let decision = policy.decide(operation, &held);
                let expected = own.is_subset(&naive)
                    && (!x || naive.contains(&first))
                    && (y != "ada" || naive.contains(&second) || naive.contains(&first));
                prop_assert_eq!(decision.is_allow(), expected, "{} {} {:?}", x, y, granted);
                let Decision::Deny(denial) = decision else { continue };
                let more = names.iter().map(String::as_str).chain(denial.missing(&held).map(Scope::as_str));
                prop_assert!(policy.decide(operation, &policy.hold(more)).is_allow());
            }
            // A list does not know the arguments, so only the rule's own scopes count. Who is asked
            // about without arguments must be allowed with every one of them.
            let unknown = Operation::tool("special").with_claims(claims);
            let listed = policy.decide(unknown.for_some_arguments(), &held).is_allow();
            prop_assert_eq!(listed, own.is_subset(&naive));
            let always = own.is_subset(&naive)
                && naive.contains(&first)
                && (naive.contains(&second) || naive.contains(&first));
            prop_assert_eq!(policy.decide(unknown, &held).is_allow(), always);
        }
    }

    /// A caller with more scopes may do at least as much.
    #[test]
    fn a_further_scope_never_takes_access_away(model in model(), bits in any::<u32>(), extra in 0_usize..7) {
        let policy = compile(&model.text()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let names: Vec<String> =
            (0..model.implies.len()).filter(|n| bits & (1 << n) != 0).map(|n| format!("s:{n}")).collect();
        let extra = format!("s:{extra}");
        let held = policy.hold(names.iter().map(String::as_str));
        let more = policy.hold(names.iter().map(String::as_str).chain([extra.as_str()]));
        for (tool, _) in policy.tools() {
            prop_assert!(!policy.decide(Operation::tool(tool), &held).is_allow() || policy.decide(Operation::tool(tool), &more).is_allow());
        }
    }

    /// Any text compiles or has mistakes, without a panic, and the mistakes are rendered.
    #[test]
    fn any_text_is_answered(text in "(?s)[\\[\\]{}=\"#,.\n a-z0-9:é_]{0,200}") {
        if let Err(found) = compile(&text) {
            prop_assert!(!found.is_empty());
            found.render(false);
        }
    }
}

#[test]
fn the_good_policy_is_good() {
    let policy = compile(GOOD).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(
        policy.describe(policy.rule(Feature::Tool, "purge_todos").unwrap()),
        "todo:write and admin:access"
    );
    assert_eq!(
        policy.describe(policy.rule(Feature::Tool, "create_todo").unwrap()),
        "todo:write, or todo:read and admin:access"
    );
    let asked: Vec<&str> = policy.sign_in_scopes().map(Scope::as_str).collect();
    assert_eq!(asked, ["todo:read", "todo:write"], "step_up scopes are not asked for at first");
    assert!(policy.decide(Operation::tool("whoami"), &policy.hold([])).is_allow());
    compile(&with_tests()).unwrap_or_else(|found| panic!("{found}"));
}

/// A mutilated policy never makes the compiler panic. If it compiles, it has no rule for a name that
/// the good policy does not have.
#[test]
fn mutilated_policies_are_answered() {
    let whole = compile(GOOD).unwrap();
    for text in mutilated() {
        match compile(&text) {
            Ok(policy) => {
                assert!(
                    policy.rules().all(|(feature, name, _)| whole.rule(feature, name).is_some()),
                    "{text}"
                );
            }
            Err(found) => {
                let last = text.lines().count() + 1;
                for finding in &found {
                    let (line, _) = found.source().position(finding.span().start);
                    assert!((1..=last).contains(&line), "{found}\n{text}");
                }
                found.render(true);
            }
        }
    }
}

/// The findings about the first example of a mistake.
pub(crate) fn example_of_mistake(name: &str) -> Option<Diagnostics> {
    if name == mistake::TOO_MANY_SCOPES.name {
        return compile(&too_many_scopes()).err();
    }
    let (from, to, ..) = MISTAKES.iter().find(|(_, _, code, _)| *code == name)?;
    compile(&GOOD.replace(from, to)).err()
}

/// A policy with one scope more than it may have.
fn too_many_scopes() -> String {
    let scopes = (0..=crate::compile::MOST_SCOPES).map(|n| format!("\"s:{n}\" = \"S\"\n"));
    format!(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n{}",
        scopes.collect::<String>()
    )
}

#[test]
fn each_mistake_is_found_at_its_place() {
    let mut seen = BTreeMap::new();
    for (from, to, code, place) in MISTAKES {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let text = GOOD.replace(from, to);
        let found = compile(&text).err().unwrap_or_else(|| panic!("{to}: no mistake was found"));
        let at = |finding: &crate::diagnostic::Diagnostic| {
            let (line, column) = found.source().position(finding.span().start);
            (finding.kind().name, format!("{line}:{column}"))
        };
        assert!(found.iter().any(|f| at(f) == (*code, (*place).to_owned())), "{to}\n{found:#?}");
        seen.entry(*code).or_insert_with(|| found.render(false));
    }
    let texts: String = seen.iter().map(|(code, text)| format!("== {code}\n{text}")).collect();
    insta::assert_snapshot!("each_mistake", texts);
    for kind in mistake::ALL {
        assert!(example_of_mistake(kind.name).is_some(), "no example of {}", kind.name);
    }
}

#[test]
fn the_former_name_of_the_server_table_still_works() {
    let also = "[[server.also]]\nprovider = \"google\"\n[scopes]";
    let server = compile(&GOOD.replace("[scopes]", also)).unwrap();
    assert_eq!(server.also().len(), 1);
    for text in under_the_former_name() {
        let resource = compile(&text).unwrap_or_else(|found| panic!("{text}\n{found}"));
        assert!(diff::compare(&server, &resource).is_empty(), "{text}");
        let url = crate::written_url(&Source::new("policy.toml", text.as_str()));
        assert_eq!(url.as_deref(), Some("http://localhost:3002/mcp"));
    }
}

#[test]
fn mistakes_name_the_server_table_as_it_is_written() {
    let server = "[server]\nurl = \"http://localhost:3002/mcp\"";
    let text = GOOD.replace(server, "[resource]\nown = 1") + "[[resource.also]]\nissuer = 1\n";
    let found = compile(&text).unwrap_err().render(false);
    for said in [
        "`[resource]` has no key `own`",
        "add `url = \"http://localhost:3002/mcp\"` to `[resource]`",
        "`[[resource.also]]` does not say which provider it accepts",
    ] {
        assert!(found.contains(said), "{said}\n{found}");
    }
}

#[test]
fn two_server_tables_are_the_only_mistake_of_a_file_with_both() {
    let resource = "[resource]\nurl = \"http://localhost:3002/mcp\"\n[server]\nlist = \"callable\"";
    let server = "[server]\nurl = \"http://localhost:3002/mcp\"";
    let found = compile(&GOOD.replace(server, resource)).unwrap_err();
    let names: Vec<&str> = found.iter().map(|finding| finding.kind().name).collect();
    assert_eq!(names, ["two-servers"], "the URL is not missing as well");
}

#[test]
fn a_misspelt_table_is_answered_with_the_nearest_name() {
    let meant = |misspelt: &str, text: &str| {
        let found = compile(&text.replacen("[server]", misspelt, 1)).unwrap_err().render(false);
        let (_, hint) = found.split_once("did you mean `").unwrap_or_else(|| panic!("{found}"));
        hint.split_once('`').unwrap().0.to_owned()
    };
    for misspelt in ["[sever]", "[servers]", "[resouce]"] {
        assert_eq!(meant(misspelt, GOOD), "server", "{misspelt}");
    }
    // With `[server]` in the file the former name is not meant.
    assert_eq!(meant("[resouces]\n[server]", GOOD), "resources");
    assert_eq!(meant("[resourc]\n[server]", GOOD), "resources");
    assert_eq!(meant("[server]\nchek = 1", GOOD), "startup_check");
}

#[test]
fn every_mistake_is_reported_in_one_go() {
    let text = GOOD
        .replace("url =", "ulr =")
        .replace("todo:read\"]", "todo:raed\"]")
        .replace("step_up", "stepup")
        .replace("{ read = \"todo\" }", "{ raed = \"todo\" }")
        .replace("\"tested\"", "\"\"")
        .replace("= true, hidden", "= false, hidden");
    let found = compile(&text).unwrap_err();
    let lines: BTreeMap<usize, &str> =
        found.iter().map(|f| (found.source().position(f.span().start).0, f.kind().name)).collect();
    for line in [3, 6, 7, 9, 11, 12] {
        assert!(lines.contains_key(&line), "nothing about line {line}\n{found}");
    }
    insta::assert_snapshot!("every_mistake", found.render(false));
}

#[test]
fn a_cycle_of_three_scopes_is_shown_whole() {
    let text = GOOD
        .replace(
            "\"todo:read\" = \"See your todos\"",
            "\"todo:read\" = { title = \"R\", implies = [\"admin:access\"] }",
        )
        .replace("step_up = true", "implies = [\"todo:write\"]");
    let found = compile(&text).unwrap_err();
    assert_eq!(found.iter().count(), 1, "a circle is reported once");
    insta::assert_snapshot!("circle_of_three", found.render(false));
}

#[test]
fn more_scopes_than_a_machine_word_has_bits() {
    let scopes: String = (0..300).map(|n| format!("\"s:{n}\" = \"S\"\n")).collect();
    let tools: String = (0..300).map(|n| format!("t{n} = {{ all_of = [\"s:{n}\"] }}\n")).collect();
    let text = format!(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n{scopes}[tools]\n{tools}"
    );
    let policy = compile(&text).unwrap();
    let held = policy.hold(["s:0", "s:63", "s:64", "s:299", "s:300", "nonsense"]);
    let allowed: Vec<&str> = policy
        .tools()
        .filter(|(tool, _)| policy.decide(Operation::tool(tool), &held).is_allow())
        .map(|(t, _)| t)
        .collect();
    assert_eq!(allowed, ["t0", "t299", "t63", "t64"]);
}

#[test]
fn the_revision_follows_the_text() {
    let (one, two) = (compile(GOOD).unwrap(), compile(&format!("{GOOD}# a comment")).unwrap());
    assert_eq!(one.revision(), compile(GOOD).unwrap().revision());
    assert_ne!(one.revision(), two.revision());
}

/// `policy.schema.json` is what `policy schema` of the todo server prints. The names of its tools,
/// which this crate does not know, are compared in `tests/e2e/policy.rs`.
#[test]
fn the_committed_schema_is_the_generated_one() {
    let committed = include_str!("../../policy.schema.json");
    let mut committed: serde_json::Value = serde_json::from_str(committed).unwrap();
    for feature in Feature::ALL {
        let rules = committed["properties"][feature.table()].as_object_mut().unwrap();
        rules.remove("properties");
    }
    let schema = schema::json_schema(&lint::changeable().collect::<Vec<_>>(), &Registry::new(&[]));
    assert!(committed == schema, "run `cargo run -q -- policy schema > policy.schema.json`");
    for (key, is_deprecated) in [("server", None), ("resource", Some(true))] {
        assert_eq!(schema["properties"][key]["deprecated"].as_bool(), is_deprecated, "{key}");
    }
}

#[test]
fn the_schema_names_the_declared_tools_with_their_scopes() {
    const fn declared(
        feature: Feature,
        name: &'static str,
        scopes: &'static [&'static str],
        optional: &'static [&'static str],
    ) -> Declaration {
        Declaration::new(feature, name, scopes, optional, Location::new("src/notes.rs", 1, 1))
    }
    const DECLARED: &[Declaration] = &[
        declared(Feature::Tool, "list", &["note:read"], &["note:admin"]),
        declared(Feature::Tool, "move", &["note:read", "note:write"], &[]),
        declared(Feature::Resource, "note://items/{id}", &[], &[]),
    ];
    let schema = schema::json_schema(&[], &Registry::new(DECLARED));
    let known = |table: &str| &schema["properties"][table]["properties"];
    let about = |table: &str, name: &str| known(table)[name]["description"].as_str().unwrap();
    assert_eq!(
        about("tools", "list"),
        "Its author declared the scope note:read. It answers more to callers with note:admin."
    );
    assert_eq!(about("tools", "move"), "Its author declared the scopes note:read, note:write.");
    assert_eq!(about("resources", "note://items/{id}"), "Its author declared no scopes.");
    assert!(known("prompts").is_null(), "nothing is declared, so no key is known");
}

/// Runs everything that examines a policy on a text. Nothing of it may panic.
fn examine_all(text: &str) {
    let source = Source::new("policy.toml", text);
    let registry = Registry::new(&[]);
    let inputs =
        lint::LintInputs { registry: &registry, snapshot: None, now: std::time::UNIX_EPOCH };
    let lint::Examined { policy, found, assertions } =
        lint::examine(&source, &inputs, lint::Stage::Advice);
    found.render(true);
    diagnostic::render::json(&found);
    diagnostic::render::sarif(&found, "x", "1");
    diagnostic::render::github(&found);
    let _ = found.to_string();
    let _ = lint::fix::fix(&source, &inputs).map(|fixed| fixed.done.len());
    let _ = format::format(text).map(|text| text.len());
    let Some(policy) = policy else { return };
    lint::verify::verify(&source, &assertions, &policy, &registry);
    let table = matrix::Matrix::new(&policy, &registry);
    let _ = (table.text(), table.json());
    for (feature, name, _) in policy.rules() {
        let explanation = explain::Explanation::new(&policy, Operation::new(feature, name), vec![]);
        let _ = (explanation.text(), explanation.json());
    }
    if let Ok(good) = compile(GOOD) {
        let difference = diff::compare_declared(&good, &policy, &registry);
        let _ = (diff::text(&difference), diff::markdown(&difference), diff::json(&difference));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Check, lint, fix, format, diff, explain, table and proofs end on any text without a panic.
    #[test]
    fn no_text_makes_a_panic(
        any in any::<String>(),
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
    ) {
        examine_all(&any);
        // Pieces of a good policy, in another order and with something between them.
        let mut text = String::new();
        for (from, length) in pieces {
            let from = GOOD.floor_char_boundary(from.index(GOOD.len()));
            let end = GOOD.floor_char_boundary(from + length.index(GOOD.len() - from));
            text += &GOOD[from..end];
        }
        examine_all(&text);
        examine_all(&format!("{GOOD}{text}"));
        let at = GOOD.floor_char_boundary(text.len() % GOOD.len());
        examine_all(&format!("{}{any}{}", &GOOD[..at], &GOOD[at..]));
    }
}
