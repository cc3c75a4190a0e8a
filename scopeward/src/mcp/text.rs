//! Reads texts into what the fields of a struct are: numbers, enums, newtypes. The variables of a
//! URI and the arguments of a prompt are texts.

use std::fmt;

use rmcp::model::JsonObject;
use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, Unexpected,
        Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Value;

/// Reads the texts into `T`.
///
/// # Errors
///
/// The field that does not fit, and what was expected. The error never has the value in it.
pub(super) fn read<T: DeserializeOwned>(texts: &JsonObject) -> Result<T, Mismatch> {
    T::deserialize(Fields { texts, mode: Mode::Plain }).or_else(|_| {
        // serde reads a flattened struct without saying what its fields are.
        T::deserialize(Fields { texts, mode: Mode::Guess })
            .or_else(|_| T::deserialize(Fields { texts, mode: Mode::Explain }))
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    /// Takes a text that looks like a number or a Boolean for one where nothing else is known.
    Guess,
    /// Keeps what was expected, for the error.
    Explain,
}

/// Why texts cannot be read into a struct.
#[derive(Debug)]
pub(super) struct Mismatch {
    field: Option<String>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Expected(String),
    Missing(&'static str),
    Unknown(String),
    Other,
}

impl Mismatch {
    fn expected(expected: impl fmt::Display) -> Self {
        Self { field: None, fault: Fault::Expected(expected.to_string()) }
    }

    /// The same error, of the field with this name.
    fn of(self, field: &str) -> Self {
        Self { field: Some(self.field.unwrap_or_else(|| field.to_owned())), ..self }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_deref();
        match (&self.fault, field) {
            (Fault::Missing(missing), _) => write!(f, "missing field `{missing}`"),
            (Fault::Unknown(unknown), _) => write!(f, "unknown field `{unknown:.64}`"),
            (Fault::Expected(expected), Some(field)) => {
                write!(f, "the field `{field:.64}` is not {expected}")
            }
            (Fault::Expected(expected), None) => write!(f, "the fields are not {expected}"),
            (Fault::Other, Some(field)) => {
                write!(f, "the field `{field:.64}` has a value that its type does not accept")
            }
            (Fault::Other, None) => write!(f, "the fields are not what their type accepts"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// None of these errors keeps the value that was found.
impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self { field: None, fault: Fault::Other }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let names: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        Self::expected(format_args!("one of {}", names.join(", ")))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self { field: None, fault: Fault::Unknown(field.to_owned()) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: None, fault: Fault::Missing(field) }
    }
}

impl From<serde_json::Error> for Mismatch {
    fn from(error: serde_json::Error) -> Self {
        let said = error.to_string();
        match said.rsplit_once(", expected ") {
            Some((_, expected)) => {
                let end = expected.find(" at line ").unwrap_or(expected.len());
                Self::expected(&expected[..end])
            }
            None => Self { field: None, fault: Fault::Other },
        }
    }
}

/// All texts, by the names of their fields.
#[derive(Clone, Copy)]
struct Fields<'a> {
    texts: &'a JsonObject,
    mode: Mode,
}

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Entries { rest: self.texts.iter(), value: None, mode: self.mode })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Entries<'a> {
    rest: serde_json::map::Iter<'a>,
    value: Option<(&'a str, &'a Value)>,
    mode: Mode,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, value));
        let name: StrDeserializer<'_, Mismatch> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let (name, value) = self.value.take().ok_or_else(|| Mismatch::expected("a field"))?;
        let read = match value {
            Value::String(text) => seed.deserialize(Text { text, mode: self.mode }),
            // A client may send more than MCP allows.
            other => seed.deserialize(other.clone()).map_err(Mismatch::from),
        };
        read.map_err(|mismatch| mismatch.of(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// One text.
struct Text<'a> {
    text: &'a str,
    mode: Mode,
}

/// Shows what a visitor expects.
struct Wanted<'v, V>(&'v V);

impl<'de, V: Visitor<'de>> fmt::Display for Wanted<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

impl Text<'_> {
    /// Gives the visitor the text itself.
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let wanted = (self.mode == Mode::Explain).then(|| Wanted(&visitor).to_string());
        visitor.visit_str(self.text).map_err(|mismatch: Mismatch| match (mismatch.fault, wanted) {
            (Fault::Other, Some(wanted)) => Mismatch::expected(wanted),
            (fault, _) => Mismatch { fault, ..mismatch },
        })
    }

    /// The JSON value that the text is, for fields that hold several values.
    fn json<'de, V: Visitor<'de>>(&self, visitor: &V) -> Result<Value, Mismatch> {
        serde_json::from_str(self.text).map_err(|_| Mismatch::expected(Wanted(visitor)))
    }
}

/// A method that parses the text, for each type that has a parser.
macro_rules! parsed {
    ($($deserialize:ident $visit:ident,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.text.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Mismatch::expected(Wanted(&visitor))),
            }
        }
    )*};
}

/// A method that reads the text as JSON.
macro_rules! structured {
    ($($deserialize:ident($($argument:ident: $kind:ty),*),)*) => {$(
        fn $deserialize<V: Visitor<'de>>(
            self,
            $($argument: $kind,)*
            visitor: V,
        ) -> Result<V::Value, Mismatch> {
            Ok(self.json(&visitor)?.$deserialize($($argument,)* visitor)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.mode == Mode::Guess {
            if let Ok(value) = self.text.parse() {
                return visitor.visit_bool(value);
            }
            if let Ok(value) = self.text.parse() {
                return visitor.visit_u64(value);
            }
            if let Ok(value) = self.text.parse() {
                return visitor.visit_i64(value);
            }
            if let Ok(value) = self.text.parse() {
                return visitor.visit_f64(value);
            }
        }
        self.visit(visitor)
    }

    parsed! {
        deserialize_bool visit_bool,
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_i128 visit_i128,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
        deserialize_u128 visit_u128,
        deserialize_f32 visit_f32,
        deserialize_f64 visit_f64,
        deserialize_char visit_char,
    }

    structured! {
        deserialize_seq(),
        deserialize_map(),
        deserialize_tuple(length: usize),
        deserialize_tuple_struct(name: &'static str, length: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let name: StrDeserializer<'_, Mismatch> = self.text.into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_bytes(self.text.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_bytes(self.text.as_bytes())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit(visitor)
    }

    forward_to_deserialize_any! {
        unit unit_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(u64);

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
        Green,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Page {
        size: u8,
        last: bool,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct All {
        id: Id,
        text: String,
        color: Option<Color>,
        ratio: f64,
        sign: char,
        list: Vec<u8>,
        #[serde(default)]
        left_out: Option<u8>,
        #[serde(flatten)]
        page: Page,
    }

    fn object(value: Value) -> JsonObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn texts_are_read_into_what_the_fields_are() {
        let texts = json!({
            "id": "7", "text": "007", "color": "green", "ratio": "0.5", "sign": "-",
            "list": "[1,2]", "size": "9", "last": "true", "further": "ignored",
        });
        // Next to a flattened struct, serde hands each field on as it is typed.
        let read: All = read(&object(texts)).unwrap();
        assert_eq!(
            (read.id, read.text.as_str(), read.color, read.left_out, read.page),
            (Id(7), "007", Some(Color::Green), None, Page { size: 9, last: true })
        );
        assert_eq!((read.ratio, read.sign, read.list), (0.5, '-', vec![1, 2]));
    }

    #[test]
    fn an_error_names_the_field_and_what_was_expected_and_not_the_value() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "never read")]
        struct One {
            id: u8,
            color: Color,
            port: std::num::NonZeroU16,
            address: std::net::Ipv4Addr,
        }
        let good = json!({ "id": "1", "color": "red", "port": "80", "address": "127.0.0.1" });
        read::<One>(&object(good.clone())).unwrap();
        for (field, value, said) in [
            ("id", "secret", "the field `id` is not u8"),
            ("id", "300", "the field `id` is not u8"),
            ("id", "", "the field `id` is not u8"),
            ("color", "secret", "the field `color` is not one of `red`, `green`"),
            ("port", "0", "the field `port` is not a nonzero u16"),
            ("address", "secret", "the field `address` is not IPv4 address"),
        ] {
            let mut texts = object(good.clone());
            texts.insert(field.to_owned(), value.into());
            assert_eq!(read::<One>(&texts).unwrap_err().to_string(), said, "{field}");
        }
        let mut texts = object(good);
        texts.insert("id".to_owned(), json!({ "secret": 1 }));
        assert_eq!(read::<One>(&texts).unwrap_err().to_string(), "the field `id` is not u8");
        texts.remove("id");
        assert_eq!(read::<One>(&texts).unwrap_err().to_string(), "missing field `id`");
    }
}
