use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::{
    Operation,
    diagnostic::Source,
    model::{Model, model},
};

/// The scopes of the bits, as a record names them.
fn scopes(bits: u64, most: usize) -> String {
    let names =
        (0..most).filter(|scope| bits & (1 << scope) != 0).map(|scope| format!("s:{scope}"));
    names.collect::<Vec<_>>().join(" ")
}

fn compile(text: &str) -> CompiledPolicy {
    CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap()
}

fn call<'r>(
    name: &'r str,
    was_allowed: bool,
    scopes: &'r str,
    revision: &'r str,
) -> RecordedCall<'r> {
    RecordedCall {
        feature: Feature::Tool,
        name,
        was_allowed,
        subject: Some("ada"),
        client: Some("editor"),
        scopes,
        conditions: "",
        revision,
        time: "2026-11-28T09:00:00Z",
    }
}

/// The verdict about one call.
fn verdict(old: &CompiledPolicy, new: &CompiledPolicy, call: &RecordedCall<'_>) -> Verdict {
    Replay::new(new, Some(old)).verdict(call)
}

proptest! {
    /// For every set of scopes and every tool of two generated policies, the verdict is that of a naive
    /// decision, unless a scope that the old policy did not know may have been granted.
    #[test]
    fn the_verdict_is_that_of_a_naive_decision(old in model(), new in model()) {
        let (before, after) = (compile(&old.text()), compile(&new.text()));
        let known = old.implies.len();
        for granted in 0..1_u64 << known.max(new.implies.len()) {
            let named = scopes(granted, known);
            for tool in 0..old.tools.len() {
                let name = format!("t{tool}");
                let was_allowed = old.suffices(granted, tool);
                let call = call(&name, was_allowed, &named, before.revision().as_str());
                let is_allowed = new.suffices(granted, tool);
                match verdict(&before, &after, &call) {
                    Verdict::Allowed => prop_assert!(is_allowed, "{named}: {name}"),
                    Verdict::Refused(missing) => {
                        prop_assert!(!is_allowed, "{named}: {name} without {missing:?}");
                    }
                    Verdict::CannotTell => {
                        prop_assert!(new.implies.len() > known, "nothing is unknown");
                    }
                }
            }
        }
    }

    /// Conditions that both policies have are known from the record; of others the answer is told only
    /// if it does not depend on them.
    #[test]
    fn conditions_are_known_where_both_policies_have_them(
        old in prop::collection::btree_map(0..4_usize, 0..3_usize, 0..4),
        new in prop::collection::btree_map(0..4_usize, 0..3_usize, 0..4),
        arguments in 0..16_u8,
        granted in 0..8_u64,
    ) {
        let text = |when: &std::collections::BTreeMap<usize, usize>| {
            let mut text = Model { implies: vec![vec![]; 3], tools: vec![vec![vec![0]]] }.text();
            text = text.replace("t0 = { all_of = [\"s:0\"] }", "[tools.t0]\nall_of = [\"s:0\"]");
            text = text.replace("[tools]\n", "");
            for (condition, scope) in when {
                text += &format!("[[tools.t0.when]]\nif = \"args.x{condition}\"\nall_of = [\"s:{scope}\"]\n");
            }
            text
        };
        let (before, after) = (compile(&text(&old)), compile(&text(&new)));
        let given: Map<String, Value> =
            (0..4).map(|n| (format!("x{n}"), (arguments & (1 << n) != 0).into())).collect();
        let operation = Operation::tool("t0").with_arguments(&given);
        let named = scopes(granted, 3);
        let held = |policy: &CompiledPolicy| policy.hold(named.split(' '));
        let (decision, met) = before.decide_with_conditions(operation, &held(&before));
        let conditions = met.places(&before).collect::<Vec<_>>().join(" ");
        let call = RecordedCall {
            conditions: &conditions,
            ..call("t0", decision.is_allow(), &named, before.revision().as_str())
        };
        let is_allowed = after.decide(operation, &held(&after)).is_allow();
        match verdict(&before, &after, &call) {
            Verdict::Allowed => prop_assert!(is_allowed),
            Verdict::Refused(_) => prop_assert!(!is_allowed),
            Verdict::CannotTell => {
                prop_assert!(new.keys().any(|condition| !old.contains_key(condition)));
            }
        }
    }
}

/// Of a policy that is not at hand nobody knows which conditions were met.
#[test]
fn conditions_of_another_revision_are_not_known() {
    let text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n\
                \"a:all\" = \"See\"\n[tools.look]\nread = \"a\"\n[[tools.look.when]]\nif = \"args.all\"\n\
                all_of = [\"a:all\"]\n";
    let policy = compile(text);
    let of = |revision| call("look", true, "a:read", revision);
    assert_eq!(verdict(&policy, &policy, &of(policy.revision().as_str())), Verdict::Allowed);
    assert_eq!(verdict(&policy, &policy, &of("000000000000")), Verdict::CannotTell);
}

#[test]
fn many_callers_take_no_more_memory_and_what_people_read_is_bounded() {
    let old = compile(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n\
         \"a:write\" = \"Change\"\n[tools]\nlook = { read = \"a\" }\nedit = { write = \"a\" }\n\
         hours = { anonymous = true }\ngone = { read = \"a\" }\n",
    );
    let new = compile(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"Look\"\n\
         \"a:write\" = \"Change\"\n[tools]\nlook = { all_of = [\"a:read\", \"a:write\"] }\n\
         edit = { read = \"a\" }\nhours = { authenticated = true }\n",
    );
    let mut replay = Replay::new(&new, Some(&old));
    let revision = old.revision().as_str();
    for number in 0..100_000_u32 {
        let (subject, time) =
            (format!("u{number}"), format!("2026-11-28T09:{:02}:00Z", number % 60));
        let of = |name, was_allowed| RecordedCall {
            subject: Some(&subject),
            time: &time,
            ..call(name, was_allowed, "a:read", revision)
        };
        replay.add(&of("look", true));
        replay.add(&of("edit", false));
    }
    replay.add(&RecordedCall { subject: None, client: None, ..call("hours", true, "", revision) });
    let hostile = "eve`|\n\u{202e}";
    replay.add(&RecordedCall { subject: Some(hostile), ..call("gone", true, "a:read", revision) });
    let replayed = replay.finish();
    assert_eq!(replayed.newly_refused.calls, 100_002);
    assert_eq!(replayed.newly_allowed.calls, 100_000);
    let kept =
        |found: &Found| found.groups.values().map(|group| group.subjects.len()).sum::<usize>();
    assert!(kept(&replayed.newly_refused) + kept(&replayed.newly_allowed) <= 60);
    insta::assert_snapshot!("text", text(&replayed));
    insta::assert_snapshot!("markdown", markdown(&replayed));
    let parsed: Value = serde_json::from_str(&json(&replayed)).unwrap();
    assert_eq!(parsed["newly_refused"]["calls"], 100_002);
}
