//! Evaluates a condition on arguments and claims, and counts its steps.
//!
//! The meaning is that of CEL's own evaluator (the crate `cel`), and a test compares the two. This one
//! reads the JSON of a call in place, without a copy, and stops when it has taken too many steps. So
//! no call can make a condition expensive, however large its arguments are.

use std::cmp::Ordering;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue};
use serde_json::{Map, Number, Value};

use super::{ANSWER, ARGUMENTS, CLAIMS};
use crate::effort::Effort;

/// The bytes of text that one step compares or searches.
const BYTES_OF_STEP: usize = 256;

/// Why a condition has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// An operand is missing or of another type.
    NoAnswer,
    /// The condition takes too many steps.
    TooLong,
}

/// A value of the call, of the condition, or of a part of the condition.
#[derive(Debug, Clone)]
enum Operand<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Object(&'a Map<String, Value>),
    /// A list of the call.
    Items(&'a [Value]),
    /// A list that the condition writes.
    List(Vec<Self>),
}

impl<'a> Operand<'a> {
    fn of_json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::of_number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::Items(items),
            Value::Object(object) => Self::Object(object),
        }
    }

    fn of_number(number: &Number) -> Self {
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Self::UInt(number),
            (_, Some(number), _) => Self::Int(number),
            (.., Some(number)) => Self::Double(number),
            (None, None, None) => Self::Null,
        }
    }

    fn of_literal(literal: &'a LiteralValue) -> Self {
        match literal {
            LiteralValue::Boolean(flag) => Self::Bool(*flag.inner()),
            LiteralValue::Bytes(bytes) => Self::Bytes(bytes.inner()),
            LiteralValue::Double(number) => Self::Double(*number.inner()),
            LiteralValue::Int(number) => Self::Int(*number.inner()),
            LiteralValue::Null => Self::Null,
            LiteralValue::String(text) => Self::Text(text.inner()),
            LiteralValue::UInt(number) => Self::UInt(*number.inner()),
        }
    }

    fn bool(&self) -> Result<bool, Stop> {
        if let Self::Bool(flag) = self { Ok(*flag) } else { Err(Stop::NoAnswer) }
    }

    /// How many items a list has.
    fn length(&self) -> Option<usize> {
        match self {
            Self::Items(items) => Some(items.len()),
            Self::List(items) => Some(items.len()),
            _ => None,
        }
    }

    /// An item of a list.
    fn item(&self, index: usize) -> Option<Self> {
        match self {
            Self::Items(items) => items.get(index).map(Operand::of_json),
            Self::List(items) => items.get(index).cloned(),
            _ => None,
        }
    }

    /// A field of an object.
    fn field(&self, name: &str) -> Option<Self> {
        let Self::Object(object) = self else { return None };
        object.get(name).map(Operand::of_json)
    }

    /// The order of two values of the same kind; `None` if there is none.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => Some(one.cmp(two)),
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            (Self::Bytes(one), Self::Bytes(two)) => Some(one.cmp(two)),
            (Self::Int(one), Self::Int(two)) => Some(one.cmp(two)),
            (Self::UInt(one), Self::UInt(two)) => Some(one.cmp(two)),
            (Self::Int(one), Self::UInt(two)) => {
                Some(u64::try_from(*one).map_or(Ordering::Less, |one| one.cmp(two)))
            }
            (Self::UInt(one), Self::Int(two)) => {
                Some(i64::try_from(*one).map_or(Ordering::Greater, |one| one.cmp(two)))
            }
            _ => self.double()?.partial_cmp(&other.double()?),
        }
    }

    /// The number, as CEL compares it with one that has a fraction.
    #[expect(clippy::cast_precision_loss, reason = "CEL compares whole numbers so")]
    fn double(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::UInt(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes that a comparison with this value reads.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// The place in a list that a number names.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is whole, and in the range"
    )]
    fn place(&self) -> Option<usize> {
        match self {
            Self::Int(number) => usize::try_from(*number).ok(),
            Self::UInt(number) => usize::try_from(*number).ok(),
            Self::Double(number) if number.fract() == 0.0 && (0.0..1e15).contains(number) => {
                Some(*number as usize)
            }
            _ => None,
        }
    }
}

/// What a condition is evaluated on.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) arguments: Option<&'a Map<String, Value>>,
    pub(super) claims: Option<&'a Map<String, Value>>,
    pub(super) effort: &'a Effort,
}

impl<'a> Call<'a> {
    /// Whether the condition is true.
    pub(super) fn evaluate(self, condition: &'a IdedExpr) -> Result<bool, Stop> {
        Scope { call: self, bound: None }.evaluate(condition)?.bool()
    }

    fn spend(self, steps: usize) -> Result<(), Stop> {
        if self.effort.spend(steps) { Ok(()) } else { Err(Stop::TooLong) }
    }

    fn equals(self, one: &Operand<'a>, two: &Operand<'a>) -> Result<bool, Stop> {
        self.spend(1 + one.bytes().min(two.bytes()) / BYTES_OF_STEP)?;
        if let (Some(length), Some(other)) = (one.length(), two.length()) {
            if length != other {
                return Ok(false);
            }
            for (one, two) in (0..length).filter_map(|n| Some((one.item(n)?, two.item(n)?))) {
                if !self.equals(&one, &two)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        match (one, two) {
            (Operand::Null, Operand::Null) => Ok(true),
            (Operand::Object(one), Operand::Object(two)) => {
                if one.len() != two.len() {
                    return Ok(false);
                }
                for (name, value) in *one {
                    self.spend(1 + name.len() / BYTES_OF_STEP)?;
                    let Some(other) = two.get(name) else { return Ok(false) };
                    if !self.equals(&Operand::of_json(value), &Operand::of_json(other))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(one.compare(two) == Some(Ordering::Equal)),
        }
    }
}

/// The variables of a part of a condition.
#[derive(Clone, Copy)]
struct Scope<'a, 'b> {
    call: Call<'a>,
    /// The variable of `exists` or `all`, and its result so far.
    bound: Option<(&'a str, &'b Operand<'a>, bool)>,
}

impl<'a> Scope<'a, '_> {
    fn evaluate(self, part: &'a IdedExpr) -> Result<Operand<'a>, Stop> {
        self.call.spend(1)?;
        match &part.expr {
            Expr::Literal(literal) => Ok(Operand::of_literal(literal)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let of = self.evaluate(&select.operand)?;
                let found = of.field(&select.field);
                if !select.test {
                    return found.ok_or(Stop::NoAnswer);
                }
                // `has` asks objects only.
                let is_object = matches!(of, Operand::Object(_));
                if is_object { Ok(Operand::Bool(found.is_some())) } else { Err(Stop::NoAnswer) }
            }
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.evaluate(item));
                items.collect::<Result<_, _>>().map(Operand::List)
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(each) => self.each(each).map(Operand::Bool),
            // No condition has these.
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => Err(Stop::NoAnswer),
        }
    }

    fn variable(self, name: &str) -> Result<Operand<'a>, Stop> {
        if let Some((variable, item, answer)) = self.bound {
            if name == variable {
                return Ok(item.clone());
            }
            if name == ANSWER {
                return Ok(Operand::Bool(answer));
            }
        }
        let object = match name {
            ARGUMENTS => self.call.arguments,
            CLAIMS => self.call.claims,
            _ => None,
        };
        object.map(Operand::Object).ok_or(Stop::NoAnswer)
    }

    fn truth(self, part: &'a IdedExpr) -> Result<bool, Stop> {
        self.evaluate(part)?.bool()
    }

    fn call(self, call: &'a CallExpr) -> Result<Operand<'a>, Stop> {
        if let Some(target) = &call.target {
            let of = self.evaluate(target)?;
            return match (&*call.func_name, call.args.as_slice()) {
                ("size", []) => self.size(&of),
                (name, [argument]) => {
                    let argument = self.evaluate(argument)?;
                    let (Operand::Text(text), Operand::Text(part)) = (of, argument) else {
                        return Err(Stop::NoAnswer);
                    };
                    self.call.spend((text.len() + part.len()) / BYTES_OF_STEP)?;
                    match name {
                        "startsWith" => Ok(Operand::Bool(text.starts_with(part))),
                        "endsWith" => Ok(Operand::Bool(text.ends_with(part))),
                        "contains" => Ok(Operand::Bool(text.contains(part))),
                        _ => Err(Stop::NoAnswer),
                    }
                }
                _ => Err(Stop::NoAnswer),
            };
        }
        match (&*call.func_name, call.args.as_slice()) {
            ("_?_:_", [condition, yes, no]) => {
                if self.truth(condition)? {
                    self.evaluate(yes)
                } else {
                    self.evaluate(no)
                }
            }
            ("_||_", [one, two]) => self.either(one, two, true),
            ("_&&_", [one, two]) => self.either(one, two, false),
            ("!_", [one]) => self.truth(one).map(|flag| Operand::Bool(!flag)),
            ("@not_strictly_false", [one]) => match self.truth(one) {
                Err(Stop::TooLong) => Err(Stop::TooLong),
                Err(Stop::NoAnswer) => Ok(Operand::Bool(true)),
                Ok(flag) => Ok(Operand::Bool(flag)),
            },
            ("-_", [one]) => match self.evaluate(one)? {
                Operand::Int(number) => {
                    number.checked_neg().map(Operand::Int).ok_or(Stop::NoAnswer)
                }
                Operand::Double(number) => Ok(Operand::Double(-number)),
                _ => Err(Stop::NoAnswer),
            },
            ("size", [one]) => self.size(&self.evaluate(one)?),
            (operator, [one, two]) => {
                let (one, two) = (self.evaluate(one)?, self.evaluate(two)?);
                self.operator(operator, &one, &two)
            }
            _ => Err(Stop::NoAnswer),
        }
    }

    fn operator(
        self,
        operator: &str,
        one: &Operand<'a>,
        two: &Operand<'a>,
    ) -> Result<Operand<'a>, Stop> {
        let order = || {
            self.call.spend(one.bytes().min(two.bytes()) / BYTES_OF_STEP)?;
            one.compare(two).ok_or(Stop::NoAnswer)
        };
        let answer = match operator {
            "_==_" => self.call.equals(one, two)?,
            "_!=_" => !self.call.equals(one, two)?,
            "_<_" => order()?.is_lt(),
            "_<=_" => order()?.is_le(),
            "_>_" => order()?.is_gt(),
            "_>=_" => order()?.is_ge(),
            "@in" => self.is_in(one, two)?,
            "_[_]" => {
                let found = match (one, two) {
                    (Operand::Object(_), Operand::Text(name)) => one.field(name),
                    _ => two.place().and_then(|place| one.item(place)),
                };
                return found.ok_or(Stop::NoAnswer);
            }
            _ => return Err(Stop::NoAnswer),
        };
        Ok(Operand::Bool(answer))
    }

    /// `||` if `decides` is true, `&&` if it is false. An operand that decides does so beside one that
    /// has no answer.
    fn either(
        self,
        one: &'a IdedExpr,
        two: &'a IdedExpr,
        decides: bool,
    ) -> Result<Operand<'a>, Stop> {
        let one = match self.truth(one) {
            Err(Stop::TooLong) => return Err(Stop::TooLong),
            Ok(flag) if flag == decides => return Ok(Operand::Bool(decides)),
            other => other,
        };
        let two = self.truth(two)?;
        if one.is_ok() || two == decides { Ok(Operand::Bool(two)) } else { Err(Stop::NoAnswer) }
    }

    fn size(self, of: &Operand<'a>) -> Result<Operand<'a>, Stop> {
        let size = match of {
            Operand::Text(text) => {
                self.call.spend(text.len() / BYTES_OF_STEP)?;
                text.chars().count()
            }
            Operand::Bytes(bytes) => bytes.len(),
            Operand::Object(object) => object.len(),
            other => other.length().ok_or(Stop::NoAnswer)?,
        };
        i64::try_from(size).map(Operand::Int).map_err(|_| Stop::NoAnswer)
    }

    fn is_in(self, one: &Operand<'a>, of: &Operand<'a>) -> Result<bool, Stop> {
        if let Operand::Object(object) = of {
            // An object has names only, so that no other value is in it. Some values cannot be.
            return match one {
                Operand::Text(name) => Ok(object.contains_key(*name)),
                Operand::Bool(_) | Operand::Int(_) | Operand::UInt(_) | Operand::Double(_) => {
                    Ok(false)
                }
                _ => Err(Stop::NoAnswer),
            };
        }
        let length = of.length().ok_or(Stop::NoAnswer)?;
        for item in (0..length).filter_map(|index| of.item(index)) {
            if self.call.equals(one, &item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `exists` and `all`. An item without an answer decides nothing beside one that does.
    fn each(self, each: &'a ComprehensionExpr) -> Result<bool, Stop> {
        let mut answer = self.truth(&each.accu_init)?;
        // The value of the variable at which the loop ends: true for `exists`, false for `all`.
        let decides = !answer;
        let range = self.evaluate(&each.iter_range)?;
        let mut is_unanswered = false;
        let mut names;
        let mut indices;
        let items: &mut dyn Iterator<Item = Operand<'a>> = match &range {
            Operand::Object(object) => {
                names = object.keys().map(|name| Operand::Text(name));
                &mut names
            }
            list => {
                let length = list.length().ok_or(Stop::NoAnswer)?;
                indices = (0..length).filter_map(|index| list.item(index));
                &mut indices
            }
        };
        for item in items {
            let scope = Scope { call: self.call, bound: Some((&each.iter_var, &item, answer)) };
            if !scope.truth(&each.loop_cond)? {
                break;
            }
            match scope.truth(&each.loop_step) {
                Err(Stop::TooLong) => return Err(Stop::TooLong),
                Err(Stop::NoAnswer) => is_unanswered = true,
                Ok(step) if is_unanswered && step != decides => {}
                Ok(step) => {
                    is_unanswered = false;
                    answer = step;
                }
            }
        }
        if is_unanswered { Err(Stop::NoAnswer) } else { Ok(answer) }
    }
}
