//! Reads the `arguments` and `claims` of a test or an invariant: TOML tables that stand for JSON
//! objects.

use std::{fmt::Display, ops::Range};

use serde_json::{Number, Value};
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use crate::{
    condition::claim_fault,
    diagnostic::Diagnostic,
    mistake,
    operation::Object,
    reader::{Located, TableReader, located},
};

/// The arguments of a call, or the claims of a token, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenObject {
    pub(crate) object: Object,
    /// The place of the key `arguments` or `claims`.
    pub(crate) span: Range<usize>,
    /// The place of each name in the object.
    pub(crate) names: Vec<Located<String>>,
}

impl GivenObject {
    /// The place of one name; that of the whole object if it has no such name.
    pub(crate) fn place_of(&self, name: &str) -> Range<usize> {
        let found = self.names.iter().find(|other| other.value == name);
        found.map_or(self.span.clone(), |name| name.span.clone())
    }
}

/// Something in an object is wrong, and has been reported. A test without its arguments would be
/// another test, so there is none.
pub(super) struct Unreadable;

type ReadObject = Result<Option<GivenObject>, Unreadable>;

/// Reads `arguments`.
pub(super) fn arguments(reader: &TableReader<'_, '_>, errors: &mut Vec<Diagnostic>) -> ReadObject {
    read(reader, "arguments", errors)
}

/// Reads `claims`. A claim that no token can have is a mistake, because a condition would answer
/// something that no caller ever sees.
pub(super) fn claims(reader: &TableReader<'_, '_>, errors: &mut Vec<Diagnostic>) -> ReadObject {
    let Some(given) = read(reader, "claims", errors)? else { return Ok(None) };
    let before = errors.len();
    for (name, value) in &given.object {
        if let Some(fault) = claim_fault(name, value) {
            let error = Diagnostic::new(mistake::INVALID_CALL, given.place_of(name), fault);
            errors.push(error.help("write the claim as the tokens of your provider have it"));
        }
    }
    if errors.len() > before { Err(Unreadable) } else { Ok(Some(given)) }
}

fn read(reader: &TableReader<'_, '_>, key: &str, errors: &mut Vec<Diagnostic>) -> ReadObject {
    if reader.get(key).is_none() {
        return Ok(None);
    }
    let table = reader.table(key, errors).ok_or(Unreadable)?;
    let before = errors.len();
    let object = object(table.value, errors);
    if errors.len() > before {
        return Err(Unreadable);
    }
    let names = table.value.keys();
    let names = names.map(|key| Located::new(key.get_ref().to_string(), key.span())).collect();
    Ok(Some(GivenObject { object, span: table.span, names }))
}

fn object(table: &DeTable<'_>, errors: &mut Vec<Diagnostic>) -> Object {
    let mut object = Object::new();
    for (key, value) in table {
        let name = key.get_ref().to_string();
        if let Some(value) = json(&located(value), &name, errors) {
            object.insert(name, value);
        }
    }
    object
}

/// The JSON value of a TOML value. `None`, with a mistake, for a value that JSON does not have.
fn json(found: &Located<&DeValue<'_>>, name: &str, errors: &mut Vec<Diagnostic>) -> Option<Value> {
    let mut no_json = |what: &dyn Display, help: &str| {
        let message = format!("`{name}` is {what}, which JSON does not have");
        let error = Diagnostic::new(mistake::INVALID_CALL, found.span.clone(), message);
        errors.push(error.help(help));
        None
    };
    match found.value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(number) => integer(number).or_else(|| {
            no_json(&"a number of more than 64 bits", "write a number that the client can send")
        }),
        DeValue::Float(number) => float(number)
            .or_else(|| no_json(&"not a finite number", "write a number that the client can send")),
        DeValue::Datetime(time) => no_json(
            &"a date or time",
            &format!("write it as the client sends it, as a string: `{name} = \"{time}\"`"),
        ),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| json(&located(item), name, errors));
            // All of them, so that each mistake is reported.
            let items: Vec<Option<Value>> = items.collect();
            items.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        DeValue::Table(table) => Some(Value::Object(object(table, errors))),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Value> {
    let (text, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(text, radix).map(Value::from);
    signed.or_else(|_| u64::from_str_radix(text, radix).map(Value::from)).ok()
}

fn float(number: &DeFloat<'_>) -> Option<Value> {
    let number: f64 = number.as_str().parse().ok()?;
    Number::from_f64(number).map(Value::Number)
}
