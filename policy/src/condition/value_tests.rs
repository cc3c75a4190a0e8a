//! Comparisons with a literal that the argument never is are found, however schemars writes the type.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Condition, Fault, check};
use crate::diagnostic::Suggestions;
use crate::operation::{Given, Object};

static SCHEMA: LazyLock<Object> = LazyLock::new(|| {
    let schema = json!({
        "type": "object",
        "properties": {
            "with": { "$ref": "#/$defs/With" },
            "also": { "anyOf": [{ "$ref": "#/$defs/With" }, { "type": "null" }] },
            "said": { "$ref": "#/$defs/Said", "description": "Its variants have comments." },
            "maybe": { "enum": ["Team", "Public", null] },
            "one": { "const": "v1" },
            "kinds": { "type": "array", "items": { "$ref": "#/$defs/With" } },
            "pair": { "type": "array", "prefixItems": [{ "$ref": "#/$defs/With" }, { "type": "integer" }] },
            "place": { "$ref": "#/$defs/Place" },
            "whole": { "allOf": [{ "$ref": "#/$defs/With" }] },
            "target": { "oneOf": [
                { "type": "object", "properties": { "kind": { "const": "user", "type": "string" }, "name": { "type": "string" } }, "required": ["kind", "name"] },
                { "type": "object", "properties": { "kind": { "const": "team", "type": "string" }, "size": { "type": "integer" } }, "required": ["kind", "size"] },
            ] },
            "outer": { "oneOf": [
                { "type": "string", "enum": ["Nobody", "Everybody"] },
                { "type": "object", "properties": { "Only": { "type": "string" } }, "required": ["Only"], "additionalProperties": false },
            ] },
            "by": { "type": "object", "additionalProperties": { "$ref": "#/$defs/With" } },
            "id": { "type": "integer", "format": "uint32", "minimum": 0 },
            "small": { "type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255 },
            "ranged": { "type": "integer", "format": "uint8", "minimum": 1, "maximum": 9 },
            "open": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
            "level": { "enum": [1, 2, 3] },
            "flag": { "type": "boolean" },
            "text": { "type": "string" },
            "any": true,
            "tree": { "$ref": "#/$defs/Tree" },
            "loop": { "$ref": "#/$defs/Loop" },
            "far": { "$ref": "https://a.example/schema" },
        },
        "required": [
            "with", "also", "said", "maybe", "one", "kinds", "pair", "place", "whole", "target", "outer", "by",
            "id", "small", "ranged", "open", "level", "flag", "text", "any", "tree", "loop", "far"
        ],
        "$defs": {
            "With": { "type": "string", "enum": ["Team", "Public"] },
            "Said": { "oneOf": [
                { "description": "Ours.", "type": "string", "const": "Team" },
                { "type": "string", "enum": ["Public", "Secret"] },
            ] },
            "Place": { "type": "object", "properties": { "with": { "$ref": "#/$defs/With" } }, "required": ["with"] },
            "Tree": { "type": "object", "properties": { "with": { "$ref": "#/$defs/With" }, "next": { "$ref": "#/$defs/Tree" } }, "required": ["with", "next"] },
            "Loop": { "$ref": "#/$defs/Loop" },
        },
    });
    schema.as_object().cloned().unwrap()
});

fn faults(condition: &str) -> String {
    let condition = Condition::parse(condition).unwrap_or_else(|_| panic!("{condition}"));
    let text = |fault: Fault| match fault {
        Fault::Wrong(fault) => fault.message,
        Fault::MayBeAbsent(path, _) => format!("{path} may be absent"),
    };
    let found = check(&condition, Some(&SCHEMA), None, &Suggestions::default());
    found.into_iter().map(text).collect::<Vec<_>>().join("; ")
}

#[test]
fn comparisons_that_a_call_can_answer_either_way_have_no_fault() {
    for good in [
        "args.with == 'Public'",
        "'Public' != args.with",
        "args.with in ['Team', 'Public'] || args.also == null || args.also == 'Team'",
        "args.said == 'Secret' || args.said in ['Team', 'Public']",
        "args.maybe == null || args.maybe == 'Team'",
        "args.one == 'v1'",
        "'Team' in args.kinds || args.kinds == ['Team'] || args.kinds.exists(k, k == 'Public')",
        "args.kinds.contains('Team') || args.kinds[0] == 'Team' || args.kinds == []",
        "args.pair[0] == 'Team' || args.pair[1] == 5",
        "args.place.with == 'Team' || args['place']['with'] == 'Team'",
        "args.target.kind == 'user' || args.target.kind == 'team'",
        "args.outer == 'Nobody' || args.outer.Only == 'x'",
        "args.by.whoever == 'Team' || 'ada' in args.by || args.by.exists(name, name == 'ada')",
        "args.id == 1 || args.id == 1.0 || args.id > 0 || args.id < 1.5 || args.id >= 0",
        "args.small == 9 || args.small > 8 || args.small <= 9 || args.small == null",
        "args.open == 0.5 || args.open > 0.1",
        // Nothing holds a call to bounds that its type does not have.
        "args.open == 0 || args.open >= 1",
        "args.ranged == 0 || args.ranged > 9 || args.ranged >= 200",
        "args.level == 3 || args.level > 2 || args.level == 1.0",
        "args.flag == true || args.text == 'anything'",
        "args.any == 'x' || args.loop == 'x' || args.far == 5",
        "args.tree.next.next.with == 'Team'",
        "args.with == (args.flag ? 'Team' : 'Public')",
        "['Team', 'Public'].exists(x, x == args.with)",
        "args.with.startsWith('Pub') || args.with.endsWith('m') || args.with.contains('ubl')",
        "args.with == claims.with || args.with != args.also",
        "args.text != null && args.id != null",
    ] {
        assert_eq!(faults(good), "", "{good}");
    }
}

#[test]
fn a_literal_that_the_argument_never_is_is_named_with_the_nearest_value() {
    let public = |place: &str, wrong: &str| {
        format!("`{place}` is never \"{wrong}\": did you mean \"Public\"?")
    };
    for (bad, why) in [
        ("args.with == \"public\"", public("args.with", "public")),
        ("'PUBLIC' == args.with", public("args.with", "PUBLIC")),
        ("args.with != 'Publik'", public("args.with", "Publik")),
        ("!(args.with == 'public')", public("args.with", "public")),
        ("args.with in ['Team', 'Publik']", public("args.with", "Publik")),
        ("!(args.with in ['Team', 'Publik'])", public("args.with", "Publik")),
        ("args.also == 'public'", public("args.also", "public")),
        ("args.said == 'public'", public("args.said", "public")),
        ("args.maybe == 'public'", public("args.maybe", "public")),
        ("args.whole == 'public'", public("args.whole", "public")),
        ("'public' in args.kinds", public("args.kinds", "public")),
        ("args.kinds == ['Team', 'public']", public("args.kinds", "public")),
        ("args.kinds[0] == 'public'", public("args.kinds[0]", "public")),
        ("args.kinds.exists(k, k == 'public')", public("k", "public")),
        ("args.kinds.all(k, k in ['Team', 'public'])", public("k", "public")),
        ("args.kinds.contains('public')", public("args.kinds", "public")),
        ("args.place.with == 'public'", public("args.place.with", "public")),
        ("args['with'] == 'public'", public("args['with']", "public")),
        ("args.tree.next.with == 'public'", public("args.tree.next.with", "public")),
        ("args.by.ada == 'public'", public("args.by.ada", "public")),
        ("args.with == (args.flag ? 'Team' : 'public')", public("args.with", "public")),
        ("['Team', 'public'].exists(x, x == args.with)", public("args.with", "public")),
        (
            "(args.flag ? args.with : args.also) == 'public'",
            public("args.flag ? args.with : args.also", "public"),
        ),
        ("args.flag && (args.id == 1 || args.with == 'public')", public("args.with", "public")),
    ] {
        assert_eq!(faults(bad), why, "{bad}");
    }
    for (bad, why) in [
        ("args.with == 'zebra'", "`args.with` is never \"zebra\""),
        ("args.with == ''", "`args.with` is never \"\""),
        ("args.with == null", "`args.with` is never null"),
        ("args.text == null", "`args.text` is never null: it is a string"),
        (
            "args.pair[0] == 'public'",
            "`args.pair[0]` is never \"public\": did you mean \"Public\"?",
        ),
        ("args.one == 'v2'", "`args.one` is never \"v2\": did you mean \"v1\"?"),
        (
            "args.target.kind == 'users'",
            "`args.target.kind` is never \"users\": did you mean \"user\"?",
        ),
        ("args.target.knid == 'user'", "`args.target` has no field `knid`: did you mean `kind`?"),
        ("args.target.name == 'x'", "args.target.name may be absent"),
        ("args.outer == 'nobody'", "`args.outer` is never \"nobody\": did you mean \"Nobody\"?"),
        ("args.id == 1.5", "`args.id` is never 1.5: it is an integer"),
        ("args.id == -1", "`args.id` is never -1: it is at least 0"),
        ("args.id in [1, 2.5]", "`args.id` is never 2.5: it is an integer"),
        ("args.id in [1, '2']", "`args.id` is never \"2\": it is an integer"),
        ("args.id < 0", "`args.id` is at least 0, so 0 tells no calls apart"),
        ("!(args.id >= 0)", "`args.id` is at least 0, so 0 tells no calls apart"),
        ("0 > args.id", "`args.id` is at least 0, so 0 tells no calls apart"),
        ("args.small == 256", "`args.small` is never 256: it is at most 255"),
        ("args.small > 255", "`args.small` is at most 255, so 255 tells no calls apart"),
        ("args.small > 300", "`args.small` is at most 255, so 300 tells no calls apart"),
        ("args.small < 300", "`args.small` is at most 255, so 300 tells no calls apart"),
        ("args.level == 4", "`args.level` is never 4"),
        ("args.level > 3", "`args.level` is at most 3, so 3 tells no calls apart"),
        ("args.level == 1.5", "`args.level` is never 1.5"),
        ("args.with.startsWith('pub')", "`args.with` never begins with \"pub\""),
        ("args.with.contains('x')", "`args.with` never contains \"x\""),
        ("'citty' in args.place", "`args.place` has no field `citty`"),
    ] {
        assert_eq!(faults(bad), why, "{bad}");
    }
}

/// Arguments that fit the schema of [`SCHEMA`], in the fields that the conditions below compare.
fn arguments() -> impl Strategy<Value = Value> {
    let with = prop::sample::select(vec!["Team", "Public"]);
    let also = prop::sample::select(vec![json!("Team"), json!("Public"), Value::Null]);
    let said = prop::sample::select(vec!["Team", "Public", "Secret"]);
    let kinds = prop::collection::vec(with.clone(), 0..3);
    (with, also, said, kinds, 0..4_u32, 1..=9_u8).prop_map(
        |(with, also, said, kinds, id, small)| {
            json!({
                "with": with, "also": also, "said": said, "kinds": kinds, "id": id, "small": small,
            })
        },
    )
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "'Team'", "'Public'", "'public'", "'Secret'", "'secret'", "null", "0", "1", "3", "9", "10",
        "-1", "1.5", "1.0", "true", "[]", "['Team']",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A literal that is called impossible equals the argument in no call that fits the schema.
    #[test]
    fn what_is_called_impossible_never_happens(
        arguments in arguments(),
        field in prop::sample::select(vec!["with", "also", "said", "kinds", "id", "small"]),
        form in 0..5_u8,
        literal in literal(),
    ) {
        let text = match form {
            0 => format!("args.{field} == {literal}"),
            1 => format!("args.{field} in [{literal}]"),
            2 => format!("{literal} in args.{field}"),
            3 => format!("args.{field} < {literal}"),
            _ => format!("args.{field} > {literal}"),
        };
        let found = faults(&text);
        let condition = Condition::parse(&text).unwrap();
        let judged = condition.judge(
            Given::These(arguments.as_object().unwrap()),
            Given::These(&Object::new()),
        );
        if found.contains("is never") {
            prop_assert_ne!(judged, super::Judgement::Met, "{}: {}", text, found);
        }
        // What can never be met has a finding, unless it is about fractions or orders.
        if found.is_empty() && form == 0 && judged == super::Judgement::NoAnswer {
            prop_assert!(false, "{} has no answer and no finding", text);
        }
    }
}
