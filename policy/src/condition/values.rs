//! Finds comparisons with a literal that the JSON Schema of the compared value never allows. Such a
//! comparison has one answer for every call, so that the condition may never hold.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use serde_json::{Number, Value};

use super::{
    ConditionFault,
    types::{MOST_NAMES, Type, TypeChecker, Typed},
};
use crate::json_schema::{Bound, JsonType, Shape, compare, nearest_value};

/// A literal in a condition, and its value.
type Literal<'e> = (&'e IdedExpr, Value);

impl Typed<'_> {
    /// An item of this list.
    pub(super) fn items(&self) -> Self {
        let items = self.shape.as_ref().and_then(Shape::items);
        items.map_or(Self::of(Type::Any), Self::shaped)
    }

    /// A value that is this one or the other.
    pub(super) fn or(&self, other: &Self) -> Option<Self> {
        let (one, other) = (self.shape.clone()?, other.shape.clone()?);
        Some(Self::shaped(one.or(other)))
    }
}

impl<'s, 'e> TypeChecker<'s, 'e> {
    /// Finds the literals of a comparison that the value beside them never is.
    pub(super) fn compare(&mut self, function: &str, parts: &[&'e IdedExpr], known: &[Typed<'s>]) {
        let ([one, other], [of_one, of_other]) = (parts, known) else { return };
        match function {
            "_==_" | "_!=_" => {
                let is_equal = function == "_==_";
                self.equals((one, of_one), other, is_equal);
                self.equals((other, of_other), one, is_equal);
            }
            "@in" => {
                for list in self.branches(other) {
                    self.one_of((one, of_one), list);
                }
                self.equals((other, &of_other.items()), one, true);
            }
            "contains" if of_one.kind == Type::List => {
                self.equals((one, &of_one.items()), other, true);
            }
            "startsWith" | "endsWith" | "contains" => self.text(function, (one, of_one), other),
            "_<_" | "_<=_" | "_>_" | "_>=_" => {
                self.order(function, (one, of_one), other);
                let turned = match function {
                    "_<_" => "_>_",
                    "_<=_" => "_>=_",
                    "_>_" => "_<_",
                    _ => "_<=_",
                };
                self.order(turned, (other, of_other), one);
            }
            _ => {}
        }
    }

    /// `args.x == 'y'`. A comparison with `null` is not looked at where `null` makes it true.
    fn equals(
        &mut self,
        (part, known): (&IdedExpr, &Typed<'s>),
        with: &'e IdedExpr,
        is_equal: bool,
    ) {
        for branch in self.branches(with) {
            if let (Expr::List(list), Type::List) = (&branch.expr, known.kind) {
                let items = known.items();
                for item in &list.elements {
                    self.equals((part, &items), item, is_equal);
                }
            } else if let Some(value) = literal(branch)
                && (is_equal || !value.is_null())
            {
                self.never(part, known, &(branch, value));
            }
        }
    }

    /// `args.x in ['y', 'z']`
    fn one_of(&mut self, (part, known): (&IdedExpr, &Typed<'s>), list: &'e IdedExpr) {
        let Expr::List(list) = &list.expr else { return };
        for item in &list.elements {
            self.equals((part, known), item, true);
        }
    }

    /// Adds the fault of a value that is never this literal.
    fn never(&mut self, part: &IdedExpr, known: &Typed<'s>, (at, value): &Literal<'e>) {
        let shown = self.shown(part);
        let never = format!("`{shown}` is never {value}");
        let at = self.places.whole(at);
        let Some(shape) = &known.shape else {
            // The type alone is known, of a claim.
            if !known.kind.may_be(Type::of_value(value)) && !value.is_null() {
                let message = format!("{never}: it is {}", known.kind.word());
                self.wrong(ConditionFault::new(at, message));
            }
            return;
        };
        if shape.admits(value) {
            return;
        }
        if let Some(values) = shape.values() {
            let message = match nearest_value(value, &values) {
                Some(right) => format!("{never}: did you mean {right}?"),
                None => never,
            };
            self.wrong(ConditionFault::new(at, message).help(list_of(shown, &values)));
            return;
        }
        let types = shape.types().unwrap_or_default();
        let has_type = types.iter().any(|kind| match kind {
            JsonType::Integer => value.is_number() && !is_fraction(value),
            JsonType::Number => value.is_number(),
            JsonType::Text => value.is_string(),
            JsonType::Bool => value.is_boolean(),
            JsonType::List => value.is_array(),
            JsonType::Object => value.is_object(),
            JsonType::Null => value.is_null(),
        });
        let why = if !has_type {
            let words: Vec<&str> = types.iter().map(|kind| kind.words()).collect();
            (!words.is_empty()).then(|| format!("it is {}", words.join(" or ")))
        } else if let (Some(number), Some(bounds)) = (value.as_number(), shape.bounds()) {
            out_of(bounds.least, bounds.greatest, number)
        } else {
            None
        };
        let some = shape.some_values();
        let message = match (why, nearest_value(value, &some)) {
            (Some(why), _) => format!("{never}: {why}"),
            (None, Some(right)) => format!("{never}: did you mean {right}?"),
            (None, None) => format!("{never}: its schema allows no such value"),
        };
        self.wrong(ConditionFault::new(at, message));
    }

    /// `args.x < 5`: the bounds of the schema answer it for every call.
    fn order(
        &mut self,
        function: &str,
        (part, known): (&IdedExpr, &Typed<'s>),
        with: &'e IdedExpr,
    ) {
        let Some(bounds) = known.shape.as_ref().and_then(Shape::bounds) else { return };
        for branch in self.branches(with) {
            let Some(Value::Number(number)) = literal(branch) else { continue };
            let is_over = bounds.least.is_some_and(|least| least.is_over(&number));
            let is_under = bounds.greatest.is_some_and(|greatest| greatest.is_under(&number));
            let is_bound = |bound: Option<Bound<'_>>| {
                bound.is_some_and(|bound| {
                    compare(bound.number, &number).is_some_and(std::cmp::Ordering::is_eq)
                })
            };
            let (is_least, is_greatest) = (is_bound(bounds.least), is_bound(bounds.greatest));
            // The bound itself: `n > 9` for an `n` that is at most 9, and `!(n <= 9)`.
            let is_answered = match (function, self.is_negated) {
                ("_<_", false) | ("_>=_", true) => is_least,
                ("_>_", false) | ("_<=_", true) => is_greatest,
                _ => false,
            };
            if !is_over && !is_under && !is_answered {
                continue;
            }
            let shown = self.shown(part);
            let bound = match (bounds.least, bounds.greatest) {
                (Some(least), _) if is_over || is_least && !is_under => least.at_least(),
                (_, Some(greatest)) => greatest.at_most(),
                _ => continue,
            };
            let message = format!("`{shown}` is {bound}, so {number} tells no calls apart");
            self.wrong(ConditionFault::new(self.places.whole(branch), message));
        }
    }

    /// `args.x.startsWith('y')`: none of the values of the schema does.
    fn text(&mut self, function: &str, (part, known): (&IdedExpr, &Typed<'s>), with: &'e IdedExpr) {
        let Some(values) = known.shape.as_ref().and_then(Shape::values) else { return };
        let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
        if texts.is_empty() {
            return;
        }
        for branch in self.branches(with) {
            let Some(Value::String(wanted)) = literal(branch) else { continue };
            let (does, verb) = match function {
                "startsWith" => {
                    (texts.iter().any(|text| text.starts_with(&*wanted)), "begins with")
                }
                "endsWith" => (texts.iter().any(|text| text.ends_with(&*wanted)), "ends with"),
                _ => (texts.iter().any(|text| text.contains(&*wanted)), "contains"),
            };
            if does {
                continue;
            }
            let shown = self.shown(part);
            let message = format!("`{shown}` never {verb} {}", Value::from(wanted));
            let fault = ConditionFault::new(self.places.whole(branch), message);
            self.wrong(fault.help(list_of(shown, &values)));
        }
    }

    /// The parts that a part may stand for: both answers of `?:`, and the items of a written list for
    /// the variable that runs through it.
    fn branches(&self, part: &'e IdedExpr) -> Vec<&'e IdedExpr> {
        let mut open = vec![part];
        let mut found = vec![];
        while let Some(part) = open.pop() {
            match &part.expr {
                Expr::Call(call) if call.func_name == "_?_:_" => {
                    open.extend(call.args.iter().skip(1).rev());
                }
                Expr::Ident(name) => {
                    let range = self.variable.as_ref().filter(|each| each.name == name);
                    match range.map(|each| &each.range.expr) {
                        Some(Expr::List(list)) => open.extend(list.elements.iter().rev()),
                        _ => found.push(part),
                    }
                }
                _ => found.push(part),
            }
        }
        found
    }
}

/// The value of a literal, of a negative number, or of a list of them.
fn literal(part: &IdedExpr) -> Option<Value> {
    match &part.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Some((*value.inner()).into()),
        Expr::Literal(LiteralValue::Int(value)) => Some((*value.inner()).into()),
        Expr::Literal(LiteralValue::UInt(value)) => Some((*value.inner()).into()),
        Expr::Literal(LiteralValue::Double(value)) => {
            Number::from_f64(*value.inner()).map(Value::Number)
        }
        Expr::Literal(LiteralValue::String(value)) => Some(value.inner().into()),
        Expr::Literal(LiteralValue::Null) => Some(Value::Null),
        Expr::Call(call) if call.func_name == "-_" => {
            let number = literal(call.args.first()?)?;
            let whole = number.as_i64().and_then(i64::checked_neg).map(Value::from);
            whole.or_else(|| Number::from_f64(-number.as_f64()?).map(Value::Number))
        }
        Expr::List(list) => list.elements.iter().map(literal).collect(),
        _ => None,
    }
}

fn is_fraction(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.fract() != 0.0)
}

/// Why a number is out of the bounds.
fn out_of(
    least: Option<Bound<'_>>,
    greatest: Option<Bound<'_>>,
    number: &Number,
) -> Option<String> {
    let least = least.filter(|least| least.is_over(number)).map(Bound::at_least);
    let greatest = greatest.filter(|greatest| greatest.is_under(number)).map(Bound::at_most);
    least.or(greatest).map(|bound| format!("it is {bound}"))
}

impl Bound<'_> {
    fn at_least(self) -> String {
        format!("at least {}", self.number)
    }

    fn at_most(self) -> String {
        format!("at most {}", self.number)
    }
}

fn list_of(shown: &str, values: &[&Value]) -> String {
    let mut listed: Vec<String> = values.iter().take(MOST_NAMES).map(ToString::to_string).collect();
    if values.len() > MOST_NAMES {
        listed.push("…".to_owned());
    }
    format!("the values of `{shown}`: {}", listed.join(", "))
}
