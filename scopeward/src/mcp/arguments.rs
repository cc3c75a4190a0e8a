//! Reads the arguments of a tool into the type that its method takes. An argument that the type does
//! not know is named beside the error, because it is most likely the one that is missing, misspelt.

use std::fmt;

use rmcp::{
    ErrorData,
    model::JsonObject,
    serde::{
        self,
        de::{
            DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
            value::StrDeserializer,
        },
        forward_to_deserialize_any,
    },
};
use serde_json::{Error, Value};

use crate::policy::{Declaration, diagnostic::nearest};

/// At most this many unknown arguments are named, so that the message stays short.
const MOST_NAMED: usize = 3;

/// Reads the arguments of a call. The words before the colon are rmcp's, which makes a result of such
/// an error.
pub(super) fn read<T: DeserializeOwned>(
    arguments: JsonObject,
    declared: &Declaration,
) -> Result<T, ErrorData> {
    let mut unknown = vec![];
    let length = arguments.len();
    let entries =
        Entries { rest: arguments.into_iter(), length, next: None, unknown: &mut unknown };
    T::deserialize(entries).map_err(|error| {
        let message = format!("failed to deserialize parameters: {error}");
        ErrorData::invalid_params(message + &Unknown(&unknown, declared).to_string(), None)
    })
}

/// The part of a message that names unknown arguments.
struct Unknown<'a>(&'a [String], &'a Declaration);

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(unknown, declared) = self;
        let schema = declared.arguments().filter(|_| !unknown.is_empty());
        let properties = schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
        let known = || properties.into_iter().flat_map(|all| all.keys().map(String::as_str));
        for name in unknown.iter().take(MOST_NAMED) {
            write!(f, "; {} takes no argument `{name:.64}`", declared.name())?;
            if let Some(right) = nearest(name, known()) {
                write!(f, ": did you mean `{right}`?")?;
            }
        }
        Ok(())
    }
}

/// The arguments, one after the other.
struct Entries<'u> {
    rest: serde_json::map::IntoIter,
    length: usize,
    next: Option<(String, Value)>,
    /// The names of the arguments that the type ignored.
    unknown: &'u mut Vec<String>,
}

impl<'de> Deserializer<'de> for Entries<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let length = self.length;
        let value = visitor.visit_map(&mut self)?;
        if self.rest.len() == 0 {
            Ok(value)
        } else {
            Err(serde::de::Error::invalid_length(length, &"fewer elements in map"))
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let whole: JsonObject = self.rest.collect();
        Value::Object(whole).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next = self.rest.next();
        let Some((name, _)) = &self.next else { return Ok(None) };
        let name: StrDeserializer<'_, Error> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((name, value)) = self.next.take() else {
            return Err(serde::de::Error::custom("value is missing"));
        };
        seed.deserialize(Argument { name, value, unknown: self.unknown })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The value of one argument, which notices if it is ignored.
struct Argument<'u> {
    name: String,
    value: Value,
    unknown: &'u mut Vec<String>,
}

/// Passes each question on to the value.
macro_rules! forwarded {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.value.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Argument<'_> {
    type Error = Error;

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.unknown.push(self.name);
        visitor.visit_unit()
    }

    forwarded! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_option deserialize_unit deserialize_seq deserialize_map deserialize_identifier
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_tuple(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_tuple_struct(name, length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_enum(name, variants, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::policy::{Feature, Location};

    const DECLARED: Declaration =
        Declaration::new(Feature::Tool, "create", &[], &[], Location::new("src/a.rs", 1, 1))
            .with_arguments(|| {
                let schema =
                    json!({ "type": "object", "properties": { "title": {}, "count": {} } });
                Arc::new(schema.as_object().cloned().unwrap_or_default())
            });

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde")]
    struct Plain {
        title: String,
        count: Option<u8>,
        #[serde(default)]
        kind: Kind,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde")]
    enum Kind {
        #[default]
        One,
        Two(u8),
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde", deny_unknown_fields)]
    struct Strict {
        title: Option<String>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde")]
    struct Flat {
        title: Option<String>,
        #[serde(flatten)]
        more: BTreeMap<String, Value>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde", tag = "title")]
    enum Tagged {
        #[serde(rename = "x")]
        X { count: Option<u8> },
        #[serde(rename = "y")]
        Y,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde")]
    enum Outer {
        #[serde(rename = "title")]
        Title(String),
        #[serde(rename = "count")]
        Count { count: u8 },
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde", untagged)]
    enum Either {
        One { title: String },
        Other { count: u8 },
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(crate = "rmcp::serde")]
    struct Wrapped(Plain);

    /// Reads in both ways. The value is the same, and an error begins with the same words.
    fn same<T: DeserializeOwned + PartialEq + fmt::Debug>(arguments: &JsonObject) {
        let ours =
            read::<T>(arguments.clone(), &DECLARED).map_err(|error| error.message.to_string());
        let theirs = serde_json::from_value::<T>(Value::Object(arguments.clone()))
            .map_err(|error| format!("failed to deserialize parameters: {error}"));
        match (ours, theirs) {
            (Err(ours), Err(theirs)) => {
                assert!(ours.starts_with(&theirs), "{ours}\n{theirs}\n{arguments:?}");
            }
            (ours, theirs) => assert_eq!(ours, theirs, "{arguments:?}"),
        }
    }

    #[test]
    fn an_unknown_argument_is_named_with_the_nearest_one() {
        let said = |arguments: Value| {
            let arguments = arguments.as_object().cloned().unwrap();
            read::<Plain>(arguments, &DECLARED).unwrap_err().message.to_string()
        };
        let missing = "failed to deserialize parameters: missing field `title`";
        assert_eq!(said(json!({})), missing);
        assert_eq!(
            said(json!({ "titel": "x" })),
            format!("{missing}; create takes no argument `titel`: did you mean `title`?")
        );
        assert_eq!(
            said(json!({ "zebra": [1] })),
            format!("{missing}; create takes no argument `zebra`")
        );
        let long = "x".repeat(9_000);
        assert!(said(json!({ long: 1 })).len() < 300);
    }

    proptest! {
        /// Arguments are read as serde_json reads them.
        #[test]
        fn arguments_are_read_as_before(
            arguments in prop::collection::btree_map(
                prop::sample::select(vec!["title", "titel", "count", "kind", "x"]),
                prop::sample::select(vec![
                    json!("x"), json!("y"), json!(1), json!(-1), json!(1.5), json!(300), json!(null),
                    json!(true), json!([]), json!([1]), json!({}), json!({ "Two": 3 }),
                    json!({ "count": 1 }), json!("One"),
                ]),
                0..4,
            )
        ) {
            let arguments: JsonObject =
                arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            same::<Plain>(&arguments);
            same::<Strict>(&arguments);
            same::<Flat>(&arguments);
            same::<Tagged>(&arguments);
            same::<Outer>(&arguments);
            same::<Either>(&arguments);
            same::<Wrapped>(&arguments);
            same::<Option<Plain>>(&arguments);
            same::<Value>(&arguments);
            same::<BTreeMap<String, Value>>(&arguments);
            same::<()>(&arguments);
            same::<Vec<u8>>(&arguments);
        }
    }
}
