//! The schemas of tools as the list shows them: plain JSON Schema, without the formats of Rust's
//! numbers, of which validators warn at each list.

use std::sync::Arc;

use rmcp::model::JsonObject;
use serde_json::Value;

/// The formats that `schemars` writes for Rust's numbers. JSON Schema has no format of numbers.
const FORMATS_OF_NUMBERS: [&str; 14] = [
    "uint8", "uint16", "uint32", "uint64", "uint128", "uint", "int8", "int16", "int32", "int64",
    "int128", "int", "float", "double",
];

/// The keywords whose values are data and no schemas.
const DATA: [&str; 5] = ["const", "enum", "default", "examples", "required"];

/// The schema without the formats of numbers.
pub(super) fn plain(schema: Arc<JsonObject>) -> Arc<JsonObject> {
    if !has_format(&schema) {
        return schema;
    }
    let mut schema = Arc::unwrap_or_clone(schema);
    remove_formats(&mut schema);
    Arc::new(schema)
}

fn is_format_of_numbers(value: &Value) -> bool {
    value.as_str().is_some_and(|format| FORMATS_OF_NUMBERS.contains(&format))
}

fn has_format(schema: &JsonObject) -> bool {
    schema.iter().any(|(key, value)| {
        (key == "format" && is_format_of_numbers(value))
            || (!DATA.contains(&&**key) && any_object(value))
    })
}

fn any_object(value: &Value) -> bool {
    match value {
        Value::Object(object) => has_format(object),
        Value::Array(all) => all.iter().any(any_object),
        _ => false,
    }
}

fn remove_formats(schema: &mut JsonObject) {
    if schema.get("format").is_some_and(is_format_of_numbers) {
        schema.remove("format");
    }
    for (key, value) in schema {
        if !DATA.contains(&&**key) {
            remove_within(value);
        }
    }
}

fn remove_within(value: &mut Value) {
    match value {
        Value::Object(object) => remove_formats(object),
        Value::Array(all) => all.iter_mut().for_each(remove_within),
        _ => {}
    }
}
