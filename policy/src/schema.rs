//! The JSON Schema of `policy.toml`, made of the same table that the reader uses. Editors complete
//! and validate with it.

use serde_json::{Map, Value, json};

use super::shape::{self, Key, Shape, Takes};
use crate::diagnostic::Kind;

/// A scope-token (RFC 6749, section 3.3).
const SCOPE: &str = r"^[\x21\x23-\x5b\x5d-\x7e]+$";
/// Says something: not only white space.
const TEXT: &str = r"\S";

/// The schema, in JSON Schema 2020-12. `lints` are the lints whose level `[lint]` may set
/// ([`lint::changeable`](crate::lint::changeable)).
pub fn json_schema(lints: &[Kind]) -> Value {
    let mut schema = table(&shape::POLICY, lints);
    // Where an editor names the schema that it uses; TOML files name it in a comment.
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "policy.toml of Scopeward: who may call which tool".into();
    schema
}

fn table(shape: &Shape, lints: &[Kind]) -> Value {
    let properties: Map<String, Value> =
        shape.keys.iter().map(|key| (key.name.to_owned(), property(key, lints))).collect();
    let required: Vec<&str> =
        shape.keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    let one_required =
        |keys: &[&str]| keys.iter().map(|key| json!({ "required": [key] })).collect();
    if !shape.one_of.is_empty() {
        schema["oneOf"] = one_required(shape.one_of);
    }
    if !shape.some_of.is_empty() {
        schema["anyOf"] = one_required(shape.some_of);
    }
    schema
}

fn property(key: &Key, lints: &[Kind]) -> Value {
    let mut schema = takes(&key.takes, lints);
    schema["description"] = key.about.into();
    if key.replaced_by.is_some() {
        schema["deprecated"] = true.into();
    }
    schema
}

fn takes(what: &Takes, lints: &[Kind]) -> Value {
    match what {
        Takes::One => json!({ "const": 1 }),
        Takes::Count => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        Takes::Text => json!({ "type": "string", "pattern": TEXT }),
        Takes::Url => json!({ "type": "string", "pattern": "^https?://" }),
        Takes::ScopePrefix => json!({ "type": "string", "pattern": SCOPE.replace("]+", "]*") }),
        Takes::Scope => json!({ "type": "string", "pattern": SCOPE }),
        Takes::Scopes => {
            json!({ "type": "array", "items": takes(&Takes::Scope, lints), "uniqueItems": true })
        }
        Takes::SomeScopes => {
            let mut schema = takes(&Takes::Scopes, lints);
            schema["minItems"] = 1.into();
            schema
        }
        Takes::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Takes::Flag => json!({ "type": "boolean" }),
        Takes::True => json!({ "const": true }),
        Takes::Word(words) => json!({ "enum": words() }),
        Takes::Table(shape) => table(shape, lints),
        Takes::Tables(shape) => json!({ "type": "array", "items": table(shape, lints) }),
        Takes::ByScope(each) => {
            json!({ "type": "object", "patternProperties": { SCOPE: takes(each, lints) }, "additionalProperties": false })
        }
        Takes::ByName(each) => {
            json!({ "type": "object", "additionalProperties": takes(each, lints) })
        }
        Takes::ByLint(each) => {
            let properties: Map<String, Value> = lints
                .iter()
                .flat_map(|lint| {
                    let mut schema = takes(each, lints);
                    schema["description"] = lint.summary.into();
                    [lint.name, lint.id].map(|word| (word.to_owned(), schema.clone()))
                })
                .collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Takes::Some(each) => json!({ "type": "array", "items": takes(each, lints), "minItems": 1 }),
        Takes::Either(several) => {
            json!({ "anyOf": several.iter().map(|one| takes(one, lints)).collect::<Vec<_>>() })
        }
    }
}
