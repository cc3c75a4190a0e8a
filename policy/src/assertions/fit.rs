//! Whether arguments fit the JSON Schema of a tool's or prompt's arguments.
//!
//! Only what a misspelt test gets wrong is looked at: names, types and the words of an `enum`.
//! Arguments may be left out, because a test needs only those that a condition reads.

use serde_json::Value;

use crate::{
    diagnostic::nearest,
    json_schema::{Shape, nearest_value},
    operation::Object,
};

/// The most `$ref` that are followed one after the other, because they may run in a circle.
const MOST_REFERENCES: usize = 16;

/// What does not fit: the name of the argument, and the fault in one sentence. `what` takes the
/// arguments: "the tool `share_note`".
pub(crate) fn faults(arguments: &Object, schema: &Object, what: &str) -> Vec<(String, String)> {
    let fit = Fit { root: schema };
    let mut faults = vec![];
    for (name, value) in arguments {
        for fault in fit.field(name, value, schema, None, what) {
            faults.push((name.clone(), fault));
        }
    }
    faults
}

struct Fit<'s> {
    root: &'s Object,
}

impl<'s> Fit<'s> {
    /// The faults of one field of an object. `path` is the path of the object, unless it is all of the
    /// arguments.
    fn field(
        &self,
        name: &str,
        value: &Value,
        schema: &'s Object,
        path: Option<&str>,
        what: &str,
    ) -> Vec<String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let whole = path.map_or_else(|| name.to_owned(), |path| format!("{path}.{name}"));
        if let Some(field) = properties.and_then(|properties| properties.get(name)) {
            return self.value(&whole, value, field);
        }
        let more = schema.get("additionalProperties").filter(|more| **more != Value::Bool(false));
        let is_open = ["patternProperties", "allOf", "anyOf", "oneOf"];
        if more.is_some() || is_open.iter().any(|key| schema.contains_key(*key)) {
            return more.map(|more| self.value(&whole, value, more)).unwrap_or_default();
        }
        if properties.is_none() && path.is_some() {
            return vec![];
        }
        let fault = match path {
            None => format!("{what} takes no argument `{name}`"),
            Some(path) => format!("`{path}` has no field `{name}`"),
        };
        let known = properties.into_iter().flat_map(|known| known.keys().map(String::as_str));
        vec![match nearest(name, known) {
            Some(right) => format!("{fault}: did you mean `{right}`?"),
            None => fault,
        }]
    }

    /// The faults of a value at `path`.
    fn value(&self, path: &str, value: &Value, schema: &'s Value) -> Vec<String> {
        let shape = Shape::of_part(schema, self.root);
        if let Some(words) = shape.values() {
            if shape.admits(value) {
                return vec![];
            }
            let listed: Vec<String> = words.iter().map(ToString::to_string).collect();
            let fault = format!("`{path}` must be one of {}", listed.join(", "));
            return vec![match nearest_value(value, &words) {
                Some(right) => format!("{fault}: did you mean {right}?"),
                None => fault,
            }];
        }
        let Some(schema) = self.resolve(schema) else { return vec![] };
        for key in ["anyOf", "oneOf"] {
            let Some(several) = schema.get(key).and_then(Value::as_array) else { continue };
            let faults = several.iter().map(|one| self.value(path, value, one));
            // The nearest alternative: a field that is misspelt in it comes before another type.
            let nearest = faults.min_by_key(|faults| {
                (!faults.is_empty(), faults.iter().any(|fault| fault.contains("must be")))
            });
            if let Some(faults) = nearest.filter(|faults| !faults.is_empty()) {
                return faults;
            }
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(word)) => vec![word],
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        if !types.is_empty() && !types.iter().any(|word| is_of(value, word)) {
            return vec![format!("`{path}` must be {}", types.join(" or "))];
        }
        match value {
            Value::Object(fields) => {
                let faults = fields
                    .iter()
                    .flat_map(|(name, value)| self.field(name, value, schema, Some(path), ""));
                faults.collect()
            }
            Value::Array(items) => {
                let Some(each) = schema.get("items") else { return vec![] };
                let path = format!("{path}[]");
                items.iter().flat_map(|item| self.value(&path, item, each)).collect()
            }
            _ => vec![],
        }
    }

    /// The schema, or what its `$ref` names. `None` if that is not known.
    fn resolve(&self, schema: &'s Value) -> Option<&'s Object> {
        let mut schema = schema.as_object()?;
        for _ in 0..MOST_REFERENCES {
            let Some(target) = schema.get("$ref").and_then(Value::as_str) else {
                return Some(schema);
            };
            let mut parts = target.strip_prefix("#/")?.split('/');
            let first = self.root.get(parts.next()?)?;
            schema = parts.try_fold(first, |value, part| value.get(part))?.as_object()?;
        }
        None
    }
}

/// Whether a value is of a type of JSON Schema.
fn is_of(value: &Value, word: &str) -> bool {
    match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::faults;

    #[test]
    fn arguments_that_do_not_fit_are_named_with_the_nearest_right_name() {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "n": { "type": ["integer", "null"] },
                "kind": { "$ref": "#/$defs/Kind" },
                "said": { "oneOf": [
                    { "description": "For all.", "const": "Public" },
                    { "description": "For me.", "const": "Secret" },
                ] },
                "place": { "anyOf": [{ "$ref": "#/$defs/Place" }, { "type": "null" }] },
                "tags": { "type": "array", "items": { "type": "string" } },
                "open": { "type": "object", "additionalProperties": { "type": "number" } },
                "free": { "type": "object" },
                "loop": { "$ref": "#/$defs/Loop" },
                "any": true,
            },
            "required": ["id"],
            "$defs": {
                "Kind": { "type": "string", "enum": ["public", "private"] },
                "Place": { "type": "object", "properties": { "city": { "type": "string" } } },
                "Loop": { "$ref": "#/$defs/Loop" },
            },
        });
        let said = |arguments: serde_json::Value| {
            let (arguments, schema) = (arguments.as_object().unwrap(), schema.as_object().unwrap());
            let faults = faults(arguments, schema, "the tool `t`");
            faults.into_iter().map(|(_, fault)| fault).collect::<Vec<_>>().join("; ")
        };
        for good in [
            json!({}),
            json!({ "id": "x", "n": 5.0, "kind": "public", "tags": ["a"], "any": { "x": [1] } }),
            json!({ "place": { "city": "Rome" }, "open": { "x": 1.5 }, "free": { "x": 1 } }),
            json!({ "place": null, "n": null, "loop": 1 }),
        ] {
            assert_eq!(said(good.clone()), "", "{good}");
        }
        for (bad, why) in [
            (json!({ "idd": "x" }), "the tool `t` takes no argument `idd`: did you mean `id`?"),
            (json!({ "owner": "x" }), "the tool `t` takes no argument `owner`"),
            (json!({ "id": 5 }), "`id` must be string"),
            (json!({ "n": 1.5 }), "`n` must be integer or null"),
            (
                json!({ "kind": "pubic" }),
                "`kind` must be one of \"public\", \"private\": did you mean \"public\"?",
            ),
            (json!({ "kind": 5 }), "`kind` must be one of \"public\", \"private\""),
            (
                json!({ "said": "Publik" }),
                "`said` must be one of \"Public\", \"Secret\": did you mean \"Public\"?",
            ),
            (
                json!({ "place": { "citty": "x" } }),
                "`place` has no field `citty`: did you mean `city`?",
            ),
            (json!({ "place": { "city": 1 } }), "`place.city` must be string"),
            (json!({ "tags": ["a", 1] }), "`tags[]` must be string"),
            (json!({ "open": { "x": "1" } }), "`open.x` must be number"),
        ] {
            assert_eq!(said(bad.clone()), why, "{bad}");
        }
        let nothing = json!({ "type": "object" });
        let given = json!({ "x": 1 });
        let found = faults(given.as_object().unwrap(), nothing.as_object().unwrap(), "it");
        assert_eq!(found, [("x".to_owned(), "it takes no argument `x`".to_owned())]);
    }
}
