//! `policy init` and `policy lint --fix` for any registry.

use proptest::prelude::*;

use super::*;
use crate::{Assertions, Location, lint::verify};

/// What the code of a generated server declares.
#[derive(Debug, Clone)]
struct Declared {
    feature: Feature,
    name: String,
    scopes: Vec<String>,
    optional: Vec<String>,
    hints: (Option<bool>, Option<bool>),
}

fn scope() -> impl Strategy<Value = String> {
    let part = "(todo|note|admin|repo|mail|s|é?)";
    prop_oneof![
        4 => "(todo|note|repo|admin|mail):(read|write|admin|share|access)",
        2 => "(todo|note)\\.(read|write)",
        1 => r"[\x21\x23-\x5b\x5d-\x7e]{1,12}",
        1 => "api://x/(todo|note)\\.(read|write)",
        1 => "[:./*]{1,2}(read|write|admin)?",
    ]
    .prop_filter(part, |scope| crate::Scope::is_valid(scope))
}

fn declared() -> impl Strategy<Value = Declared> {
    let feature = prop_oneof![3 => Just(Feature::Tool), 1 => Just(Feature::Resource), 1 => Just(Feature::Prompt)];
    let hint = || prop::option::of(any::<bool>());
    let scopes = || prop::collection::btree_set(scope(), 0..4);
    (feature, r#"[a-zA-Z][a-zA-Z0-9_./" '-]{0,9}"#, scopes(), scopes(), (hint(), hint())).prop_map(
        |(feature, name, scopes, optional, hints)| Declared {
            // Names of resources are URIs without templates, so that no two of them overlap.
            name: match feature {
                Feature::Resource => {
                    format!("x://{}", name.replace(['"', ' ', '\'', '.', '/'], "-"))
                }
                _ => name,
            },
            feature,
            scopes: scopes.into_iter().collect(),
            optional: optional.into_iter().collect(),
            hints,
        },
    )
}

/// A registry of these, which lives as long as the test, because a registry is a constant of a program.
fn registry(declared: Vec<Declared>) -> Registry {
    let mut seen = std::collections::HashSet::new();
    let leaked = |list: Vec<String>| -> &'static [&'static str] {
        let list: Vec<&'static str> = list.into_iter().map(|one| &*one.leak()).collect();
        list.leak()
    };
    let all: Vec<Declaration> = declared
        .into_iter()
        .filter(|one| seen.insert((one.feature, one.name.clone())))
        .map(|one| {
            let (read_only, destructive) = one.hints;
            Declaration::new(
                one.feature,
                one.name.leak(),
                leaked(one.scopes),
                leaked(one.optional),
                Location::new("src/tools.rs", 7, 5),
            )
            .with_hints(read_only, destructive)
        })
        .collect();
    Registry::new(all.leak())
}

fn registries() -> impl Strategy<Value = Registry> {
    prop::collection::vec(declared(), 0..9).prop_map(registry)
}

fn url() -> ResourceUrl {
    ResourceUrl::parse("http://localhost:3002/mcp").unwrap()
}

/// What `policy lint` says, and what `policy test` says about the tests.
fn findings(policy: &str, tests: &str, registry: &Registry) -> String {
    let inputs = LintInputs { registry, snapshot: None, now: std::time::SystemTime::now() };
    let source = Source::new("policy.toml", policy);
    let examined = lint::examine(&source, &inputs, Stage::Advice);
    let mut said = examined.found.render(false);
    let Some(policy) = examined.policy else { return said };
    let source = Source::new("policy.test.toml", tests);
    match Assertions::read(&source, &policy) {
        Ok(assertions) => {
            for one in verify::verify(&source, &assertions, &policy, registry) {
                said += &Diagnostics::new(source.clone(), one.failures).render(false);
            }
        }
        Err(found) => said += &found.render(false),
    }
    said
}

#[test]
fn a_first_policy_reads_well() {
    let declared = |feature, name: &str, scopes: &[&str], optional: &[&str], hints| Declared {
        feature,
        name: name.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        optional: optional.iter().map(|&scope| scope.to_owned()).collect(),
        hints,
    };
    let registry = registry(vec![
        declared(Feature::Tool, "list_todos", &["todo:read"], &[], (Some(true), None)),
        declared(Feature::Tool, "stats", &["todo:read"], &["admin:access"], (Some(true), None)),
        declared(Feature::Tool, "create_todo", &["todo:write"], &[], (None, Some(false))),
        declared(Feature::Tool, "purge", &["todo:write", "admin:access"], &[], (None, Some(true))),
        declared(Feature::Tool, "touch", &["todo:read"], &[], (None, None)),
        declared(Feature::Resource, "todos://{id}", &["todo:read"], &[], (None, None)),
        declared(Feature::Prompt, "plan the week", &[], &[], (None, None)),
    ]);
    let first = first_policy(&registry, &url(), Some("embedded")).unwrap();
    assert_eq!(findings(&first.policy, &first.tests, &registry), "");
    insta::assert_snapshot!("first_policy", format!("{}\n=====\n{}", first.policy, first.tests));
    let none = first_policy(&Registry::new(&[]), &url(), None).unwrap();
    assert_eq!(findings(&none.policy, &none.tests, &Registry::new(&[])), "");
}

#[test]
fn declarations_that_contradict_each_other_have_no_policy() {
    const OVERLAPPING: &[Declaration] = &[
        Declaration::new(Feature::Resource, "t://{a}", &["a:read"], &[], Location::new("a", 1, 1)),
        Declaration::new(Feature::Resource, "t://{b}", &["a:read"], &[], Location::new("a", 2, 1)),
    ];
    let failed = first_policy(&Registry::new(OVERLAPPING), &url(), None).unwrap_err();
    assert!(failed.found.to_string().contains("could be one of"), "{}", failed.found);
}

/// A policy without rules has few findings, and none after `--fix`, but those about the code.
#[test]
fn a_bare_policy_is_filled_by_the_fix() {
    const DECLARED: &[Declaration] = &[
        Declaration::new(Feature::Tool, "a", &["todo:read"], &["x:more"], Location::new("a", 1, 1))
            .with_hints(Some(true), None),
        Declaration::new(Feature::Tool, "b c", &["todo:write"], &[], Location::new("a", 2, 1))
            .with_hints(None, Some(false)),
        Declaration::new(Feature::Resource, "t://a", &["todo:read"], &[], Location::new("a", 3, 1)),
        Declaration::new(Feature::Prompt, "p", &[], &[], Location::new("a", 4, 1)),
    ];
    let bare = "# ours\nversion = 1\n\n[server]\nurl = \"http://localhost:3002/mcp\" # here\n";
    let registry = Registry::new(DECLARED);
    let inputs =
        LintInputs { registry: &registry, snapshot: None, now: std::time::SystemTime::now() };
    let source = Source::new("policy.toml", bare);
    let before = lint::examine(&source, &inputs, Stage::Advice).found;
    assert_eq!(before.iter().count(), 3, "one for each table\n{before}");
    let fixed = lint::fix::fix(&source, &inputs).unwrap().source;
    let after = lint::examine(&fixed, &inputs, Stage::Advice).found;
    assert!(after.is_empty(), "{}\n{after}", fixed.text());
    insta::assert_snapshot!("filled", format!("{}\n=====\n{}", before.render(false), fixed.text()));
    // In a table that has rules, the new one stands below them, in their indentation.
    let text = "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n\n[scopes]\n  \
                \"todo:read\" = \"R\" # one\n  # the end\n\n[tools]\n  # first\n  a = { read = \"todo\" } # a\n\n\
                [resources]\n\"t://a\" = { read = \"todo\" }\n\n[prompts]\np = { authenticated = true }\n";
    let fixed = lint::fix::fix(&Source::new("policy.toml", text), &inputs).unwrap().source;
    insta::assert_snapshot!("added", fixed.text());
    for inline in [
        "tools = { a = { read = \"todo\" } }\nscopes = { \"todo:read\" = \"R\" }\n[server]\nurl = \"http://localhost:3002/mcp\"\n",
        "tools.a = { read = \"todo\" }\nscopes.\"todo:read\" = \"R\"\n[server]\nurl = \"http://localhost:3002/mcp\"\n",
        "[server]\nurl = \"http://localhost:3002/mcp\"\n[tools.a]\nread = \"todo\"\n[[tools.a.when]]\nif = \"claims.x\"\nread = \"todo\"\n[scopes]\n\"todo:read\" = \"R\"\n",
    ] {
        let source = Source::new("policy.toml", format!("version = 1\n{inline}"));
        let fixed = lint::fix::fix(&source, &inputs).unwrap().source;
        let after = lint::examine(&fixed, &inputs, Stage::Advice).found;
        assert!(after.is_empty(), "{}\n{}", fixed.text(), after.render(false));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// For any registry, the first policy has no finding, its tests pass, it is formatted, and it asks
    /// each caller for exactly what is declared.
    #[test]
    fn a_first_policy_has_no_finding(registry in registries()) {
        let first = first_policy(&registry, &url(), Some("embedded"))
            .map_err(|failed| TestCaseError::fail(failed.found.render(false)))?;
        prop_assert_eq!(findings(&first.policy, &first.tests, &registry), "", "{}", first.policy);
        prop_assert_eq!(&format::format(&first.policy).unwrap(), &first.policy);
        let policy = CompiledPolicy::compile(Source::new("policy.toml", first.policy)).unwrap();
        for one in registry.all() {
            let decide = |scopes: &[&str]| {
                let held = policy.hold(scopes.iter().copied());
                policy.decide(Operation::new(one.feature(), one.name()), &held).is_allow()
            };
            prop_assert!(decide(one.scopes()));
            if let [_, rest @ ..] = one.scopes() {
                prop_assert!(!decide(rest), "{}", one.name());
            }
        }
    }

    /// `policy lint --fix` fills a bare policy for any registry: no error is left.
    #[test]
    fn a_bare_policy_has_no_error_after_the_fix(registry in registries()) {
        let bare = "version = 1\n\n[server]\nurl = \"http://localhost:3002/mcp\"\n";
        let inputs = LintInputs { registry: &registry, snapshot: None, now: std::time::SystemTime::now() };
        let source = Source::new("policy.toml", bare);
        let before = lint::examine(&source, &inputs, Stage::Advice).found;
        prop_assert!(before.iter().count() <= 3, "{}", before);
        let fixed = lint::fix::fix(&source, &inputs)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let after = lint::examine(&fixed.source, &inputs, Stage::Agreement).found;
        prop_assert!(!after.has_errors(), "{}\n{}", after.render(false), fixed.source.text());
    }
}
