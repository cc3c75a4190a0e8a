//! Tests with arguments and claims, and invariants about some calls and callers.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::verify;
use smallvec::{SmallVec, smallvec};

use crate::{
    Assertions, CompiledPolicy, Declaration, Feature, Location, Operation, Registry, Requirement,
    diagnostic::{Diagnostics, Source},
    effort::Effort,
    entailment::{IndexedRequirement, Unproved},
    model::model,
};

/// Sharing a note with everybody takes `note:share`, and a note of somebody else `note:admin`.
const POLICY: &str = r#"version = 1
[server]
url = "http://localhost:3002/mcp"
[scopes]
"note:read" = "Read notes"
"note:write" = "Write notes"
"note:share" = "Share notes"
"note:admin" = "Change every note"
[tools]
list_notes = { read = "note" }
[tools.share_note]
write = "note"
[[tools.share_note.when]]
if = "args.public"
all_of = ["note:share"]
[[tools.share_note.when]]
if = "has(args.owner) && args.owner != claims.sub"
admin = "note"
[tools.export]
read = "note"
when = [{ if = "claims.tenant != 'acme'", admin = "note" }]
[resources."note://items/{id}"]
read = "note"
when = [{ if = "args.id == 'secret'", admin = "note" }]
[prompts.sum_up]
read = "note"
when = [{ if = "args.all == 'yes'", admin = "note" }]
"#;

const fn declared(feature: Feature, name: &'static str) -> Declaration {
    Declaration::new(feature, name, &[], &[], Location::new("src/notes.rs", 1, 1))
}

fn share_arguments() -> Arc<crate::Object> {
    let schema = json!({ "type": "object", "properties": {
        "id": { "type": "string" },
        "public": { "type": "boolean" },
        "owner": { "type": ["string", "null"] },
    }, "required": ["id"] });
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

const DECLARED: &[Declaration] = &[
    declared(Feature::Tool, "list_notes").with_arguments(Default::default),
    declared(Feature::Tool, "share_note").with_arguments(share_arguments),
    declared(Feature::Tool, "export"),
];

/// What `policy test` says of a test file. Empty if all of it holds.
fn said(assertions: &str) -> String {
    let policy = CompiledPolicy::compile(Source::new("policy.toml", POLICY)).unwrap();
    let source = Source::new("policy.test.toml", assertions);
    let assertions = match Assertions::read(&source, &policy) {
        Ok(assertions) => assertions,
        Err(mistakes) => return mistakes.render(false),
    };
    let verified = verify(&source, &assertions, &policy, &Registry::new(DECLARED));
    let failures = verified.into_iter().flat_map(|one| one.failures).collect();
    Diagnostics::new(source, failures).render(false)
}

#[track_caller]
fn holds(assertions: &str) {
    assert_eq!(said(assertions), "", "{assertions}");
}

#[track_caller]
fn fails(assertions: &str, because: &[&str]) {
    let said = said(assertions);
    for reason in because {
        assert!(said.contains(reason), "{reason:?} is not in:\n{said}\n{assertions}");
    }
}

const WRITER: &str = "[[test]]\nscopes = [\"note:write\"]\n";

fn writer(lines: &str) -> String {
    format!("{WRITER}{lines}")
}

#[test]
fn a_condition_is_tested_with_arguments_and_claims() {
    holds(&writer("arguments = { public = true }\ncannot = [\"share_note\"]"));
    holds(&writer("arguments = { public = false }\nclaims = {}\ncan = [\"share_note\"]"));
    let mine = "claims = { sub = \"ada\" }\narguments = { public = false, owner = \"ada\" }\n";
    holds(&writer(&format!("{mine}can = [\"share_note\"]")));
    holds(&writer(&format!(
        "{}cannot = [\"share_note\"]",
        mine.replace("sub = \"ada\"", "sub = \"bob\"")
    )));
    holds(
        "[[test]]\nscopes = [\"note:read\"]\nclaims = { tenant = \"acme\" }\ncan = [\"export\"]\n\
         [[test]]\nscopes = [\"note:read\"]\nclaims = { tenant = \"other\" }\ncannot = [\"export\"]\n\
         [[test]]\nscopes = [\"note:read\"]\nclaims = {}\ncannot = [\"export\"]",
    );
}

#[test]
fn one_of_several_operations_has_arguments_of_its_own() {
    holds(&writer(
        "arguments = { public = false }\nclaims = {}\n\
         can = [\"share_note\"]\n\
         cannot = [\"export\", { tool = \"share_note\", arguments = { public = true } }]",
    ));
    // In the long form, as an array of tables.
    holds(&writer(
        "[[test.cannot]]\ntool = \"share_note\"\n[test.cannot.arguments]\npublic = true",
    ));
    holds(
        "[[test]]\nscopes = [\"note:read\"]\n\
         can_get = [{ prompt = \"sum_up\", arguments = { all = \"no\" } }]\n\
         cannot_get = [{ prompt = \"sum_up\", arguments = { all = \"yes\" } }]\n\
         can_read = [\"note://items/7\"]\n\
         cannot_read = [\"note://items/secret\"]",
    );
    let wrong = "can = [{ tool = \"share_note\", arguments = { public = true } }]";
    fails(
        &writer(wrong),
        &["cannot call `share_note` with these arguments", "--> policy.test.toml:3:17"],
    );
}

/// Without arguments a test that passes claims nothing that is only true of some calls.
#[test]
fn without_arguments_can_means_all_calls_and_cannot_means_none() {
    fails(
        &writer("can = [\"share_note\"]"),
        &[
            "a caller with just `note:write` cannot call `share_note` with some arguments and claims",
            "`note:share`, `note:admin` are missing",
            "the condition `args.public` at policy.toml:14:6 needs note:share, and counts as met, \
             because the test gives no `arguments`",
            "because the test gives no `arguments` and no `claims`",
            "help: say which calls it means: write `{ tool = \"share_note\", arguments = { … } }` and \
             `claims = { … }`; without them, `can` says that every call is allowed",
        ],
    );
    fails(
        &writer("cannot = [\"share_note\"]"),
        &[
            "a caller with just `note:write` can call `share_note` with some arguments",
            "the condition `args.public` at policy.toml:14:6 needs note:share, and not every call meets it",
            "write `{ tool = \"share_note\", arguments = { … } }`",
        ],
    );
    let reader = "[[test]]\nscopes = [\"note:read\"]\n";
    holds(&format!("{reader}cannot = [\"share_note\"]"));
    fails(
        &format!("{reader}can = [\"export\"]"),
        &["cannot call `export` with some claims", "means: write `claims = { … }`; without"],
    );
    fails(
        &format!("{reader}cannot = [\"export\"]"),
        &["can call `export` with some claims", "write `claims = { … }`"],
    );
    let template = "note://items/{id}";
    fails(
        &format!("{reader}can_read = [\"{template}\"]"),
        &["cannot read `note://items/{id}` with some arguments", "no values in the URI"],
    );
    fails(
        &format!("{reader}cannot_read = [\"{template}\"]"),
        &["write a URI with the values of these calls in it", "`cannot_read` says"],
    );
    let admin = "[[test]]\nscopes = [\"note:write\", \"note:share\", \"note:admin\"]\n";
    holds(&format!("{admin}can = [\"share_note\"]"));
    fails(
        &format!("{admin}cannot = [\"share_note\"]"),
        &["`note:admin` can call `share_note`\n", "move the tool to `can`"],
    );
}

#[test]
fn a_failure_says_which_condition_decided() {
    let because = |lines: &str, reasons: &[&str]| fails(&writer(lines), reasons);
    because(
        "arguments = { public = true }\ncan = [\"share_note\"]",
        &[
            "cannot call `share_note` with these arguments: `note:share`, `note:admin` are missing",
            "the condition `args.public` at policy.toml:14:6 needs note:share, and this call meets it",
        ],
    );
    because(
        "arguments = { public = false }\ncannot = [\"share_note\"]",
        &["can call `share_note` with some claims", "`has(args.owner)"],
    );
    because(
        "arguments = { public = false }\nclaims = { sub = \"ada\" }\ncannot = [\"share_note\"]",
        &[
            "can call `share_note` with these arguments and claims",
            "`args.public` at policy.toml:14:6 needs note:share, and is not met by this call",
        ],
    );
    because(
        "arguments = { id = \"7\" }\nclaims = {}\ncan = [\"share_note\"]",
        &["and counts as met, because it cannot be evaluated for this call"],
    );
    // The rule itself refuses: no condition decides.
    let said = said("[[test]]\nscopes = []\narguments = { public = true }\ncan = [\"share_note\"]");
    assert!(said.contains("without any scope cannot call `share_note`: `note:write`"), "{said}");
    assert!(!said.contains("the condition"), "{said}");
}

#[test]
fn arguments_that_the_tool_does_not_take_are_named() {
    let fault = |lines: &str, reasons: &[&str]| fails(&writer(lines), reasons);
    fault(
        "arguments = { pubic = true }\ncannot = [\"share_note\"]",
        &["takes no argument `pubic`: did you mean `public`?", "policy.test.toml:3:15"],
    );
    fault(
        "cannot = [{ tool = \"share_note\", arguments = { public = \"yes\" } }]",
        &["`public` must be boolean", "policy.test.toml:3:48"],
    );
    fault(
        "arguments = { public = true }\ncannot = [\"share_note\", \"list_notes\"]",
        &["the tool `list_notes` takes no argument `public`"],
    );
    fails(
        "[[invariant]]\ntools = [\"share_note\"]\narguments = { pubic = true }\nneeds = { admin = \"note\" }",
        &["takes no argument `pubic`: did you mean `public`?"],
    );
    // Nothing is known of the arguments of a tool without a schema.
    holds("[[test]]\nscopes = []\narguments = { any = 1 }\ncannot = [\"export\"]");
}

#[test]
fn mistakes_in_arguments_and_claims_are_found_before_the_test_runs() {
    let refused = |lines: &str, reason: &str| fails(&writer(lines), &[reason]);
    refused("arguments = 5\ncan = []", "`arguments` must be a table");
    refused("arguments = { at = 07:30:00 }\ncan = [\"share_note\"]", "`at = \"07:30:00\"`");
    refused(
        "claims = { exp = \"soon\" }\ncan = []",
        "the claim `exp` is a number, and this is a string",
    );
    refused(
        "claims = { aud = [\"a\", 1] }\ncan = []",
        "the claim `aud` is a string or a list of strings",
    );
    refused("arguments = { id = \"x\" }\ncan_read = []", "`arguments` are for tools and prompts");
    refused("can = [{ toll = \"share_note\" }]", "did you mean `tool`?");
    refused("can = [{ arguments = {} }]", "does not say which tool it tries");
    refused("can_read = [{ resource = \"note://items/7\" }]", "must be a URI");
    refused("argument = {}\ncan = []", "did you mean `arguments`?");
    let n = "arguments = { n = 99999999999999999999 }\ncan = [\"share_note\"]";
    refused(n, "`n` is a number of more than 64 bits");
    // A test whose claims cannot be read is not run as another test.
    let said = said(&writer("claims = { sub = 1 }\ncan = [\"export\"]"));
    assert!(!said.contains("failed-test"), "{said}");
}

#[test]
fn an_invariant_may_be_about_some_calls_or_callers() {
    let about = |lines: &str| format!("[[invariant]]\n{lines}");
    let public =
        "tools = [\"share_note\"]\narguments = { public = true }\nclaims = { sub = \"ada\" }\n";
    holds(&about(&format!("{public}needs = {{ all_of = [\"note:write\", \"note:share\"] }}")));
    holds(&about(&format!("{public}enough = {{ all_of = [\"note:write\", \"note:share\"] }}")));
    fails(
        &about(&format!("{public}needs = {{ admin = \"note\" }}")),
        &["counterexample: a caller with just `note:write`, `note:share` can call it with these \
           arguments and claims"],
    );
    let private = public.replace("true", "false");
    holds(&about(&format!("{private}enough = {{ write = \"note\" }}")));
    fails(
        &about(&format!("{private}needs = {{ all_of = [\"note:share\"] }}")),
        &["counterexample: a caller with just `note:write` can call it"],
    );
    let export = "tools = [\"export\"]\n";
    fails(&about(&format!("{export}enough = {{ read = \"note\" }}")), &["cannot call it"]);
    holds(&about(&format!(
        "{export}claims = {{ tenant = \"acme\" }}\nenough = {{ read = \"note\" }}"
    )));
    fails(
        &about(&format!("{export}claims = {{ tenant = \"b\" }}\nenough = {{ read = \"note\" }}")),
        &["cannot call it with these claims"],
    );
    // A resource's arguments are the values in its URI.
    holds(&about("resources = [\"note://items/7\"]\nenough = { read = \"note\" }"));
    holds(&about("resources = [\"note://items/secret\"]\nneeds = { admin = \"note\" }"));
    fails(
        &about("resources = [\"note://items/{id}\"]\nenough = { read = \"note\" }"),
        &["cannot read"],
    );
}

#[test]
fn an_invariant_that_cannot_be_proved_exactly_says_so() {
    let share = |given: &str| {
        format!("[[invariant]]\ntools = [\"share_note\"]\n{given}\nneeds = {{ write = \"note\" }}")
    };
    fails(
        &share("arguments = { public = true }"),
        &[
            "depends on `claims` and `arguments`, and the invariant gives no `claims`",
            "give `claims` as well, or neither",
            "policy.toml:17:6",
        ],
    );
    fails(&share("claims = { sub = \"ada\" }"), &["the invariant gives no `arguments`"]);
    holds(&share(""));
    fails(
        "[[invariant]]\nresources = \"all\"\narguments = { id = \"7\" }\nneeds = { read = \"note\" }",
        &["`arguments` are for tools and prompts"],
    );
}

/// Rules multiplied out are proved up to a bound, and answered in words above it.
#[test]
fn an_invariant_over_many_alternatives_is_proved_clause_by_clause() {
    let scopes: String = (0..10).map(|n| format!("\"s:{n}\" = \"S\"\n")).collect();
    let any: Vec<String> = (0..10).map(|n| format!("\"s:{n}\"")).collect();
    let any = format!("any_of = [{}]", any.join(", "));
    let proof = |conditions: usize, needs: &str| {
        let when: Vec<String> =
            (0..conditions).map(|n| format!("{{ if = \"args.x > {n}\", {any} }}")).collect();
        let text = format!(
            "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n{scopes}\
             [tools]\nt = {{ {any}, when = [{}] }}\n",
            when.join(", ")
        );
        let policy = CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap();
        let text = format!(
            "[[invariant]]\ntools = [\"t\"]\narguments = {{ x = 99 }}\nneeds = {{ {needs} }}"
        );
        let source = Source::new("policy.test.toml", text);
        let assertions = Assertions::read(&source, &policy).unwrap();
        let verified = verify(&source, &assertions, &policy, &Registry::new(&[]));
        let failures = verified.into_iter().flat_map(|one| one.failures).collect();
        Diagnostics::new(source, failures).render(false)
    };
    assert_eq!(proof(30, &any), "", "one of the parts proves it");
    assert!(proof(1, "all_of = [\"s:1\"]").contains("counterexample"));
    assert!(proof(30, "all_of = [\"s:1\"]").contains("counterexample"));
    // Each clause has alternatives without one of the scopes, and none without both.
    assert!(!proof(30, "any_of = [\"s:1\", { all_of = [\"s:0\", \"s:1\"] }]").is_empty());
}

/// A rule with six conditions of eight alternatives each, and an invariant that no single one of them
/// proves: the product has a quarter of a million combinations.
#[test]
fn conditions_prove_an_invariant_together_without_their_product() {
    let any = |from: usize| {
        let each: Vec<String> = (from..from + 8).map(|n| format!("\"s:{n}\"")).collect();
        format!("any_of = [{}]", each.join(", "))
    };
    let scopes = (0..64).map(|n| format!("\"s:{n}\" = \"S\"\n")).collect::<String>();
    let when: Vec<String> =
        (0..6).map(|n| format!("{{ if = \"args.a{n}\", {} }}", any(n * 8))).collect();
    let policy = CompiledPolicy::compile(Source::new(
        "policy.toml",
        format!(
            "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n{scopes}\
             [tools]\nt = {{ all_of = [\"s:60\"], when = [{}] }}\n",
            when.join(", ")
        ),
    ))
    .unwrap();
    let clauses: Vec<&Requirement> = {
        let rule = policy.rule(Feature::Tool, "t").unwrap();
        std::iter::once(&rule.requirement).chain(rule.when.iter().map(|w| &w.requirement)).collect()
    };
    let id = |n: usize| policy.scope_id(&format!("s:{n}")).unwrap();
    // One scope of the first condition, with one of the last.
    let pairs: SmallVec<_> = (0..8)
        .flat_map(|n| (40..48).map(move |m| (n, m)))
        .map(|(n, m)| smallvec![id(n), id(m)])
        .collect();
    let needs = Requirement::AnyOf(pairs);
    let effort = Effort::new(Effort::PROOFS);
    assert!(policy.entails_together(&clauses, &IndexedRequirement::new(&needs), &effort).is_ok());
    let steps = Effort::PROOFS - effort.left();
    assert!(steps < 2_000_000, "{steps} steps");
    // Without the last condition it does not hold.
    let unproved =
        policy.entails_together(&clauses[..6], &IndexedRequirement::new(&needs), &effort);
    let Err(Unproved::Counterexample(scopes)) = unproved else { panic!("{unproved:?}") };
    let held = policy.hold(scopes.iter().map(|scope| scope.name().as_str()));
    assert!(clauses[..6].iter().all(|clause| clause.is_met_by(&held)) && !needs.is_met_by(&held));
}

/// Whether pairs of scopes leave out one of three in each clause is a question that takes
/// exponential time in general. It is not guessed.
#[test]
fn a_proof_that_would_take_too_long_is_not_made() {
    let scopes: String = (0..120).map(|n| format!("\"s:{n}\" = \"S\"\n")).collect();
    let policy = CompiledPolicy::compile(Source::new(
        "policy.toml",
        format!("version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n{scopes}"),
    ))
    .unwrap();
    let id = |n: usize| policy.scope_id(&format!("s:{n}")).unwrap();
    // The pigeonhole principle: eleven pigeons do not fit into ten holes, and the shortest proof of
    // that by cases is exponential.
    let (pigeons, holes) = (11, 10);
    let place = |pigeon: usize, hole: usize| pigeon * holes + hole;
    let clause = |pigeon: usize| {
        Requirement::AnyOf((0..holes).map(|hole| smallvec![id(place(pigeon, hole))]).collect())
    };
    let clauses: Vec<Requirement> = (0..pigeons).map(clause).collect();
    let mut pairs: SmallVec<[_; 1]> = SmallVec::new();
    for hole in 0..holes {
        for (one, other) in (0..pigeons).flat_map(|one| (0..one).map(move |other| (one, other))) {
            pairs.push(smallvec![id(place(one, hole)), id(place(other, hole))]);
        }
    }
    let needs = Requirement::AnyOf(pairs);
    let effort = Effort::new(2_000_000);
    let clauses: Vec<&Requirement> = clauses.iter().collect();
    let unproved = policy.entails_together(&clauses, &IndexedRequirement::new(&needs), &effort);
    assert!(matches!(unproved, Err(Unproved::TooLarge)), "{unproved:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The proof over several clauses says what all sets of scopes say.
    #[test]
    fn proofs_over_several_clauses_equal_brute_force(model in model(), copies in 1_usize..6) {
        prop_assume!(model.tools.len() >= 2);
        let policy = CompiledPolicy::compile(Source::new("policy.toml", model.text())).unwrap();
        let requirement = |n: usize| {
            &policy.rule(Feature::Tool, &format!("t{n}")).unwrap().requirement
        };
        let others = 1..model.tools.len();
        // Clauses that stand there several times make a product that is not multiplied out.
        let clauses: Vec<&Requirement> =
            others.clone().flat_map(|n| std::iter::repeat_n(requirement(n), copies * copies)).collect();
        let effort = Effort::new(Effort::PROOFS);
        let proof = policy.entails_together(&clauses, &IndexedRequirement::new(requirement(0)), &effort);
        let breaks = |bits: u64| {
            others.clone().all(|tool| model.suffices(bits, tool)) && !model.suffices(bits, 0)
        };
        prop_assert_eq!(proof.is_err(), (0..1_u64 << model.implies.len()).any(breaks));
        if let Err(unproved) = proof {
            let Unproved::Counterexample(scopes) = unproved else { panic!("too large") };
            let numbers = scopes.iter().map(|s| s.name().as_str()[2..].parse::<u32>().unwrap());
            prop_assert!(breaks(numbers.fold(0, |bits, n| bits | 1 << n)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A test with arguments and claims says what the decision says, and an invariant about them
    /// what the decisions for all sets of scopes say.
    #[test]
    fn tests_and_invariants_agree_with_the_decisions(
        public in proptest::option::of(any::<bool>()),
        owner in proptest::option::of("ada|bob"),
        sub in "ada|bob",
        needed in 0_u32..16,
    ) {
        const SCOPES: [&str; 4] = ["note:read", "note:write", "note:share", "note:admin"];
        let named = |bits: u32| (0..4).filter(move |n| bits & (1 << n) != 0).map(|n| SCOPES[n]);
        let list = |bits: u32| named(bits).map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let policy = CompiledPolicy::compile(Source::new("policy.toml", POLICY)).unwrap();
        let mut arguments = crate::Object::new();
        let mut written = vec![];
        if let Some(public) = public {
            arguments.insert("public".to_owned(), public.into());
            written.push(format!("public = {public}"));
        }
        if let Some(owner) = &owner {
            arguments.insert("owner".to_owned(), owner.as_str().into());
            written.push(format!("owner = \"{owner}\""));
        }
        let claims = json!({ "sub": sub });
        let operation = Operation::tool("share_note")
            .with_arguments(&arguments)
            .with_claims(claims.as_object().unwrap());
        let given = format!("arguments = {{ {} }}\nclaims = {{ sub = \"{sub}\" }}\n", written.join(", "));
        let allowed = |bits: u32| policy.decide(operation, &policy.hold(named(bits))).is_allow();
        for bits in 0..16 {
            let key = if allowed(bits) { "can" } else { "cannot" };
            let test = format!("[[test]]\nscopes = [{}]\n{given}{key} = [\"share_note\"]", list(bits));
            prop_assert_eq!(said(&test), "");
            let other = test.replace(&format!("\n{key} ="), if key == "can" { "\ncannot =" } else { "\ncan =" });
            prop_assert!(said(&other).contains("failed-test"));
        }
        prop_assume!(needed != 0);
        let meets = |bits: u32| bits & needed == needed;
        let rule = format!("{{ all_of = [{}] }}", list(needed));
        for (key, is_true) in [
            ("needs", (0..16).all(|bits| !allowed(bits) || meets(bits))),
            ("enough", (0..16).all(|bits| !meets(bits) || allowed(bits))),
        ] {
            let text = format!("[[invariant]]\ntools = [\"share_note\"]\n{given}{key} = {rule}");
            prop_assert_eq!(said(&text).is_empty(), is_true, "{}", text);
        }
    }
}
