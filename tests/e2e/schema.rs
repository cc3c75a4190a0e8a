//! The JSON Schema of `policy.toml` by an independent judge.

use scopeward::policy::{
    CompiledPolicy, Declaration, Feature, Location, Registry, diagnostic::Source, lint,
    schema::json_schema,
};
use serde_json::Value;

use crate::harness::SHIPPED;

#[path = "../../policy/src/samples.rs"]
mod samples;
use samples::{GOOD, MISTAKES, mutilated, under_the_former_name, with_tests};

/// The mistakes that a JSON Schema can see; the others take two places together, or a parser.
const STRUCTURAL: &[&str] = &[
    "missing-version",
    "unknown-version",
    "wrong-type",
    "unknown-key",
    "unknown-value",
    "missing-url",
    "missing-title",
    "invalid-scope",
    "duplicate-scope",
    "missing-rule",
    "two-rules",
    "empty-rule",
    "empty-text",
    "missing-key",
    "two-servers",
];

/// A declared name is a known key, and is judged like every other.
const DECLARED: &[Declaration] = &[Declaration::new(
    Feature::Tool,
    "list_todos",
    &["todo:read"],
    &[],
    Location::new("src/todos.rs", 1, 1),
)];

fn whole_schema() -> Value {
    json_schema(&lint::changeable().collect::<Vec<_>>(), &Registry::new(DECLARED))
}

/// Editors say what the server says: a file is valid by the schema exactly when the reader finds
/// no mistake that a schema can see.
#[test]
fn the_schema_and_the_reader_agree() {
    let schema = jsonschema::validator_for(&whole_schema()).unwrap();
    let judge = |text: &str| {
        let Ok(json) = toml::from_str::<Value>(text) else { return };
        let structural = match CompiledPolicy::compile(Source::new("policy.toml", text)) {
            Ok(_) => vec![],
            Err(found) => {
                let names = found.iter().map(|finding| finding.kind().name);
                names.filter(|name| STRUCTURAL.contains(name)).collect()
            }
        };
        let errors: Vec<String> = schema.iter_errors(&json).map(|e| e.to_string()).collect();
        assert_eq!(errors.is_empty(), structural.is_empty(), "{structural:?} {errors:?}\n{text}");
    };
    judge(GOOD);
    judge(&with_tests());
    for (from, to, ..) in MISTAKES {
        judge(&GOOD.replace(from, to));
    }
    for text in mutilated().iter().chain(&under_the_former_name()) {
        judge(text);
    }
    for lint in lint::LINTS {
        for example in lint.examples() {
            judge(&example);
        }
    }
}

#[test]
fn the_schema_is_a_schema_and_accepts_the_shipped_policy() {
    let schema = whole_schema();
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    let policy: Value = toml::from_str(SHIPPED).unwrap();
    assert!(jsonschema::is_valid(&schema, &policy));
}
