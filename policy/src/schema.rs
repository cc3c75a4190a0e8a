//! The JSON Schema of `policy.toml`, with which editors complete and validate. It is made from the
//! shape that the reader uses, so that both accept the same files.
//!
//! The declared tools, resources and prompts are known keys, so that editors complete their names.
//! Another name is allowed as well: the schema is a committed file, which may be older than the
//! server, and the lint, which asks the server itself, reports a name that nothing declares
//! (`unknown-tool`).

use std::ptr;

use serde_json::{Map, Value, json};

use super::shape::{self, Key, TableShape, ValueKind};
use crate::{Declaration, Feature, Registry, diagnostic::Kind};

/// Where the schema of a rule stands, because each declared name refers to it.
const RULE: &str = "rule";

/// The pattern of a scope-token (RFC 6749, section 3.3).
const SCOPE: &str = r"^[\x21\x23-\x5b\x5d-\x7e]+$";
/// The pattern of a text that is not blank.
const TEXT: &str = r"\S";

/// The JSON Schema (2020-12) of `policy.toml`. `lints` are the lints whose level `[lint]` may set
/// ([`lint::changeable`](crate::lint::changeable)). `registry` has the tools, resources and prompts
/// whose names editors complete.
///
/// ```
/// use scopeward_policy::{Declaration, Feature, Location, Registry, schema::json_schema};
///
/// const LIST: Declaration = Declaration::new(
///     Feature::Tool, "list_notes", &["note:read"], &[], Location::new("src/notes.rs", 1, 1),
/// );
/// let schema = json_schema(&[], &Registry::new(&[LIST]));
/// let known = &schema["properties"]["tools"]["properties"]["list_notes"];
/// assert_eq!(known["description"], "Its author declared the scope note:read.");
/// ```
pub fn json_schema(lints: &[Kind], registry: &Registry) -> Value {
    let mut schema = table(&shape::POLICY, lints);
    schema["$defs"] = json!({ RULE: table(&shape::OPERATION, lints) });
    for feature in Feature::ALL {
        let known: Map<String, Value> = registry.of(feature).map(known).collect();
        if !known.is_empty() {
            schema["properties"][feature.table()]["properties"] = known.into();
        }
    }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "policy.toml of Scopeward: who may call which tool".into();
    schema
}

/// The key of a declared name. `allOf`, because editors for older drafts ignore what stands beside
/// `$ref`.
fn known(declared: &Declaration) -> (String, Value) {
    let schema = json!({ "allOf": [rule()], "description": declares(declared) });
    (declared.name().to_owned(), schema)
}

fn rule() -> Value {
    json!({ "$ref": format!("#/$defs/{RULE}") })
}

/// What the author of a tool, resource or prompt declared, in one sentence.
fn declares(declared: &Declaration) -> String {
    let optional = match declared.optional() {
        [] => String::new(),
        some => format!(" It answers more to callers with {}.", some.join(", ")),
    };
    match declared.scopes() {
        [] => format!("Its author declared no scopes.{optional}"),
        [one] => format!("Its author declared the scope {one}.{optional}"),
        several => format!("Its author declared the scopes {}.{optional}", several.join(", ")),
    }
}

fn table(shape: &TableShape, lints: &[Kind]) -> Value {
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

fn takes(what: &ValueKind, lints: &[Kind]) -> Value {
    match what {
        ValueKind::One => json!({ "const": 1 }),
        ValueKind::Count => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        ValueKind::Text => json!({ "type": "string", "pattern": TEXT }),
        ValueKind::Url => json!({ "type": "string", "pattern": "^https?://" }),
        ValueKind::ScopePrefix => json!({ "type": "string", "pattern": SCOPE.replace("]+", "]*") }),
        ValueKind::Scope => json!({ "type": "string", "pattern": SCOPE }),
        ValueKind::Scopes => {
            json!({ "type": "array", "items": takes(&ValueKind::Scope, lints), "uniqueItems": true })
        }
        ValueKind::SomeScopes => {
            let mut schema = takes(&ValueKind::Scopes, lints);
            schema["minItems"] = 1.into();
            schema
        }
        ValueKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        ValueKind::Flag => json!({ "type": "boolean" }),
        ValueKind::True => json!({ "const": true }),
        ValueKind::Word(words) => json!({ "enum": words() }),
        ValueKind::Table(shape) if ptr::eq(*shape, &raw const shape::OPERATION) => rule(),
        ValueKind::Table(shape) => table(shape, lints),
        ValueKind::Tables(shape) => json!({ "type": "array", "items": table(shape, lints) }),
        ValueKind::ByScope(each) => {
            json!({ "type": "object", "patternProperties": { SCOPE: takes(each, lints) }, "additionalProperties": false })
        }
        ValueKind::ByName(each) => {
            json!({ "type": "object", "additionalProperties": takes(each, lints) })
        }
        ValueKind::ByLint(each) => {
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
        ValueKind::Object => json!({ "type": "object" }),
        ValueKind::List(each) => json!({ "type": "array", "items": takes(each, lints) }),
        ValueKind::Some(each) => {
            json!({ "type": "array", "items": takes(each, lints), "minItems": 1 })
        }
        ValueKind::Either(several) => {
            json!({ "anyOf": several.iter().map(|one| takes(one, lints)).collect::<Vec<_>>() })
        }
    }
}
