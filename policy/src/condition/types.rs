//! Holds a condition against what is known of the arguments: unknown fields and wrong types are
//! found before the policy is used.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::{ANSWER, ARGUMENTS, CLAIMS, Condition};
use crate::{diagnostic::nearest, operation::Object};

/// What is wrong with a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot work as it is meant.
    Wrong(String),
    /// An argument may be left out, and the condition counts as met then.
    MayBeAbsent(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Bool,
    Number,
    Text,
    List,
    Object,
    Null,
    /// Not known.
    Any,
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Null => "null",
            Self::Any => "anything",
        }
    }

    fn may_be(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }
}

/// What is known of a value.
#[derive(Clone, Copy)]
struct Known<'s> {
    kind: Type,
    /// Its JSON Schema, if there is one.
    schema: Option<&'s Object>,
}

impl Known<'_> {
    const fn of(kind: Type) -> Self {
        Known { kind, schema: None }
    }
}

/// Everything that is wrong with a condition on calls whose arguments have this JSON Schema.
pub(crate) fn check(condition: &Condition, schema: &Object) -> Vec<Fault> {
    let mut checker = Checker { root: schema, variable: None, guarded: vec![], faults: vec![] };
    let known = checker.look_at(condition.expression());
    if !known.kind.may_be(Type::Bool) {
        checker.wrong(format!("a condition is true or false, and this is {}", known.kind.word()));
    }
    let mut faults = checker.faults;
    faults.dedup();
    faults
}

struct Checker<'s, 'e> {
    root: &'s Object,
    variable: Option<(&'e str, Known<'s>)>,
    /// The paths that `has(…)` was asked for.
    guarded: Vec<String>,
    faults: Vec<Fault>,
}

impl<'s, 'e> Checker<'s, 'e> {
    fn wrong(&mut self, message: String) {
        self.faults.push(Fault::Wrong(message));
    }

    fn look_at(&mut self, part: &'e IdedExpr) -> Known<'s> {
        match &part.expr {
            Expr::Literal(literal) => Known::of(match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => {
                    Type::Number
                }
                LiteralValue::String(_) => Type::Text,
                LiteralValue::Null => Type::Null,
                LiteralValue::Bytes(_) => Type::Any,
            }),
            Expr::Ident(name) => match &**name {
                ARGUMENTS => Known { kind: Type::Object, schema: Some(self.root) },
                CLAIMS => Known::of(Type::Object),
                ANSWER => Known::of(Type::Bool),
                other => match self.variable {
                    Some((name, known)) if name == other => known,
                    _ => Known::of(Type::Any),
                },
            },
            Expr::Select(select) => {
                let of = self.look_at(&select.operand);
                if select.test {
                    self.guarded.extend(
                        path(&select.operand).map(|path| format!("{path}.{}", select.field)),
                    );
                    self.field(&select.operand, of, &select.field, true);
                    return Known::of(Type::Bool);
                }
                self.field(&select.operand, of, &select.field, false)
            }
            Expr::List(list) => {
                for item in &list.elements {
                    self.look_at(item);
                }
                Known::of(Type::List)
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(each) => {
                let range = self.look_at(&each.iter_range);
                if ![Type::List, Type::Object, Type::Any].contains(&range.kind) {
                    self.wrong(format!(
                        "`exists` and `all` look at a list, and this is {}",
                        range.kind.word()
                    ));
                }
                let items = range.schema.and_then(|schema| schema.get("items"));
                let item = match (range.kind, items.and_then(Value::as_object)) {
                    (Type::List, Some(items)) => self.known(items),
                    _ => Known::of(Type::Any),
                };
                self.variable = Some((&each.iter_var, item));
                self.look_at(&each.loop_step);
                self.variable = None;
                Known::of(Type::Bool)
            }
            _ => Known::of(Type::Any),
        }
    }

    fn call(&mut self, call: &'e CallExpr) -> Known<'s> {
        let parts: Vec<&IdedExpr> =
            call.target.iter().map(|target| &**target).chain(&call.args).collect();
        // `args['name']` is `args.name`.
        if let ("_[_]", [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }]) =
            (&*call.func_name, &*parts)
        {
            let known = self.look_at(of);
            return self.field(of, known, name.inner(), false);
        }
        let kinds: Vec<Type> = parts.iter().map(|part| self.look_at(part).kind).collect();
        let all = |wanted: Type| kinds.iter().all(|kind| kind.may_be(wanted));
        let shown = call.func_name.trim_matches(['_', '@']);
        let odd = |wanted: Type| {
            kinds.iter().find(|kind| !kind.may_be(wanted)).map_or("", |kind| kind.word())
        };
        match &*call.func_name {
            "_&&_" | "_||_" | "!_" => {
                if !all(Type::Bool) {
                    self.wrong(format!(
                        "`{shown}` is about true and false, and this is {}",
                        odd(Type::Bool)
                    ));
                }
                Known::of(Type::Bool)
            }
            "_==_" | "_!=_" => {
                if let [one, other] = &*kinds
                    && !one.may_be(*other)
                    && ![*one, *other].contains(&Type::Null)
                {
                    self.wrong(format!("{} is never equal to {}", one.word(), other.word()));
                }
                Known::of(Type::Bool)
            }
            "_<_" | "_<=_" | "_>_" | "_>=_" => {
                if !all(Type::Number) && !all(Type::Text) {
                    self.wrong(format!("`{shown}` compares two numbers or two strings"));
                }
                Known::of(Type::Bool)
            }
            "startsWith" | "endsWith" => {
                if !all(Type::Text) {
                    self.wrong(format!(
                        "`{shown}` is about strings, and this is {}",
                        odd(Type::Text)
                    ));
                }
                Known::of(Type::Bool)
            }
            "contains" => {
                if kinds
                    .first()
                    .is_some_and(|kind| ![Type::Text, Type::List, Type::Any].contains(kind))
                {
                    self.wrong("`contains` is about strings".to_owned());
                }
                Known::of(Type::Bool)
            }
            "@in" => {
                if kinds
                    .get(1)
                    .is_some_and(|kind| ![Type::List, Type::Object, Type::Any].contains(kind))
                {
                    self.wrong("`in` looks into a list".to_owned());
                }
                Known::of(Type::Bool)
            }
            "size" => {
                if kinds.first().is_some_and(|kind| [Type::Bool, Type::Number].contains(kind)) {
                    self.wrong("`size` is about strings, lists and objects".to_owned());
                }
                Known::of(Type::Number)
            }
            "-_" => Known::of(Type::Number),
            "@not_strictly_false" => Known::of(Type::Bool),
            "_?_:_" => {
                if kinds.first().is_some_and(|kind| !kind.may_be(Type::Bool)) {
                    self.wrong("what stands before `?` is true or false".to_owned());
                }
                match &*kinds {
                    [_, one, other] if one == other => Known::of(*one),
                    _ => Known::of(Type::Any),
                }
            }
            _ => Known::of(Type::Any),
        }
    }

    /// A field of something. Claims are the provider's: of them only the registered ones are known.
    fn field(&mut self, of: &IdedExpr, known: Known<'s>, name: &str, is_test: bool) -> Known<'s> {
        let place = path(of);
        if place.as_deref() == Some(CLAIMS) {
            return Known::of(match name {
                "sub" | "iss" | "client_id" | "azp" | "jti" => Type::Text,
                "exp" | "iat" | "nbf" => Type::Number,
                _ => Type::Any,
            });
        }
        if ![Type::Object, Type::Any].contains(&known.kind) {
            self.wrong(format!("{} has no field `{name}`", known.kind.word()));
            return Known::of(Type::Any);
        }
        let Some(schema) = known.schema else { return Known::of(Type::Any) };
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_open =
            schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
        let Some(field) = properties.and_then(|properties| properties.get(name)) else {
            if properties.is_none() && place.as_deref() != Some(ARGUMENTS) || is_open {
                return Known::of(Type::Any);
            }
            let names =
                properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
            let what = place.map_or_else(|| "this".to_owned(), |place| format!("`{place}`"));
            self.wrong(match nearest(name, names) {
                Some(right) => format!("{what} has no field `{name}`: did you mean `{right}`?"),
                None => format!("{what} has no field `{name}`"),
            });
            return Known::of(Type::Any);
        };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|names| names.iter().any(|n| n == name));
        let whole = place.map(|place| format!("{place}.{name}"));
        if let Some(whole) =
            whole.filter(|whole| !is_required && !is_test && !self.guarded.contains(whole))
        {
            self.faults.push(Fault::MayBeAbsent(whole));
        }
        field.as_object().map_or(Known::of(Type::Any), |field| self.known(field))
    }

    /// What a JSON Schema says of a value.
    fn known(&self, schema: &'s Object) -> Known<'s> {
        let schema = self.resolved(schema);
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        let types: Vec<&str> = types.into_iter().filter(|one| *one != "null").collect();
        let kind = match *types {
            ["boolean"] => Type::Bool,
            ["integer" | "number"] | ["integer", "number"] | ["number", "integer"] => Type::Number,
            ["string"] => Type::Text,
            ["array"] => Type::List,
            ["object"] => Type::Object,
            _ => Type::Any,
        };
        if kind != Type::Any || !types.is_empty() {
            return Known { kind, schema: Some(schema) };
        }
        // `Option<T>` of a defined type: one of it and null.
        for several in ["anyOf", "oneOf"] {
            let Some(several) = schema.get(several).and_then(Value::as_array) else { continue };
            let mut others = several
                .iter()
                .filter_map(Value::as_object)
                .filter(|one| one.get("type") != Some(&"null".into()));
            if let (Some(one), None) = (others.next(), others.next()) {
                return self.known(one);
            }
        }
        Known { kind, schema: None }
    }

    /// Follows a `$ref` into the schema's own definitions.
    fn resolved(&self, schema: &'s Object) -> &'s Object {
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|target| target.strip_prefix("#/$defs/"));
        let definitions = self.root.get("$defs").and_then(Value::as_object);
        let found = target.and_then(|target| definitions?.get(target)?.as_object());
        found.unwrap_or(schema)
    }
}

/// `args.a.b`, as it was written.
fn path(part: &IdedExpr) -> Option<String> {
    match &part.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", path(&select.operand)?, select.field))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(condition: &str) -> String {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "done": { "type": ["boolean", "null"] },
                "n": { "type": "integer" },
                "tags": { "type": "array", "items": { "type": "string" } },
                "place": { "$ref": "#/$defs/Place" },
                "where": { "anyOf": [{ "$ref": "#/$defs/Place" }, { "type": "null" }] },
                "any": true,
                "open": { "type": "object", "additionalProperties": { "type": "string" } },
            },
            "required": ["id", "n", "tags", "place", "any", "open"],
            "$defs": { "Place": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] } },
        });
        let condition = Condition::parse(condition).unwrap();
        let found = check(&condition, schema.as_object().unwrap());
        let text = |fault: Fault| match fault {
            Fault::Wrong(text) => text,
            Fault::MayBeAbsent(path) => format!("{path} may be absent"),
        };
        found.into_iter().map(text).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn good_conditions() {
        for good in [
            "args.id == claims.sub",
            "has(args.done) && args.done",
            "args.n > 3 && args.n <= 5.5",
            "'x' in args.tags || args.tags.exists(t, t.startsWith('y'))",
            "args.place.city == 'Rome'",
            "has(args.where) && args.where.city == 'Rome'",
            "args.any.thing == 1",
            "args.open.whatever == 'x'",
            "args['id'] != 'x'",
            "claims.tenant == 5",
            "has(args.done) && args.done == null",
        ] {
            assert_eq!(faults(good), "", "{good}");
        }
    }

    #[test]
    fn bad_conditions() {
        for (bad, why) in [
            ("args.idd == 'x'", "`args` has no field `idd`: did you mean `id`?"),
            ("has(args.missing)", "`args` has no field `missing`"),
            ("args.place.town == 'x'", "`args.place` has no field `town`"),
            ("args.id.x == 'x'", "a string has no field `x`"),
            ("args.id == 5", "a string is never equal to a number"),
            ("args.n > 'x'", "`>` compares two numbers or two strings"),
            ("args.id", "a condition is true or false, and this is a string"),
            ("args.id && args.n == 1", "`&&` is about true and false, and this is a string"),
            ("'x' in args.id", "`in` looks into a list"),
            ("args.tags.exists(t, t == 1)", "a string is never equal to a number"),
            ("args.n.startsWith('x')", "`startsWith` is about strings, and this is a number"),
            ("size(args.n) > 1", "`size` is about strings, lists and objects"),
            ("claims.sub == 1", "a string is never equal to a number"),
            ("args.done == true", "args.done may be absent"),
        ] {
            assert_eq!(faults(bad), why, "{bad}");
        }
    }
}
