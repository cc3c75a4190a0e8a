//! Compares changes of conditions with brute force over arguments and claims.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{Declaration, Location, Operation, ScopeSet, diagnostic::Source};

fn compile(text: &str) -> CompiledPolicy {
    CompiledPolicy::compile(Source::new("policy.toml", text))
        .unwrap_or_else(|found| panic!("{found}\n{text}"))
}

/// A policy with one tool and these conditions: the text, and the scope that it needs.
fn policy(when: &[(&str, &str)]) -> CompiledPolicy {
    policy_with("", when)
}

fn policy_with(more: &str, when: &[(&str, &str)]) -> CompiledPolicy {
    let mut text = format!(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"n:base\" = \"B\"\n\
         \"n:one\" = \"O\"\n\"n:two\" = \"T\"\n{more}[tools.save]\nall_of = [\"n:base\"]\n"
    );
    for (condition, needs) in when {
        text += &format!("[[tools.save.when]]\nif = {condition:?}\nall_of = [\"{needs}\"]\n");
    }
    compile(&text)
}

/// The arguments of a call, and the claims of its caller.
type Call = (Map<String, Value>, Map<String, Value>);

const SCOPES: [&str; 3] = ["n:base", "n:one", "n:two"];

fn sets(policy: &CompiledPolicy) -> Vec<ScopeSet> {
    let members = |set: u32| SCOPES.iter().enumerate().filter(move |(n, _)| set >> n & 1 == 1);
    (0..1 << SCOPES.len()).map(|set| policy.hold(members(set).map(|(_, scope)| *scope))).collect()
}

/// Whether some set of scopes suffices under one policy and not under the other, for some of the
/// calls.
fn any_only(here: &CompiledPolicy, there: &CompiledPolicy, calls: &[Call]) -> bool {
    calls.iter().any(|(arguments, claims)| {
        let call = Operation::tool("save").with_arguments(arguments).with_claims(claims);
        let allows = |policy: &CompiledPolicy| -> Vec<bool> {
            sets(policy).iter().map(|held| policy.decide(call, held).is_allow()).collect()
        };
        allows(here).iter().zip(allows(there)).any(|(here, there)| *here && !there)
    })
}

/// Conditions on parts that hold independently: `&&` and `||` in any nesting, with odd spacing.
fn condition() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("args.a"),
        Just("args.b"),
        Just("!args.c"),
        Just("(args.d)"),
        Just("claims.e == 1"),
    ];
    part.prop_map(str::to_owned).prop_recursive(3, 8, 3, |inner| {
        (proptest::collection::vec(inner, 2..4), any::<bool>(), any::<bool>()).prop_map(
            |(operands, is_and, is_tight)| {
                let operator = match (is_and, is_tight) {
                    (true, true) => "&&",
                    (true, false) => "  && ",
                    (false, true) => "||",
                    (false, false) => " ||  ",
                };
                format!("({})", operands.join(operator))
            },
        )
    })
}

fn whens() -> impl Strategy<Value = Vec<(String, &'static str)>> {
    let needs = prop_oneof![Just("n:one"), Just("n:two")];
    proptest::collection::vec((condition(), needs), 0..3)
}

/// Every call in which each argument and claim is true, false, missing, or of another type.
fn calls() -> Vec<Call> {
    let states = [Some(json!(true)), Some(json!(false)), None, Some(json!(0))];
    let mut calls = vec![];
    for number in 0..256_usize {
        for claim in [json!({ "e": 1 }), json!({ "e": 2 }), json!({})] {
            let given: BTreeMap<&str, Value> = ["a", "b", "c", "d"]
                .into_iter()
                .zip([1, 4, 16, 64])
                .filter_map(|(name, place)| {
                    states[number / place % 4].clone().map(|value| (name, value))
                })
                .collect();
            let arguments = json!(given).as_object().unwrap().clone();
            calls.push((arguments, claim.as_object().unwrap().clone()));
        }
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Because the parts are independent, the difference is exactly what brute force finds.
    #[test]
    fn conditions_are_compared_by_when_they_hold(old in whens(), new in whens()) {
        let make = |all: &[(String, &'static str)]| {
            policy(&all.iter().map(|(c, n)| (c.as_str(), *n)).collect::<Vec<_>>())
        };
        let (old, new) = (make(&old), make(&new));
        let difference = compare(&old, &new);
        let calls = calls();
        prop_assert_eq!(difference.widens(), any_only(&new, &old, &calls), "{}\n{}", old.source().text(), new.source().text());
        prop_assert_eq!(difference.narrows(), any_only(&old, &new, &calls), "{}\n{}", old.source().text(), new.source().text());
    }

    /// Parts that depend on one another: what is said to be sure is so, and nothing is missed.
    #[test]
    fn nothing_is_missed_where_parts_depend_on_one_another(
        old in 0..9_i64, new in 0..9_i64, more in 0..9_i64,
    ) {
        let shapes = |n: i64| [
            format!("args.n > {n}"),
            format!("args.n > {n} && claims.e == 1"),
            format!("args.n > {n} || args.n == {more}"),
        ];
        let sampled: Vec<_> = (-1..11)
            .flat_map(|n| [1, 2].map(|e| (json!({ "n": n }), json!({ "e": e }))))
            .map(|(a, c)| (a.as_object().unwrap().clone(), c.as_object().unwrap().clone()))
            .collect();
        for was in shapes(old) {
            for is in shapes(new) {
                let (was, is) = (policy(&[(&was, "n:one")]), policy(&[(&is, "n:one")]));
                let difference = compare(&was, &is);
                let (gains, loses) = (any_only(&is, &was, &sampled), any_only(&was, &is, &sampled));
                prop_assert!(!gains || difference.widens());
                prop_assert!(!loses || difference.narrows());
            }
        }
    }
}

fn direction(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
    let difference = compare(&policy(old), &policy(new));
    let all: Vec<&str> = difference.rules.iter().map(RuleChange::direction).collect();
    all.join("; ")
}

#[test]
fn a_changed_condition_is_told_by_its_direction() {
    const UNTOLD: &str = "changed, and whether it widens cannot be told";
    let one = |condition| [(condition, "n:one")];
    for (old, new, expected) in [
        ("args.a", "args.a || args.b", "narrows"),
        ("args.a || args.b", "args.a", "widens"),
        ("args.a", "args.b || (args.a)", "narrows"),
        ("args.a", "args.a && args.b", "widens"),
        ("args.b&&args.a", "args.a", "narrows"),
        ("args.a && (args.b || args.c)", "(args.c||args.b) && args.a", ""),
        ("args.a && (args.b || args.c)", "args.a && args.b || args.a && args.c", ""),
        ("args.a && (args.b || args.c)", "args.a && args.b", "widens"),
        ("args.a && args.b", "args.a && (args.b || args.c)", "narrows"),
        ("args.n > 3", "(args.n) > 3", ""),
        ("args.n>3", "args.n > 3", ""),
        ("args.n > 3", "args.n > 5", UNTOLD),
        ("args.a", "!args.a", UNTOLD),
        ("args.a || args.b", "args.a || args.c", UNTOLD),
        ("args.a && args.b", "args.c && args.b", UNTOLD),
        ("args.a", "args.a && args.b || args.c", UNTOLD),
        ("args.s == 'id: 1'", "args.s == 'id: 2'", UNTOLD),
    ] {
        assert_eq!(direction(&one(old), &one(new)), expected, "{old} → {new}");
    }
    assert_eq!(direction(&[], &one("args.a")), "narrows");
    assert_eq!(direction(&one("args.a"), &[]), "widens");
    let both = [("args.a", "n:one"), ("args.b", "n:one")];
    assert_eq!(direction(&one("args.a || args.b"), &both), "", "two of them are one with `||`");
    assert_eq!(direction(&one("args.a"), &[("args.a", "n:two")]), "widens and narrows");
    assert_eq!(
        direction(&one("args.a"), &[("args.a && args.b", "n:one"), ("args.c", "n:two")]),
        "widens; narrows",
        "one condition was narrowed and another added"
    );
}

/// Many alternatives end soon, and widen possibly.
#[test]
fn a_condition_with_too_many_alternatives_is_one_part() {
    let of = |letter: char| {
        let each = (0..18).map(|n| format!("(args.{letter}{n} || args.x{n})"));
        each.collect::<Vec<_>>().join(" && ")
    };
    let (old, new) = (of('a'), of('b'));
    assert_eq!(direction(&[(&old, "n:one")], &[(&old, "n:one")]), "");
    let text = direction(&[(&old, "n:one")], &[(&new, "n:one")]);
    assert!(text.contains("cannot be told"), "{text}");
}

const SAVE: Declaration = Declaration::new(
    Feature::Tool,
    "save",
    &["n:base"],
    &["n:more"],
    Location::new("tools.rs", 1, 1),
);

#[test]
fn what_people_read_about_conditions() {
    let old = policy_with(
        "\"n:all\" = \"A\"\n\"n:more\" = \"M\"\n",
        &[("args.public", "n:one"), ("args.n > 3", "n:two")],
    );
    let new = policy_with(
        "\"n:all\" = { title = \"A\", implies = [\"n:base\", \"n:more\"] }\n\"n:more\" = \"M\"\n",
        &[("args.public && args.b", "n:one"), ("args.n > 5", "n:two")],
    );
    let new = new.source().text().replace("[tools.save]\n", "[tools.save]\nrelax = \"the demo\"\n");
    let difference = compare_declared(&old, &compile(&new), &Registry::new(&[SAVE]));
    insta::assert_snapshot!("conditions_text", super::text(&difference));
    insta::assert_snapshot!("conditions_markdown", markdown(&difference));
    insta::assert_snapshot!("conditions_json", json(&difference));
}

/// A reason that was added, changed or removed is shown, and changes no access.
#[test]
fn reasons_are_shown() {
    let with = |relax: &str| {
        let text = policy(&[]).source().text().to_owned();
        compile(&text.replace("[tools.save]\n", &format!("[tools.save]\n{relax}")))
    };
    let (none, one, two) = (with(""), with("relax = \"x\"\n"), with("relax = \"y\"\n"));
    for (old, new, was, is) in [
        (&none, &one, "none", "\"x\""),
        (&one, &two, "\"x\"", "\"y\""),
        (&two, &none, "\"y\"", "none"),
    ] {
        let difference = compare(old, new);
        assert!(!difference.is_empty() && difference.rules.is_empty());
        assert!(difference.settings.is_empty(), "a reason is no setting");
        let reason = &difference.reasons[0];
        assert_eq!(reason.setting, "[tools] save relax");
        assert_eq!((reason.old.as_str(), reason.new.as_str()), (was, is));
    }
}
