//! Callers without a token: what every part of this crate says of them.

use crate::{
    Assertions, CompiledPolicy, Decision, Feature, Operation, Registry, ScopeSet,
    diagnostic::Source, diff, explain::Explanation, lint::verify, matrix::Matrix,
};

/// One rule of each kind, by the scopes that are enough.
const RULES: [&str; 6] = [
    "anonymous = true",
    "authenticated = true",
    "read = \"a\"",
    "write = \"a\"",
    "all_of = [\"a:read\", \"b:read\"]",
    "any_of = [\"a:read\", \"b:read\"]",
];

fn policy(rule: &str) -> CompiledPolicy {
    let text = format!(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n\
         \"a:write\" = {{ title = \"Change\", implies = [\"a:read\"] }}\n\"b:read\" = \"See\"\n\
         [tools]\nlook = {{ {rule} }}\n"
    );
    CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap()
}

/// Every caller that there is: without a token, and with each set of scopes.
fn callers(policy: &CompiledPolicy) -> Vec<ScopeSet> {
    let scopes = ["a:read", "a:write", "b:read"];
    let granted = (0..8).map(|bits| {
        let granted = scopes.iter().enumerate().filter(move |(at, _)| bits & (1 << at) != 0);
        policy.hold(granted.map(|(_, scope)| *scope))
    });
    std::iter::once(ScopeSet::anonymous()).chain(granted).collect()
}

fn allows(policy: &CompiledPolicy, held: &ScopeSet) -> bool {
    policy.decide(Operation::tool("look"), held).is_allow()
}

#[test]
fn only_a_rule_that_says_so_lets_in_a_caller_without_a_token() {
    for rule in RULES {
        let policy = policy(rule);
        let is_open = rule == "anonymous = true";
        assert_eq!(allows(&policy, &ScopeSet::anonymous()), is_open, "{rule}");
        assert_eq!(policy.admits_anonymous(), is_open, "{rule}");
        let Decision::Deny(denial) = policy.decide(Operation::tool("look"), &ScopeSet::anonymous())
        else {
            continue;
        };
        // A token with what is missing is enough.
        let with = policy.hold(denial.required().map(crate::Scope::as_str));
        assert!(allows(&policy, &with), "{rule}");
    }
}

#[test]
fn a_condition_asks_a_caller_without_a_token_for_one() {
    let policy = CompiledPolicy::compile(Source::new(
        "policy.toml",
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n\
         [tools.look]\nanonymous = true\n[[tools.look.when]]\nif = \"args.all\"\nauthenticated = true\n\
         [[tools.look.when]]\nif = \"claims.guest\"\nread = \"a\"\n",
    ))
    .unwrap();
    let (few, all) = (serde_json::json!({ "all": false }), serde_json::json!({ "all": true }));
    let (no_claims, no_guest) = (serde_json::json!({}), serde_json::json!({ "guest": false }));
    let may = |arguments: &serde_json::Value, claims: &serde_json::Value, held: &ScopeSet| {
        let looking = Operation::tool("look").with_arguments(arguments.as_object().unwrap());
        policy.decide(looking.with_claims(claims.as_object().unwrap()), held).is_allow()
    };
    let (nobody, somebody) = (ScopeSet::anonymous(), policy.hold([]));
    assert!(may(&few, &no_guest, &nobody) && !may(&all, &no_guest, &nobody));
    assert!(may(&all, &no_guest, &somebody));
    // A claim that is not there cannot be evaluated, so the condition counts as met.
    assert!(!may(&few, &no_claims, &nobody) && !may(&few, &no_claims, &somebody));
}

/// The difference of each pair of rules, against every caller.
#[test]
fn the_difference_of_two_rules_names_callers_without_a_token() {
    for was in RULES {
        for is in RULES {
            let (old, new) = (policy(was), policy(is));
            let difference = diff::compare(&old, &new);
            let nobody = ScopeSet::anonymous();
            let gained = allows(&new, &nobody) && !allows(&old, &nobody);
            let lost = allows(&old, &nobody) && !allows(&new, &nobody);
            let said = |which: fn(&diff::RuleChange) -> bool| difference.rules.iter().any(which);
            assert_eq!(said(|change| change.gained.anonymous), gained, "{was} → {is}");
            assert_eq!(said(|change| change.lost.anonymous), lost, "{was} → {is}");
            let pairs = callers(&old).into_iter().zip(callers(&new));
            let (widens, narrows) =
                pairs.fold((false, false), |(widens, narrows), (one, other)| {
                    let (before, after) = (allows(&old, &one), allows(&new, &other));
                    (widens || after && !before, narrows || before && !after)
                });
            assert_eq!(
                (difference.widens(), difference.narrows()),
                (widens, narrows),
                "{was} → {is}"
            );
        }
    }
}

/// Invariants of each pair of rules, against every caller.
#[test]
fn an_invariant_is_about_callers_without_a_token_as_well() {
    for rule in RULES {
        for bound in RULES {
            let (rule_policy, bound_policy) = (policy(rule), policy(bound));
            for key in ["needs", "enough"] {
                let text = format!("[[invariant]]\ntools = [\"look\"]\n{key} = {{ {bound} }}\n");
                let tests = Source::new("policy.test.toml", text);
                let assertions = Assertions::read(&tests, &rule_policy).unwrap();
                let verified =
                    verify::verify(&tests, &assertions, &rule_policy, &Registry::new(&[]));
                let holds = callers(&rule_policy).iter().all(|held| {
                    let (may, meets) = (allows(&rule_policy, held), allows(&bound_policy, held));
                    if key == "needs" { !may || meets } else { !meets || may }
                });
                assert_eq!(verified[0].failures.is_empty(), holds, "{rule}: {key} {bound}");
            }
        }
    }
}

#[test]
fn what_people_read_about_callers_without_a_token() {
    let (open, closed) = (policy(RULES[0]), policy(RULES[2]));
    let mut said = String::new();
    for policy in [&open, &closed, &policy(RULES[1])] {
        said += &Explanation::anonymous(policy, Operation::tool("look")).text();
        said += "\n";
    }
    said += &Matrix::new(&open, &Registry::new(&[])).text();
    for (old, new) in [(&closed, &open), (&open, &closed)] {
        said += &diff::text(&diff::compare(old, new));
    }
    said += &diff::text(&diff::compare(&policy(RULES[1]), &open));
    let tests = Source::new(
        "policy.test.toml",
        "[[test]]\nanonymous = true\ncan = [\"look\"]\n[[test]]\nname = \"closed\"\n\
         anonymous = true\ncannot = [\"look\"]\n[[invariant]]\ntools = [\"look\"]\n\
         needs = { authenticated = true }\n",
    );
    for policy in [&open, &closed, &policy(RULES[1])] {
        let assertions = Assertions::read(&tests, policy).unwrap();
        for one in verify::verify(&tests, &assertions, policy, &Registry::new(&[])) {
            said += &format!("{}: {} failures\n", one.name, one.failures.len());
            for failure in one.failures {
                said += &format!("  {}\n", failure.message());
            }
        }
    }
    insta::assert_snapshot!("anonymous", said);
}

#[test]
fn a_test_about_a_caller_without_a_token_has_no_scopes() {
    let policy = policy(RULES[0]);
    for (test, place) in [
        ("anonymous = true\nscopes = []", "2:13"),
        ("anonymous = false", "2:13"),
        ("name = \"x\"", "1:1"),
    ] {
        let text = format!("[[test]]\n{test}\ncan = [\"look\"]\n");
        let error = Assertions::read(&Source::new("policy.test.toml", text), &policy).unwrap_err();
        assert!(
            error.render(false).contains(&format!("policy.test.toml:{place}")),
            "{}",
            error.render(false)
        );
    }
    assert!(policy.rule(Feature::Tool, "look").is_some());
}
