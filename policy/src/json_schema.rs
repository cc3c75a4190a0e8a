//! What a JSON Schema says of the value at one place: its types, its fields, and which literals it
//! can be.
//!
//! Read are the keywords that schemars writes. Another keyword only narrows a value further, so that
//! a literal that is refused here is refused by the whole schema.

use serde_json::{Number, Value};

use crate::{diagnostic::nearest, operation::Object};

/// The most `$ref` and combinations that are followed inside one another, because they may run in a
/// circle.
const DEEPEST: usize = 16;
/// The most alternatives of one place that are looked at. An enum has one for each variant.
const MOST_ALTERNATIVES: usize = 1_024;

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonType {
    Null,
    Bool,
    Integer,
    Number,
    Text,
    List,
    Object,
}

impl JsonType {
    const WORDS: [(&str, Self); 7] = [
        ("null", Self::Null),
        ("boolean", Self::Bool),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("string", Self::Text),
        ("array", Self::List),
        ("object", Self::Object),
    ];

    /// Whether a value is of this type. 5.0 is an integer, as JSON Schema has it.
    fn includes(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Bool => value.is_boolean(),
            Self::Integer => value.as_number().is_some_and(is_whole),
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    fn of(value: &Value) -> Self {
        let is_of = |kind: &Self| kind.includes(value);
        Self::WORDS.into_iter().map(|(_, kind)| kind).find(is_of).unwrap_or(Self::Object)
    }

    /// The words for a value of this type.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// Schemas that hold for a value together.
type All<'s> = Vec<&'s Object>;

/// The values that can stand at one place. Each alternative is a list of schemas that hold together.
#[derive(Debug, Clone)]
pub(crate) struct Shape<'s> {
    /// The schema that `$ref` refers to.
    root: &'s Object,
    alternatives: Vec<All<'s>>,
}

/// A field of an object.
pub(crate) enum Field<'s> {
    /// The field of this shape, and whether every object has it as far as that is known.
    Known(Shape<'s>, bool),
    /// The object may have the field, and nothing is known of it.
    Open,
    /// No such object has the field. These are its fields.
    Missing(Vec<&'s str>),
}

/// The least and the greatest number that a place can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds<'s> {
    pub(crate) least: Option<Bound<'s>>,
    pub(crate) greatest: Option<Bound<'s>>,
}

/// The least or the greatest number, which is allowed itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound<'s> {
    pub(crate) number: &'s Number,
}

impl<'s> Shape<'s> {
    /// The shape of all arguments.
    pub(crate) fn root(schema: &'s Object) -> Self {
        Self { root: schema, alternatives: some(alternatives(schema, schema, 0)) }
    }

    /// The shape of a part of the schema `root`.
    pub(crate) fn of_part(schema: &'s Value, root: &'s Object) -> Self {
        Self { root, alternatives: vec![] }.part(schema)
    }

    /// The shape of a value that has this shape or the other one of the same schema.
    pub(crate) fn or(self, other: Self) -> Self {
        Self::any_of(self.root, [self, other])
    }

    /// The shape of a part of the same schema.
    fn part(&self, schema: &'s Value) -> Self {
        let alternatives = match schema {
            Value::Object(schema) => some(alternatives(schema, self.root, 0)),
            _ => vec![vec![]],
        };
        Self { root: self.root, alternatives }
    }

    /// The shape of a value that has one of these shapes.
    fn any_of(root: &'s Object, several: impl IntoIterator<Item = Self>) -> Self {
        let mut alternatives = vec![];
        for one in several {
            alternatives.extend(one.alternatives);
            if alternatives.len() > MOST_ALTERNATIVES {
                return Self { root, alternatives: vec![vec![]] };
            }
        }
        Self { root, alternatives }
    }

    /// The types that a value can have. `None` if that is not known.
    pub(crate) fn types(&self) -> Option<Vec<JsonType>> {
        let mut types = vec![];
        for alternative in &self.alternatives {
            for kind in types_of(alternative)? {
                if !types.contains(&kind) {
                    types.push(kind);
                }
            }
        }
        Some(types)
    }

    /// The values, if the schema lists all of them (`enum`, `const` and `null`).
    pub(crate) fn values(&self) -> Option<Vec<&'s Value>> {
        let mut all: Vec<&Value> = vec![];
        for alternative in &self.alternatives {
            for value in listed(alternative)? {
                if !all.contains(&value) && admits_all(alternative, value, self.root) {
                    all.push(value);
                }
            }
        }
        Some(all)
    }

    /// The values that the schema lists, although it allows others.
    pub(crate) fn some_values(&self) -> Vec<&'s Value> {
        self.alternatives.iter().filter_map(listed).flatten().collect()
    }

    /// Whether a value can stand at the place.
    pub(crate) fn admits(&self, value: &Value) -> bool {
        self.alternatives.iter().any(|all| admits_all(all, value, self.root))
    }

    /// The bounds of the numbers. `None` if a value may be something else than a number or null.
    pub(crate) fn bounds(&self) -> Option<Bounds<'s>> {
        let of_each: Option<Vec<Bounds<'s>>> = self
            .alternatives
            .iter()
            .filter(|all| types_of(all).is_none_or(|types| types != [JsonType::Null]))
            .map(|all| {
                let is_number = |kind: &JsonType| {
                    matches!(kind, JsonType::Integer | JsonType::Number | JsonType::Null)
                };
                types_of(all)?.iter().all(is_number).then(|| bounds_of(all))
            })
            .collect();
        of_each?.into_iter().reduce(|one, other| Bounds {
            least: wider(one.least, other.least, |one, other| one <= other),
            greatest: wider(one.greatest, other.greatest, |one, other| one >= other),
        })
    }

    /// The field of an object. All arguments together (`is_root`) have only the fields that the schema
    /// names; another object without named fields may have any.
    pub(crate) fn field(&self, name: &str, is_root: bool) -> Field<'s> {
        let is_object =
            |all: &&All<'s>| types_of(all).is_none_or(|types| types.contains(&JsonType::Object));
        let (mut found, mut is_required) = (vec![], true);
        let mut names: Vec<&str> = vec![];
        for alternative in self.alternatives.iter().filter(is_object) {
            let (part, has_to) = match self.field_of(alternative, name, is_root) {
                Field::Known(part, has_to) => (part, has_to),
                Field::Open => return Field::Open,
                Field::Missing(others) => {
                    names.extend(others);
                    is_required = false;
                    continue;
                }
            };
            found.push(part);
            is_required &= has_to;
        }
        if found.is_empty() {
            names.sort_unstable();
            names.dedup();
            return Field::Missing(names);
        }
        Field::Known(Self::any_of(self.root, found), is_required)
    }

    /// The field of an object of one alternative.
    fn field_of(&self, all: &All<'s>, name: &str, is_root: bool) -> Field<'s> {
        let properties = || all.iter().filter_map(|one| one.get("properties")?.as_object());
        let mut parts = properties().filter_map(|properties| properties.get(name));
        if let Some(first) = parts.next() {
            let part = parts.fold(self.part(first), |part, next| Self {
                alternatives: some(product(part.alternatives, &self.part(next).alternatives)),
                ..part
            });
            let required = all.iter().filter_map(|one| one.get("required")?.as_array());
            let is_required = required.flatten().any(|required| required == name);
            return Field::Known(part, is_required);
        }
        if all.iter().any(|one| one.contains_key("patternProperties")) {
            return Field::Open;
        }
        let more = all.iter().filter_map(|one| one.get("additionalProperties"));
        let mut more = more.filter(|more| **more != Value::Bool(false));
        match more.next() {
            // Which names there are is not known, so that none is asked for first.
            Some(more @ Value::Object(_)) => Field::Known(self.part(more), true),
            Some(_) => Field::Open,
            None if properties().next().is_none() && !is_root => Field::Open,
            None => Field::Missing(
                properties().flat_map(|properties| properties.keys().map(String::as_str)).collect(),
            ),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Self> {
        let mut parts = vec![];
        for alternative in &self.alternatives {
            let types = types_of(alternative)?;
            if !types.contains(&JsonType::List) {
                continue;
            }
            let several = alternative.iter().filter_map(|one| one.get("prefixItems")?.as_array());
            let several: Vec<&Value> = several.flatten().collect();
            let each = alternative.iter().find_map(|one| one.get("items"));
            match each {
                Some(each @ Value::Object(_)) => parts.push(self.part(each)),
                Some(Value::Bool(false)) | None if !several.is_empty() => {}
                _ => return None,
            }
            parts.extend(several.into_iter().map(|part| self.part(part)));
        }
        (!parts.is_empty()).then(|| Self::any_of(self.root, parts))
    }
}

/// The alternatives, or one that allows everything if there is none: a schema that nothing fits says
/// nothing about a condition.
fn some(alternatives: Vec<All<'_>>) -> Vec<All<'_>> {
    if alternatives.is_empty() { vec![vec![]] } else { alternatives }
}

/// The alternatives of a schema: `$ref`, `anyOf`, `oneOf` and `allOf` resolved.
fn alternatives<'s>(schema: &'s Object, root: &'s Object, depth: usize) -> Vec<All<'s>> {
    let mut all = vec![vec![schema]];
    if depth >= DEEPEST {
        return vec![vec![]];
    }
    let inner = |one: &'s Value| match one {
        Value::Object(one) => alternatives(one, root, depth + 1),
        Value::Bool(false) => vec![],
        _ => vec![vec![]],
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        all = product(all, &resolve(target, root).map_or_else(|| vec![vec![]], inner));
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        all = product(all, &inner(part));
    }
    for several in ["anyOf", "oneOf"] {
        let Some(several) = schema.get(several).and_then(Value::as_array) else { continue };
        all = product(all, &several.iter().flat_map(inner).collect::<Vec<_>>());
    }
    all
}

/// What a `$ref` names in the same schema. Other schemas are not known.
fn resolve<'s>(target: &str, root: &'s Object) -> Option<&'s Value> {
    let mut parts = target.strip_prefix("#/")?.split('/');
    let decoded = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let first = root.get(&decoded(parts.next()?))?;
    parts.try_fold(first, |value, part| value.get(decoded(part)))
}

/// The alternatives of a value that has one of each. Those of the first, if there would be too many.
fn product<'s>(some: Vec<All<'s>>, others: &[All<'s>]) -> Vec<All<'s>> {
    if some.len().saturating_mul(others.len()) > MOST_ALTERNATIVES {
        return some;
    }
    let both = |one: &All<'s>, other: &All<'s>| one.iter().chain(other).copied().collect();
    some.iter().flat_map(|one| others.iter().map(move |other| both(one, other))).collect()
}

/// The types that all of these schemas allow. `None` if none of them says so.
fn types_of(all: &All<'_>) -> Option<Vec<JsonType>> {
    let mut types: Option<Vec<JsonType>> = None;
    for one in all.iter().filter_map(|one| types_in(one)) {
        types = Some(match types {
            None => one,
            Some(types) => types.into_iter().filter_map(|kind| narrower(kind, &one)).collect(),
        });
    }
    types
}

/// A type as far as another schema, which has these types, allows it.
fn narrower(kind: JsonType, others: &[JsonType]) -> Option<JsonType> {
    match kind {
        _ if others.contains(&kind) => Some(kind),
        JsonType::Integer if others.contains(&JsonType::Number) => Some(kind),
        JsonType::Number if others.contains(&JsonType::Integer) => Some(JsonType::Integer),
        _ => None,
    }
}

fn types_in(schema: &Object) -> Option<Vec<JsonType>> {
    let of_word = |word: &str| {
        JsonType::WORDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
    };
    match schema.get("type") {
        Some(Value::String(word)) => Some(vec![of_word(word)?]),
        Some(Value::Array(words)) => words.iter().map(|word| of_word(word.as_str()?)).collect(),
        _ => {
            let mut types: Vec<JsonType> = vec![];
            for value in listed_in(schema)? {
                let kind = JsonType::of(value);
                if !types.contains(&kind) {
                    types.push(kind);
                }
            }
            Some(types)
        }
    }
}

/// The values that one of the schemas lists.
fn listed<'s>(all: &All<'s>) -> Option<Vec<&'s Value>> {
    let is_null = || types_of(all).is_some_and(|types| types == [JsonType::Null]);
    let found = all.iter().find_map(|one| listed_in(one));
    found.or_else(|| is_null().then(|| vec![&Value::Null]))
}

fn listed_in(schema: &Object) -> Option<Vec<&Value>> {
    if let Some(only) = schema.get("const") {
        return Some(vec![only]);
    }
    Some(schema.get("enum")?.as_array()?.iter().collect())
}

fn admits_all(all: &All<'_>, value: &Value, root: &Object) -> bool {
    all.iter().all(|schema| admits(schema, value, root))
}

/// Whether a schema allows a value, as far as its own keywords say; `$ref` and its like are resolved.
fn admits(schema: &Object, value: &Value, root: &Object) -> bool {
    if let Some(types) = types_in(schema)
        && !types.iter().any(|kind| kind.includes(value))
    {
        return false;
    }
    if let Some(values) = listed_in(schema)
        && !values.into_iter().any(|one| is_equal(one, value))
    {
        return false;
    }
    match value {
        Value::Number(number) => {
            let Bounds { least, greatest } = bounds_in(schema);
            !least.is_some_and(|least| least.is_over(number))
                && !greatest.is_some_and(|greatest| greatest.is_under(number))
        }
        Value::Array(items) => match schema.get("items") {
            Some(Value::Object(each)) if !schema.contains_key("prefixItems") => {
                let alternatives = alternatives(each, root, 0);
                let is_admitted = |item| alternatives.iter().any(|all| admits_all(all, item, root));
                items.iter().all(is_admitted)
            }
            _ => true,
        },
        _ => true,
    }
}

impl Bound<'_> {
    /// Whether each number that this least number allows is over `number`.
    pub(crate) fn is_over(self, number: &Number) -> bool {
        match compare(self.number, number) {
            Some(order) => order.is_gt(),
            None => false,
        }
    }

    /// Whether each number that this greatest number allows is under `number`.
    pub(crate) fn is_under(self, number: &Number) -> bool {
        match compare(self.number, number) {
            Some(order) => order.is_lt(),
            None => false,
        }
    }
}

/// The least and the greatest number of one of Rust's types of integers.
struct TypeLimits {
    format: &'static str,
    least: i128,
    greatest: i128,
}

impl TypeLimits {
    /// The limits of the type that schemars calls by this `format`.
    fn of(format: &str) -> Option<&'static Self> {
        const fn of(format: &'static str, least: i128, greatest: i128) -> TypeLimits {
            TypeLimits { format, least, greatest }
        }
        static ALL: [TypeLimits; 10] = [
            of("uint8", 0, u8::MAX as i128),
            of("uint16", 0, u16::MAX as i128),
            of("uint32", 0, u32::MAX as i128),
            of("uint64", 0, u64::MAX as i128),
            of("uint", 0, u64::MAX as i128),
            of("int8", i8::MIN as i128, i8::MAX as i128),
            of("int16", i16::MIN as i128, i16::MAX as i128),
            of("int32", i32::MIN as i128, i32::MAX as i128),
            of("int64", i64::MIN as i128, i64::MAX as i128),
            of("int", i64::MIN as i128, i64::MAX as i128),
        ];
        ALL.iter().find(|limits| limits.format == format)
    }
}

/// The bounds of the numbers that all of these schemas allow.
fn bounds_of<'s>(all: &All<'s>) -> Bounds<'s> {
    let each = all.iter().map(|one| bounds_in(one));
    each.fold(Bounds { least: None, greatest: None }, |some, next| Bounds {
        least: narrower_bound(some.least, next.least, |one, other| one >= other),
        greatest: narrower_bound(some.greatest, next.greatest, |one, other| one <= other),
    })
}

fn bounds_in(schema: &Object) -> Bounds<'_> {
    // Only the bounds of the type itself: calls are read into that type, and nothing holds them to
    // other bounds, such as those of `range(min = 1)`, which are for the model.
    let bound = |key, limit: fn(&TypeLimits) -> i128| {
        let number = schema.get(key)?.as_number()?;
        let limit = limit(TypeLimits::of(schema.get("format")?.as_str()?)?);
        let written = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
        (written == Some(limit)).then_some(Bound { number })
    };
    let of_values = || {
        let values: Option<Vec<&Number>> =
            listed_in(schema)?.into_iter().map(Value::as_number).collect();
        values.filter(|values| !values.is_empty())
    };
    let pick = |is_first: fn(&f64, &f64) -> bool| {
        let number =
            of_values()?.into_iter().reduce(|one, other| match (one.as_f64(), other.as_f64()) {
                (Some(a), Some(b)) if is_first(&b, &a) => other,
                _ => one,
            })?;
        Some(Bound { number })
    };
    Bounds {
        least: bound("minimum", |limits| limits.least).or_else(|| pick(|one, other| one < other)),
        greatest: bound("maximum", |limits| limits.greatest)
            .or_else(|| pick(|one, other| one > other)),
    }
}

/// The bound of a value that has either bound.
fn wider<'s>(
    one: Option<Bound<'s>>,
    other: Option<Bound<'s>>,
    is_wider: fn(f64, f64) -> bool,
) -> Option<Bound<'s>> {
    let (one, other) = (one?, other?);
    Some(if is_wider(one.number.as_f64()?, other.number.as_f64()?) { one } else { other })
}

/// The bound of a value that has both bounds.
fn narrower_bound<'s>(
    one: Option<Bound<'s>>,
    other: Option<Bound<'s>>,
    is_narrower: fn(f64, f64) -> bool,
) -> Option<Bound<'s>> {
    let (Some(first), Some(second)) = (one, other) else { return one.or(other) };
    let is_first = is_narrower(first.number.as_f64()?, second.number.as_f64()?);
    Some(if is_first { first } else { second })
}

/// The value that was most likely meant: the same in other letters, or the nearest.
pub(crate) fn nearest_value<'s>(wrong: &Value, values: &[&'s Value]) -> Option<&'s Value> {
    let plain = |value: &Value| -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(wrong);
    if let Some(same) = values.iter().find(|value| !wanted.is_empty() && plain(value) == wanted) {
        return Some(same);
    }
    let texts = values.iter().filter_map(|value| value.as_str());
    let right = nearest(wrong.as_str()?, texts)?;
    values.iter().find(|value| value.as_str() == Some(right)).copied()
}

/// Whether two values are equal in a condition: 5 and 5.0 are.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            compare(one, other).is_some_and(std::cmp::Ordering::is_eq)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        _ => one == other,
    }
}

/// The order of two numbers.
pub(crate) fn compare(one: &Number, other: &Number) -> Option<std::cmp::Ordering> {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
}
