//! Compares the evaluation of conditions with that of CEL's own evaluator, and looks at its cost.

use std::sync::Arc;

use cel::Context;
use proptest::{prelude::*, strategy::ValueTree};
use serde_json::{Value, json};

use super::{ARGUMENTS, CLAIMS, Condition, ENVIRONMENT, Judgement, MOST_STEPS, evaluate::Call};
use crate::{effort::Effort, operation::Given};

/// The judgement by CEL's own evaluator.
fn by_cel(condition: &Condition, arguments: &Value, claims: &Value) -> Judgement {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    for (name, value) in [(ARGUMENTS, arguments), (CLAIMS, claims)] {
        context.add_variable(name, value.as_object().unwrap()).unwrap();
    }
    match condition.program.execute(&context) {
        Ok(cel::Value::Bool(true)) => Judgement::Met,
        Ok(cel::Value::Bool(false)) => Judgement::NotMet,
        _ => Judgement::NoAnswer,
    }
}

fn judge(condition: &Condition, arguments: &Value, claims: &Value) -> Judgement {
    let (arguments, claims) = (arguments.as_object().unwrap(), claims.as_object().unwrap());
    condition.judge(Given::These(arguments), Given::These(claims))
}

/// The steps that a condition takes on a call, if none were too many.
fn steps(text: &str, arguments: &Value) -> usize {
    let condition = Condition::parse(text).unwrap();
    let effort = Effort::new(usize::MAX);
    let claims = json!({});
    let call =
        Call { arguments: arguments.as_object(), claims: claims.as_object(), effort: &effort };
    let _ = call.evaluate(condition.expression());
    usize::MAX - effort.left()
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3_i64..4).prop_map(Value::from),
        1 => Just(json!(1.5)),
        1 => Just(json!(2.0)),
        1 => Just(json!(u64::MAX)),
        1 => Just(json!(i64::MIN)),
        1 => Just(json!(i64::MAX)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        "[abé]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abx]", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// `a` is most often a list, and `b` a text or a number.
fn object() -> impl Strategy<Value = Value> {
    let list = prop_oneof![
        3 => proptest::collection::vec(value(), 0..5).prop_map(Value::from),
        1 => value(),
    ];
    let plain = prop_oneof![
        "[abé]{0,3}".prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        value(),
    ];
    let of = proptest::option::of::<BoxedStrategy<Value>>;
    (of(list.boxed()), of(plain.boxed()), of(value().boxed()), number()).prop_map(|(a, b, x, n)| {
        let fields = [("a", a), ("b", b), ("x", x), ("n", Some(n))].into_iter();
        fields.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    })
}

/// A condition whose parts most often have an answer.
fn typed() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "has\\((args|claims)\\.[abx]\\)",
        "(args|claims)\\.n (==|!=|<|<=|>|>=) (args|claims)\\.n",
        "args\\.n (==|!=|<|<=|>|>=) (-?[0-3]|[0-3]u|1\\.5|-9223372036854775808)",
        "args\\.(a|b|x) (==|!=) (claims\\.(a|b|x)|'a'|null|true|1)",
        "args\\.n in \\[1, 2u, -3, 1\\.5, args\\.n, 'a'\\]",
        "args\\.a\\.(exists|all)\\(x, x (==|!=|<|>) (args\\.n|1|'a')\\)",
        "args\\.a\\.(exists|all)\\(x, x (==|!=) (args\\.n|1|'a'|null|true)\\)",
        "args\\.b\\.(startsWith|endsWith|contains)\\('[ab]?'\\)",
        "'abé'\\.(startsWith|endsWith|contains)\\('[abé]?'\\)",
        "size\\((args\\.a|args\\.b|args|'é'|b'abc'|\\[1, 2\\])\\) (==|<|>) [0-3]",
        "args\\.a\\[[0-2](u|\\.0|)\\] == args\\.a\\[[0-2]\\]",
        "('n'|'q'|1|true|1\\.5|null) in args",
        "args\\['n'\\] == args\\.n",
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), "&&|\\|\\||==|!=").prop_map(|((a, b), op)| format!("({a}) {op} ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner, two).prop_map(|(c, (a, b))| format!("({c}) ? ({a}) : ({b})")),
        ]
    })
}

fn expression() -> impl Strategy<Value = String> {
    prop_oneof![typed(), untyped()]
}

/// An expression of everything that a condition may use. Most are of types that do not fit.
fn untyped() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "(args|claims)\\.[abx]",
        1 => "args\\.[abx]\\.[abx]",
        1 => "x",
        1 => Just("args".to_owned()),
        1 => prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(str::to_owned),
        1 => "-?[0-3]",
        1 => prop_oneof![Just("1u"), Just("1.5"), Just("2.0"), Just("b'a'"), Just("-1.0")]
            .prop_map(str::to_owned),
        2 => "'[abé]{0,2}'",
        1 => "has\\(args\\.[abx]\\.[abx]\\)",
        1 => "has\\(args\\.[abx]\\)",
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let operator =
            proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"]);
        let method = proptest::sample::select(vec!["startsWith", "endsWith", "contains"]);
        let each = proptest::sample::select(vec!["exists", "all"]);
        let whole = prop_oneof![Just("args.a"), Just("args.b"), Just("[1, 'a', args.x]")];
        prop_oneof![
            6 => (two.clone(), operator).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            1 => inner.clone().prop_map(|a| format!("!{a}")),
            1 => inner.clone().prop_map(|a| format!("(-{a})")),
            1 => inner.clone().prop_map(|a| format!("size({a})")),
            1 => inner.clone().prop_map(|a| format!("({a}).size()")),
            1 => (two.clone(), method).prop_map(|((a, b), m)| format!("({a}).{m}({b})")),
            1 => two.clone().prop_map(|(a, b)| format!("({a})[{b}]")),
            1 => two.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (inner.clone(), two).prop_map(|(c, (a, b))| format!("({c} ? {a} : {b})")),
            3 => (whole.clone(), each.clone(), inner)
                .prop_map(|(of, each, a)| format!("{of}.{each}(x, {a})")),
            3 => (whole, each, "x|!x|x (>|<=|==) [0-3]|x == 'a'|x.contains\\('a'\\)|x in args.a|x in \\[1, null\\]|x > 1 && args.b > x|x.a == 1|has\\(x.a\\)|size\\(x\\) == 1")
                .prop_map(|(of, each, a)| format!("{of}.{each}(x, {a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, max_global_rejects: 400_000, ..ProptestConfig::default() })]

    #[test]
    fn conditions_mean_what_cel_says(
        text in expression(),
        arguments in object(),
        claims in object(),
    ) {
        let condition = Condition::parse(&text);
        prop_assume!(condition.is_ok());
        let condition = condition.unwrap();
        prop_assert_eq!(
            judge(&condition, &arguments, &claims),
            by_cel(&condition, &arguments, &claims),
            "{} on {} and {}", text, arguments, claims
        );
    }
}

/// The generated conditions have all three answers often enough to compare them.
#[test]
fn the_comparison_is_not_empty() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut counts = [0; 3];
    while counts.iter().sum::<usize>() < 1_000 {
        let made = (expression(), object(), object()).new_tree(&mut runner).unwrap().current();
        let (text, arguments, claims) = made;
        let Ok(condition) = Condition::parse(&text) else { continue };
        counts[match judge(&condition, &arguments, &claims) {
            Judgement::Met => 0,
            Judgement::NotMet => 1,
            _ => 2,
        }] += 1;
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

#[test]
fn the_cost_of_a_condition_is_bounded_and_beyond_it_the_condition_counts_as_met() {
    let numbers: Value = (0..300_000).collect();
    let texts: Value = (0..20_000).map(|n| format!("text {n}")).collect();
    let long = "x".repeat(40_000_000);
    let object: Value = (0..300_000).map(|n| (n.to_string(), n)).collect();
    let deep = (0..100).fold(json!([1]), |inner, _| json!([inner, [1, 2, 3]]));
    let arguments = json!({
        "numbers": numbers, "texts": texts, "long": long, "longer": long.clone() + "y",
        "object": object, "deep": deep, "same": deep, "numbers2": numbers, "object2": object,
        "small": [1, 2, 3],
    });
    let claims = json!({});
    for text in [
        "args.numbers.exists(n, n == -1)",
        "args.numbers.all(n, n >= 0)",
        "args.object.all(name, name != '-')",
        "-1 in args.numbers",
        "args.numbers == args.numbers2 && false",
        "args.numbers != args.numbers2",
        "args.object != args.object2",
        "args.long.contains('y')",
        "args.long.startsWith(args.longer)",
        "args.long.endsWith(args.longer)",
        "size(args.long) < 5",
        "args.long == args.long && false",
        "args.long > args.longer",
        "args.texts.exists(t, t in args.numbers)",
        "args.texts.exists(t, t.contains('q') || t.startsWith('q') || t.endsWith('q'))",
        "args.numbers.exists(n, n in args.numbers2 ? false : false)",
        "(args.numbers.exists(n, n == -1) || false) && (has(args.none) || false)",
        "!args.numbers.all(n, n >= 0)",
        "args.numbers.all(n, n >= 0) ? false : false",
    ] {
        let condition = Condition::parse(text).unwrap();
        assert_eq!(judge(&condition, &arguments, &claims), Judgement::TooLong, "{text}");
        let given = (arguments.as_object().unwrap(), claims.as_object().unwrap());
        assert!(condition.is_met(Given::These(given.0), Given::These(given.1)), "{text}");
    }
    // What a condition does not look at costs nothing.
    for text in [
        "args.small.exists(n, n == 4)",
        "size(args.numbers) < 5",
        "size(args.object) < 5",
        "args.deep != args.same",
        "'-' in args.object",
        "args.numbers[299999] == 3",
    ] {
        let condition = Condition::parse(text).unwrap();
        assert_eq!(judge(&condition, &arguments, &claims), Judgement::NotMet, "{text}");
        let steps = steps(text, &arguments);
        assert!(steps < 1_000, "{text}: {steps} steps");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// A condition takes at most as many steps as its parts times the items that it looks at, and a
    /// judgement never takes more than the bound.
    #[test]
    fn the_steps_grow_at_most_with_the_parts_and_the_arguments(
        text in expression(),
        arguments in object(),
        copies in 1_usize..400,
    ) {
        prop_assume!(Condition::parse(&text).is_ok());
        let mut arguments = arguments;
        let items: Vec<Value> = (0..copies).map(|_| arguments["a"].clone()).collect();
        arguments["a"] = items.into();
        let nodes = arguments.to_string().len() + 10;
        let parts = text.len() + 10;
        let taken = steps(&text, &arguments);
        // One loop over a list, in which each part may compare with the whole of the arguments.
        prop_assert!(taken <= parts * nodes * (copies + 10), "{} steps", taken);
        let condition = Condition::parse(&text).unwrap();
        let judged = judge(&condition, &arguments, &json!({}));
        let is_too_long = taken > MOST_STEPS;
        prop_assert_eq!(judged == Judgement::TooLong, is_too_long, "{} steps", taken);
    }
}
