//! Finds stray arguments, which the input schema does not name. A condition that reads arguments by
//! name does not see them, but the tool may accept them under a second name (serde's `alias`).

use rmcp::model::JsonObject;
use serde_json::Value;

/// At most this many references are followed from one schema to the next, so that a schema that
/// refers to itself does not go on for ever.
const MAX_REFERENCES: usize = 16;

/// Finds a stray argument at any depth and returns its name. Where the schema leaves names open, no
/// argument is stray.
pub(super) fn find_stray_argument<'v>(
    schema: &JsonObject,
    arguments: &'v JsonObject,
) -> Option<&'v str> {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    Schemas { definitions }.in_object(&[schema], arguments)
}

struct Schemas<'s> {
    definitions: Option<&'s JsonObject>,
}

impl<'s> Schemas<'s> {
    fn in_value<'v>(&self, schemas: &[&'s JsonObject], value: &'v Value) -> Option<&'v str> {
        match value {
            Value::Object(object) => self.in_object(schemas, object),
            Value::Array(list) => {
                let mut items = vec![];
                for part in self.parts(schemas) {
                    items.extend(part.get("items").and_then(Value::as_object));
                    let each = part.get("prefixItems").and_then(Value::as_array);
                    items.extend(each.into_iter().flatten().filter_map(Value::as_object));
                }
                list.iter().filter(|_| !items.is_empty()).find_map(|one| self.in_value(&items, one))
            }
            _ => None,
        }
    }

    fn in_object<'v>(&self, schemas: &[&'s JsonObject], object: &'v JsonObject) -> Option<&'v str> {
        let parts = self.parts(schemas);
        object.iter().find_map(|(name, value)| {
            let named: Vec<&Value> = parts.iter().filter_map(|part| property(part, name)).collect();
            if parts.iter().any(|part| is_open(part)) {
                return None;
            }
            if named.is_empty() {
                return Some(name.as_str());
            }
            let schemas: Option<Vec<_>> = named.into_iter().map(Value::as_object).collect();
            // The schema `true` accepts any value.
            schemas.and_then(|schemas| self.in_value(&schemas, value))
        })
    }

    /// The schemas, and the schemas that they refer to or consist of.
    fn parts(&self, schemas: &[&'s JsonObject]) -> Vec<&'s JsonObject> {
        let mut parts = schemas.to_vec();
        let mut new = 0..parts.len();
        for _ in 0..MAX_REFERENCES {
            for at in new.clone() {
                let part = parts[at];
                parts.extend(self.referred(part));
                for key in ["allOf", "anyOf", "oneOf"] {
                    let several = part.get(key).and_then(Value::as_array);
                    parts.extend(several.into_iter().flatten().filter_map(Value::as_object));
                }
            }
            new = new.end..parts.len();
        }
        parts
    }

    fn referred(&self, schema: &JsonObject) -> Option<&'s JsonObject> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        self.definitions?.get(name)?.as_object()
    }
}

/// The schema of a property: by its name, or else the schema of all properties without a name.
fn property<'s>(schema: &'s JsonObject, name: &str) -> Option<&'s Value> {
    let named = schema.get("properties").and_then(|all| all.get(name));
    named.or_else(|| schema.get("additionalProperties").filter(|others| **others != false))
}

/// Returns whether a schema allows objects and says nothing about their members.
fn is_open(schema: &JsonObject) -> bool {
    let says =
        ["properties", "additionalProperties", "$ref", "allOf", "anyOf", "oneOf", "const", "enum"];
    let may_be_object = match schema.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(|one| one == "object"),
        Some(one) => one == "object",
    };
    may_be_object && !says.iter().any(|key| schema.contains_key(*key))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rmcp::schemars::{self, JsonSchema};
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema, serde::Deserialize)]
    #[expect(dead_code, reason = "only the schema of the type is used")]
    struct Arguments {
        #[serde(alias = "identifier")]
        id: String,
        place: Option<Place>,
        places: Vec<Place>,
        kind: Kind,
        open: HashMap<String, Place>,
        any: Value,
        object: JsonObject,
        pair: (Place, bool),
    }

    #[derive(JsonSchema, serde::Deserialize)]
    #[expect(dead_code, reason = "only the schema of the type is used")]
    struct Place {
        #[serde(alias = "town")]
        city: String,
        within: Option<Box<Place>>,
    }

    #[derive(JsonSchema, serde::Deserialize)]
    #[expect(dead_code, reason = "only the schema of the type is used")]
    #[serde(tag = "is", rename_all = "snake_case")]
    enum Kind {
        Plain,
        #[serde(alias = "odd")]
        Special {
            #[serde(alias = "why")]
            reason: String,
        },
    }

    fn found(arguments: &Value) -> Option<String> {
        let schema = schemars::schema_for!(Arguments);
        let schema = schema.as_value().as_object().unwrap();
        find_stray_argument(schema, arguments.as_object().unwrap()).map(str::to_owned)
    }

    #[test]
    fn arguments_that_the_schema_names_are_not_stray() {
        for good in [
            json!({}),
            json!({ "id": "x", "place": null, "any": { "x": [{ "y": 1 }] } }),
            json!({ "place": { "city": "Rome", "within": { "city": "x", "within": null } } }),
            json!({ "places": [{ "city": "Rome" }, 5], "id": 5 }),
            json!({ "kind": { "is": "special", "reason": "x" }, "object": { "x": { "y": 1 } } }),
            json!({ "open": { "x": { "city": "Rome" } }, "pair": [{ "city": "Rome" }, true] }),
        ] {
            assert_eq!(found(&good), None, "{good}");
        }
    }

    #[test]
    fn arguments_under_other_names_are_stray() {
        for (bad, name) in [
            (json!({ "identifier": "x" }), "identifier"),
            (json!({ "id": "x", "": 1 }), ""),
            (json!({ "id": { "of": "another type" } }), "of"),
            (json!({ "place": { "town": "Rome" } }), "town"),
            (json!({ "place": { "city": "x", "within": { "town": "Rome" } } }), "town"),
            (json!({ "places": [{ "city": "x" }, { "town": "Rome" }] }), "town"),
            (json!({ "kind": { "is": "special", "why": "x" } }), "why"),
            (json!({ "open": { "x": { "town": "Rome" } } }), "town"),
            (json!({ "pair": [{ "town": "Rome" }, true] }), "town"),
        ] {
            assert_eq!(found(&bad).as_deref(), Some(name), "{bad}");
        }
    }
}
