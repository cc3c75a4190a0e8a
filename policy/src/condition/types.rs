//! Checks a condition against the JSON Schema of the arguments, so that unknown fields and wrong
//! types are found before the policy is used.

use std::ops::Range;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::{ANSWER, ARGUMENTS, CLAIMS, Condition, ConditionFault, Places};
use crate::{
    claims::{ClaimType, Claims},
    diagnostic::Suggestions,
    json_schema::{Field, JsonType, Shape},
    operation::Object,
};

/// At most this many names or values are listed after a misspelt one, so that the line can be read.
pub(super) const MOST_NAMES: usize = 12;

/// A fault of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The condition cannot work as it is meant.
    Wrong(ConditionFault),
    /// A call may leave out the argument at this path, and then the condition counts as met; and the
    /// place of the field in the condition.
    MayBeAbsent(String, Range<usize>),
}

/// The type of a value in a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Number,
    Text,
    List,
    Object,
    Null,
    /// The type is not known, so every use of the value passes.
    Any,
}

impl Type {
    pub(super) fn word(self) -> &'static str {
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

    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    pub(super) fn may_be(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }
}

/// The type of a value, and what its JSON Schema says of it if there is one.
#[derive(Clone)]
pub(super) struct Typed<'s> {
    pub(super) kind: Type,
    pub(super) shape: Option<Shape<'s>>,
}

impl<'s> Typed<'s> {
    pub(super) const fn of(kind: Type) -> Self {
        Typed { kind, shape: None }
    }

    /// A value of this shape. An optional value has the type that it has if it is there.
    pub(super) fn shaped(shape: Shape<'s>) -> Self {
        let types = shape.types().unwrap_or_default();
        let mut kinds =
            types.iter().filter(|kind| **kind != JsonType::Null).map(|kind| match kind {
                JsonType::Null => Type::Null,
                JsonType::Bool => Type::Bool,
                JsonType::Integer | JsonType::Number => Type::Number,
                JsonType::Text => Type::Text,
                JsonType::List => Type::List,
                JsonType::Object => Type::Object,
            });
        let kind = match kinds.next() {
            Some(kind) if kinds.all(|other| other == kind) => kind,
            _ => Type::Any,
        };
        Typed { kind, shape: Some(shape) }
    }
}

/// Finds every fault of a condition: on calls whose arguments have this JSON Schema, and by the claims
/// that the policy lists. `None` stands for what is not known, and all uses of that pass.
pub(crate) fn check(
    condition: &Condition,
    schema: Option<&Object>,
    claims: Option<&Claims>,
    suggestions: &Suggestions,
) -> Vec<Fault> {
    let places = Places::new(condition.as_str(), &condition.program);
    let mut checker = TypeChecker {
        text: condition.as_str(),
        places,
        root: schema.map(Shape::root),
        claims,
        suggestions,
        variable: None,
        is_negated: false,
        guarded: vec![],
        faults: vec![],
    };
    let whole = condition.expression();
    let known = checker.visit(whole);
    if !known.kind.may_be(Type::Bool) {
        let message = format!("a condition is true or false, and this is {}", known.kind.word());
        checker.wrong(ConditionFault::new(checker.places.whole(whole), message));
    }
    checker.faults
}

/// The type of a claim's values.
fn of_claim(kind: ClaimType) -> Type {
    match kind {
        ClaimType::String => Type::Text,
        ClaimType::Number => Type::Number,
        ClaimType::Boolean => Type::Bool,
        ClaimType::List => Type::List,
        ClaimType::Object => Type::Object,
        ClaimType::Any => Type::Any,
    }
}

/// The fault of a claim that no token can have, in one sentence.
pub(crate) fn claim_fault(name: &str, value: &Value) -> Option<String> {
    let is_list_of_texts = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    if name == "aud" {
        let fits = value.is_string() || is_list_of_texts;
        return (!fits).then(|| "the claim `aud` is a string or a list of strings".to_owned());
    }
    let wanted = ClaimType::registered(name).map_or(Type::Any, of_claim);
    let found = Type::of_value(value);
    let fault = || format!("the claim `{name}` is {}, and this is {}", wanted.word(), found.word());
    (!wanted.may_be(found)).then(fault)
}

/// The variable of an `exists` or `all`.
pub(super) struct Variable<'s, 'e> {
    pub(super) name: &'e str,
    pub(super) item: Typed<'s>,
    /// What the variable runs through.
    pub(super) range: &'e IdedExpr,
}

pub(super) struct TypeChecker<'s, 'e> {
    text: &'e str,
    pub(super) places: Places<'e>,
    root: Option<Shape<'s>>,
    claims: Option<&'s Claims>,
    suggestions: &'s Suggestions,
    /// The variable of the `exists` or `all` that is being visited.
    pub(super) variable: Option<Variable<'s, 'e>>,
    /// Whether the part that is being visited stands under an odd number of `!`.
    pub(super) is_negated: bool,
    /// The paths that `has(…)` tests, such as `args.done`.
    guarded: Vec<String>,
    faults: Vec<Fault>,
}

impl<'s, 'e> TypeChecker<'s, 'e> {
    /// Adds a fault, unless the same one was found at an earlier place: `has(args.x) && args.x` has
    /// one misspelt field.
    pub(super) fn wrong(&mut self, fault: ConditionFault) {
        let is_same =
            |other: &Fault| matches!(other, Fault::Wrong(other) if other.message == fault.message);
        if !self.faults.iter().any(is_same) {
            self.faults.push(Fault::Wrong(fault));
        }
    }

    /// The text of a part, for a message.
    pub(super) fn shown(&self, part: &IdedExpr) -> &'e str {
        self.text.get(self.places.whole(part)).unwrap_or_default()
    }

    fn visit(&mut self, part: &'e IdedExpr) -> Typed<'s> {
        match &part.expr {
            Expr::Literal(literal) => Typed::of(match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => {
                    Type::Number
                }
                LiteralValue::String(_) => Type::Text,
                LiteralValue::Null => Type::Null,
                LiteralValue::Bytes(_) => Type::Any,
            }),
            Expr::Ident(name) => match &**name {
                ARGUMENTS => Typed { kind: Type::Object, shape: self.root.clone() },
                CLAIMS => Typed::of(Type::Object),
                ANSWER => Typed::of(Type::Bool),
                other => match &self.variable {
                    Some(variable) if variable.name == other => variable.item.clone(),
                    _ => Typed::of(Type::Any),
                },
            },
            Expr::Select(select) => {
                let of = self.visit(&select.operand);
                if select.test {
                    self.guarded.extend(
                        path(&select.operand).map(|path| format!("{path}.{}", select.field)),
                    );
                    let at = self.places.field(part);
                    self.field(&select.operand, of, (&select.field, at), true);
                    return Typed::of(Type::Bool);
                }
                let at = self.places.field(part);
                self.field(&select.operand, of, (&select.field, at), false)
            }
            Expr::List(list) => {
                for item in &list.elements {
                    self.visit(item);
                }
                Typed::of(Type::List)
            }
            Expr::Call(call) => self.visit_call(part, call),
            Expr::Comprehension(each) => {
                let range = self.visit(&each.iter_range);
                if ![Type::List, Type::Object, Type::Any].contains(&range.kind) {
                    let message = format!(
                        "`exists` and `all` look at a list, and this is {}",
                        range.kind.word()
                    );
                    self.wrong(ConditionFault::new(self.places.whole(&each.iter_range), message));
                }
                let item = match range.kind {
                    Type::List => range.items(),
                    Type::Object => Typed::of(Type::Text),
                    _ => Typed::of(Type::Any),
                };
                self.variable =
                    Some(Variable { name: &each.iter_var, item, range: &each.iter_range });
                self.visit(&each.loop_step);
                self.variable = None;
                Typed::of(Type::Bool)
            }
            _ => Typed::of(Type::Any),
        }
    }

    fn visit_call(&mut self, part: &'e IdedExpr, call: &'e CallExpr) -> Typed<'s> {
        let parts: Vec<&IdedExpr> =
            call.target.iter().map(|target| &**target).chain(&call.args).collect();
        // `args['name']` is `args.name`.
        if let (
            "_[_]",
            [of, index @ IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }],
        ) = (&*call.func_name, &*parts)
        {
            let known = self.visit(of);
            let at = self.places.whole(index);
            return self.field(of, known, (name.inner(), at), false);
        }
        // `'name' in args` is `has(args.name)`.
        if let (
            "@in",
            [name @ IdedExpr { expr: Expr::Literal(LiteralValue::String(text)), .. }, of],
        ) = (&*call.func_name, &*parts)
        {
            let known = self.visit(of);
            if known.kind == Type::Object {
                self.guarded.extend(path(of).map(|path| format!("{path}.{}", text.inner())));
                let at = self.places.whole(name);
                self.field(of, known, (text.inner(), at), true);
                return Typed::of(Type::Bool);
            }
        }
        let is_not = call.func_name == "!_";
        self.is_negated ^= is_not;
        let known: Vec<Typed<'s>> = parts.iter().map(|part| self.visit(part)).collect();
        self.is_negated ^= is_not;
        let operands: Vec<Type> = known.iter().map(|known| known.kind).collect();
        if let Some(message) = wrong_operands(&call.func_name, &operands) {
            // What each operand is, except where the message says it.
            let said: Vec<String> = parts
                .iter()
                .zip(&operands)
                .filter(|(_, kind)| **kind != Type::Any)
                .map(|(part, kind)| format!("`{}` is {}", self.shown(part), kind.word()))
                .collect();
            let fault = ConditionFault::new(self.places.whole(part), message);
            let fault = fault.label(said.join(", and "));
            self.wrong(match (&*call.func_name, &*parts, &*operands) {
                ("@in", [one, text], [_, Type::Text]) => {
                    let (one, text) = (self.shown(one), self.shown(text));
                    fault.help(format!("for a part of a text write `{text}.contains({one})`"))
                }
                ("_==_", [list, one], [Type::List, Type::Text | Type::Number])
                | ("_==_", [one, list], [Type::Text | Type::Number, Type::List]) => {
                    let (one, list) = (self.shown(one), self.shown(list));
                    fault.help(format!("for an item of the list write `{one} in {list}`"))
                }
                _ => fault,
            });
        } else {
            self.compare(&call.func_name, &parts, &known);
        }
        match (&*call.func_name, &*known) {
            ("_[_]", [list, _]) if list.kind == Type::List => return list.items(),
            ("_?_:_", [_, one, other]) => {
                if let Some(either) = one.or(other) {
                    return either;
                }
            }
            _ => {}
        }
        Typed::of(result_type(&call.func_name, &operands))
    }

    /// The type of a field.
    fn field(
        &mut self,
        of: &IdedExpr,
        known: Typed<'s>,
        (name, at): (&str, Range<usize>),
        is_test: bool,
    ) -> Typed<'s> {
        let place = path(of);
        if place.as_deref() == Some(CLAIMS) {
            return self.claim(name, at);
        }
        if ![Type::Object, Type::Any].contains(&known.kind) {
            let message = format!("{} has no field `{name}`", known.kind.word());
            self.wrong(ConditionFault::new(at, message));
            return Typed::of(Type::Any);
        }
        let Some(shape) = known.shape else { return Typed::of(Type::Any) };
        let (field, is_required) = match shape.field(name, place.as_deref() == Some(ARGUMENTS)) {
            Field::Known(field, is_required) => (field, is_required),
            Field::Open => return Typed::of(Type::Any),
            Field::Missing(names) => {
                let what = place.map_or_else(|| "this".to_owned(), |place| format!("`{place}`"));
                let message = format!("{what} has no field `{name}`");
                let list = format!("the fields of {what}");
                self.wrong(misspelt(
                    self.suggestions,
                    message,
                    at,
                    (name, names.into_iter()),
                    &list,
                ));
                return Typed::of(Type::Any);
            }
        };
        let whole = place.map(|place| format!("{place}.{name}"));
        if let Some(whole) =
            whole.filter(|whole| !is_required && !is_test && !self.guarded.contains(whole))
        {
            let is_known =
                |fault: &Fault| matches!(fault, Fault::MayBeAbsent(path, _) if *path == whole);
            if !self.faults.iter().any(is_known) {
                self.faults.push(Fault::MayBeAbsent(whole, at));
            }
        }
        Typed::shaped(field)
    }

    /// The type of a claim: as the policy lists it, or as IANA registers it. Where the policy lists
    /// claims, another one is a fault; otherwise it may be a claim that the provider adds.
    fn claim(&mut self, name: &str, at: Range<usize>) -> Typed<'s> {
        let listed = self.claims.and_then(|claims| claims.get(name));
        let Some(kind) = listed.or_else(|| ClaimType::registered(name)) else {
            if let Some(claims) = self.claims {
                let message = format!("`[claims]` does not list the claim `{name}`");
                let names =
                    claims.names().chain(ClaimType::REGISTERED.iter().map(|(name, _)| *name));
                let what = "the claims that can be used";
                let fault = misspelt(self.suggestions, message, at, (name, names), what);
                let key = crate::toml_key::toml_key(name);
                self.wrong(
                    fault.help(format!("or list it below `[claims]`: `{key} = \"string\"`")),
                );
            }
            return Typed::of(Type::Any);
        };
        Typed::of(of_claim(kind))
    }
}

/// The fault of a name that is not among `names`, with the nearest one and the list of all.
fn misspelt<'n>(
    suggestions: &Suggestions,
    message: String,
    at: Range<usize>,
    (name, names): (&str, impl Iterator<Item = &'n str> + Clone),
    what: &str,
) -> ConditionFault {
    // In the message itself, because a format of one line has no label.
    let message = match suggestions.nearest(name, names.clone()) {
        Some(right) => format!("{message}: did you mean `{right}`?"),
        None => message,
    };
    let fault = ConditionFault::new(at, message);
    let mut listed: Vec<String> =
        names.clone().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    if names.take(MOST_NAMES + 1).count() > MOST_NAMES {
        listed.push("…".to_owned());
    }
    let listed = if listed.is_empty() { "there are none".to_owned() } else { listed.join(", ") };
    fault.help(format!("{what}: {listed}"))
}

/// The message for operands that an operator or a function cannot take.
fn wrong_operands(function: &str, operands: &[Type]) -> Option<String> {
    let shown = function.trim_matches(['_', '@']);
    let all = |wanted: Type| operands.iter().all(|operand| operand.may_be(wanted));
    let other_than = |wanted: Type| {
        let other = operands.iter().find(|operand| !operand.may_be(wanted));
        other.map(|operand| operand.word())
    };
    let is = |operand: usize, types: &[Type]| {
        operands.get(operand).is_some_and(|operand| types.contains(operand))
    };
    match function {
        "_&&_" | "_||_" | "!_" => other_than(Type::Bool)
            .map(|this| format!("`{shown}` is about true and false, and this is {this}")),
        "_==_" | "_!=_" => match operands {
            [one, other] if !one.may_be(*other) && ![*one, *other].contains(&Type::Null) => {
                Some(format!("{} is never equal to {}", one.word(), other.word()))
            }
            _ => None,
        },
        "_<_" | "_<=_" | "_>_" | "_>=_" => (!all(Type::Number) && !all(Type::Text))
            .then(|| format!("`{shown}` compares two numbers or two strings")),
        "startsWith" | "endsWith" => other_than(Type::Text)
            .map(|this| format!("`{shown}` is about strings, and this is {this}")),
        "contains" => is(0, &[Type::Bool, Type::Number, Type::Object, Type::Null])
            .then(|| "`contains` is about strings".to_owned()),
        "@in" => is(1, &[Type::Bool, Type::Number, Type::Text, Type::Null])
            .then(|| "`in` looks into a list".to_owned()),
        "size" => is(0, &[Type::Bool, Type::Number])
            .then(|| "`size` is about strings, lists and objects".to_owned()),
        "_?_:_" => is(0, &[Type::Number, Type::Text, Type::List, Type::Object, Type::Null])
            .then(|| "the part before `?` must be true or false".to_owned()),
        _ => None,
    }
}

/// The type of the result of an operator or a function.
fn result_type(function: &str, operands: &[Type]) -> Type {
    match (function, operands) {
        ("_?_:_", [_, one, other]) if one == other => *one,
        ("size" | "-_", _) => Type::Number,
        (
            "_&&_"
            | "_||_"
            | "!_"
            | "_==_"
            | "_!=_"
            | "_<_"
            | "_<=_"
            | "_>_"
            | "_>=_"
            | "@in"
            | "startsWith"
            | "endsWith"
            | "contains"
            | "@not_strictly_false",
            _,
        ) => Type::Bool,
        _ => Type::Any,
    }
}

/// The path of a field as it was written: `args.a.b`.
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
        let found = check(&condition, schema.as_object(), None, &Suggestions::default());
        let text = |fault: Fault| match fault {
            Fault::Wrong(fault) => fault.message,
            Fault::MayBeAbsent(path, _) => format!("{path} may be absent"),
        };
        found.into_iter().map(text).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn conditions_that_fit_the_schema_have_no_fault() {
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
    fn conditions_that_do_not_fit_the_schema_have_this_fault() {
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
