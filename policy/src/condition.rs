//! Conditions on a call's arguments and its caller's claims: the part of CEL whose cost is bounded.
//!
//! Allowed are fields, literals, comparisons, `&&`, `||`, `!`, `?:`, `in`, `has`, `size`,
//! `startsWith`, `endsWith`, `contains`, and `exists` and `all` that are not nested. These make no
//! value that is larger than the arguments, and evaluate each part at most once for each item of one
//! list. A condition that would take more than [`MOST_STEPS`] steps on a call counts as met.

mod evaluate;
#[cfg(test)]
mod evaluate_tests;
mod fault;
mod finding;
#[cfg(test)]
mod finding_tests;
mod place;
mod syntax;
mod types;
#[cfg(test)]
mod value_tests;
mod values;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use cel::{
    Env, Program,
    common::ast::{CallExpr, Expr, IdedExpr},
};

use super::operation::Given;
use crate::{diagnostic::nearest, effort::Effort};
use evaluate::{Call, Stop};
pub(crate) use fault::{ConditionFault, ConditionFix};
pub(crate) use finding::finding;
use place::Places;
pub(crate) use types::{Fault, check, claim_fault};

/// The most bytes that a condition may have, so that parsing it stays quick.
const LONGEST: usize = 1_000;
/// The most nodes that the syntax tree of a condition may have, because each call may evaluate all of them.
const MOST_PARTS: usize = 200;
/// The most brackets and `?` that a condition may have, because the parser's stack grows with each.
const MOST_OPENINGS: usize = 20;

/// The most steps of a condition on one call: about a millisecond. A step evaluates one part, compares
/// two values, or reads 256 bytes of text. `exists` over a list takes some five steps for each item.
pub(crate) const MOST_STEPS: usize = 50_000;

/// The variable with the arguments of the call.
const ARGUMENTS: &str = "args";
/// The variable with the claims of the caller's token.
const CLAIMS: &str = "claims";
/// The variable that `exists` and `all` expand to for their result. No condition can name it.
const ANSWER: &str = "@result";

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition whose cost is bounded: CEL that uses only what the module allows.
pub(crate) struct Condition {
    text: Box<str>,
    program: Program,
    needs_arguments: bool,
    needs_claims: bool,
}

/// Whether a call meets a condition. All but [`NotMet`](Self::NotMet) count as met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    Met,
    NotMet,
    /// Arguments or claims that the condition needs are not given.
    NotGiven,
    /// The condition cannot be evaluated with these arguments and claims, or is not true or false.
    NoAnswer,
    /// The condition takes more than [`MOST_STEPS`] with these arguments and claims.
    TooLong,
}

impl Condition {
    /// Parses a condition. The error says what is wrong with the condition, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, ConditionFault> {
        let whole = |message: String| ConditionFault::new(0..text.len(), message);
        if text.len() > LONGEST {
            return Err(whole(format!("the condition is longer than {LONGEST} bytes")));
        }
        if text.matches(['(', '[', '{', '?']).count() > MOST_OPENINGS {
            let message = format!("the condition has more than {MOST_OPENINGS} brackets and `?`");
            return Err(whole(message));
        }
        let program = ENVIRONMENT.compile(text).map_err(|errors| {
            syntax::find(text).unwrap_or_else(|| {
                let first = errors.errors.first();
                if first.is_some_and(|error| error.msg.contains("recursion")) {
                    return whole("the condition is nested too deeply".to_owned());
                }
                syntax::stopped_at(text, first.map_or(0, |error| byte_of(text, error.pos)))
            })
        })?;
        let places = Places::new(text, &program);
        let mut check = SyntaxCheck { places, parts: 0, variable: None, needs: [false; 2] };
        check.visit(program.expression())?;
        let [needs_arguments, needs_claims] = check.needs;
        if !needs_arguments && !needs_claims {
            return Err(whole(format!(
                "the condition depends on nothing: it is about `{ARGUMENTS}` and `{CLAIMS}`"
            )));
        }
        Ok(Self { text: text.into(), program, needs_arguments, needs_claims })
    }

    /// The condition as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a call meets the condition. A condition that cannot be evaluated, or that takes too many
    /// steps, counts as met, because neither a missing argument nor a long list must make a rule weaker. Neither must arguments or claims that are not
    /// given, unless the question is about some of them.
    pub(crate) fn is_met(&self, arguments: Given<'_>, claims: Given<'_>) -> bool {
        !matches!(self.judge(arguments, claims), Judgement::NotMet)
    }

    /// Whether a call meets the condition, and if it only counts as met, why.
    pub(crate) fn judge(&self, arguments: Given<'_>, claims: Given<'_>) -> Judgement {
        let needed = [(self.needs_arguments, arguments), (self.needs_claims, claims)];
        let mut needed = needed.into_iter().filter(|(needs, _)| *needs).map(|(_, given)| given);
        if needed.clone().any(|given| matches!(given, Given::All)) {
            return Judgement::NotGiven;
        }
        if needed.any(|given| matches!(given, Given::Some)) {
            return Judgement::NotMet;
        }
        let effort = Effort::new(MOST_STEPS);
        let call = Call { arguments: arguments.object(), claims: claims.object(), effort: &effort };
        match call.evaluate(self.program.expression()) {
            Ok(true) => Judgement::Met,
            Ok(false) => Judgement::NotMet,
            Err(Stop::NoAnswer) => Judgement::NoAnswer,
            Err(Stop::TooLong) => Judgement::TooLong,
        }
    }

    pub(crate) fn needs_arguments(&self) -> bool {
        self.needs_arguments
    }

    pub(crate) fn needs_claims(&self) -> bool {
        self.needs_claims
    }

    pub(crate) fn expression(&self) -> &IdedExpr {
        self.program.expression()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

/// The byte offset of a line and a column, which count from 1 and in characters.
fn byte_of(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

/// Finds the first part of an expression that a condition may not use.
struct SyntaxCheck<'e> {
    places: Places<'e>,
    parts: usize,
    /// The variable of the `exists` or `all` that is being visited.
    variable: Option<&'e str>,
    /// Whether the arguments and the claims are used.
    needs: [bool; 2],
}

impl<'e> SyntaxCheck<'e> {
    fn wrong(&self, part: &IdedExpr, message: &str) -> ConditionFault {
        ConditionFault::new(self.places.whole(part), message)
    }

    fn visit(&mut self, part: &'e IdedExpr) -> Result<(), ConditionFault> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            let message = format!("the condition has more than {MOST_PARTS} parts");
            return Err(ConditionFault::new(self.places.whole(part), message));
        }
        match &part.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => match &**name {
                ARGUMENTS => {
                    self.needs[0] = true;
                    Ok(())
                }
                CLAIMS => {
                    self.needs[1] = true;
                    Ok(())
                }
                ANSWER => Ok(()),
                other if self.variable == Some(other) => Ok(()),
                other => Err(unknown_name(other, self.places.whole(part))),
            },
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => list.elements.iter().try_for_each(|item| self.visit(item)),
            Expr::Call(call) => self.visit_call(part, call),
            Expr::Comprehension(each) => {
                let is_exists_or_all = each.accu_var == ANSWER
                    && matches!(
                        each.accu_init.expr,
                        Expr::Literal(cel::common::ast::LiteralValue::Boolean(_))
                    )
                    && each.iter_var2.is_none();
                if !is_exists_or_all {
                    return Err(self.wrong(
                        part,
                        "of the macros over lists only `exists` and `all` are allowed",
                    ));
                }
                if self.variable.is_some() {
                    return Err(self.wrong(
                        part,
                        "`exists` and `all` cannot be nested: that has no bounded cost",
                    ));
                }
                self.visit(&each.iter_range)?;
                self.variable = Some(&each.iter_var);
                for part in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.visit(part)?;
                }
                self.variable = None;
                Ok(())
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(self.wrong(part, "a condition makes no objects"))
            }
        }
    }

    fn visit_call(&mut self, part: &'e IdedExpr, call: &'e CallExpr) -> Result<(), ConditionFault> {
        let allowed = [
            "_==_",
            "_!=_",
            "_<_",
            "_<=_",
            "_>_",
            "_>=_",
            "_&&_",
            "_||_",
            "!_",
            "_?_:_",
            "_[_]",
            "-_",
            "@in",
            "@not_strictly_false",
            "size",
            "startsWith",
            "endsWith",
            "contains",
        ];
        if !allowed.contains(&&*call.func_name) {
            // `not (…)` is a call of a function.
            if let Some(fault) = syntax::find(self.places.text()) {
                return Err(fault);
            }
            let shown = call.func_name.trim_matches('_');
            return Err(self.wrong(part, &format!("`{shown}` is not allowed in a condition")).help(
                "allowed are comparisons, `&&`, `||`, `!`, `?:`, `in`, `has`, `size`, `startsWith`, \
                 `endsWith`, `contains`, `exists` and `all`",
            ));
        }
        call.target
            .iter()
            .map(|target| &**target)
            .chain(&call.args)
            .try_for_each(|part| self.visit(part))
    }
}

/// A name that is neither a variable nor a value.
fn unknown_name(name: &str, span: std::ops::Range<usize>) -> ConditionFault {
    let message =
        format!("there is no `{name}` here: a condition is about `{ARGUMENTS}` and `{CLAIMS}`");
    let fault = ConditionFault::new(span, message);
    let value = match &*name.to_ascii_lowercase() {
        "true" => Some("true"),
        "false" => Some("false"),
        "null" | "none" | "nil" | "undefined" => Some("null"),
        "arguments" | "params" | "input" => Some(ARGUMENTS),
        "token" | "user" | "caller" | "jwt" => Some(CLAIMS),
        _ => nearest(name, [ARGUMENTS, CLAIMS]),
    };
    match value {
        Some(right) => fault.label(format!("did you mean `{right}`?")).replace_by(right),
        None => fault.help(format!(
            "an argument is `{ARGUMENTS}.{name}`, a claim is `{CLAIMS}.{name}`, and text stands in quotes: '{name}'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_with_a_bounded_cost_are_accepted_and_no_others() {
        for good in [
            "args.done",
            "args.tags.exists(t, t == 'x') && !(claims.sub in args.owners)",
            "has(args.a) ? args.a > -1 : size(args.b) <= 2",
            "args['x'].startsWith(\"a\") || claims.tenant.endsWith('b')",
            "args.list.all(x, x.ok)",
        ] {
            assert!(Condition::parse(good).is_ok(), "{good}: {:?}", Condition::parse(good));
        }
        let deep = format!("{}args.a{}", "(".repeat(400), ")".repeat(400));
        let long = format!("args.a == '{}'", "x".repeat(1_000));
        let many = ["args.a"; 140].join("||");
        let nots = format!("{}args.a", "!".repeat(900));
        let minus = format!("{}args.a == 1", "-".repeat(900));
        let chain = format!("args{}", ".a".repeat(490));
        let ors = ["!a"; 240].join("||");
        let compared = ["a"; 300].join("==");
        for bad in [
            "",
            "true",
            "1 == 1",
            "arg.done",
            "t == 1",
            "args.a +",
            "args.a + 'x' == 'ax'",
            "args.a.map(x, x)",
            "args.a.filter(x, x)",
            "args.a.exists_one(x, x)",
            "args.a.exists(x, x.all(y, y))",
            "args.a.matches('(a+)+$')",
            "{'a': args.a}.a",
            "type(args)",
            "duration(args.a)",
            "string(args.a)",
            "args.a * 2 > 1",
            "@result",
            "args.a.exists(args, args)  && x",
            &deep,
            &long,
            &many,
            &chain,
            &ors,
            &compared,
        ] {
            assert!(Condition::parse(bad).is_err(), "{bad}");
        }
        // These may be accepted or refused, but must not exhaust the stack of a thread.
        for odd in [&nots, &minus] {
            let _ = Condition::parse(odd);
        }
    }

    #[test]
    fn conditions_are_met_by_matching_calls_and_by_calls_they_cannot_judge() {
        let is_met = |text: &str, arguments: serde_json::Value| {
            let claims = json!({ "sub": "ada", "level": 3 });
            let condition = Condition::parse(text).unwrap();
            let (arguments, claims) = (arguments.as_object().unwrap(), claims.as_object().unwrap());
            condition.is_met(Given::These(arguments), Given::These(claims))
        };
        assert!(is_met("args.n == 5", json!({ "n": 5 })));
        assert!(is_met("args.n == 5", json!({ "n": 5.0 })));
        assert!(!is_met("args.n == 5", json!({ "n": "5" })));
        assert!(is_met("args.owner != claims.sub", json!({ "owner": "bob" })));
        assert!(!is_met("args.owner != claims.sub", json!({ "owner": "ada" })));
        assert!(is_met("claims.level >= 3", json!({})));
        assert!(!is_met("has(args.n) && args.n > 3", json!({})));
        // A condition that cannot be evaluated counts as met.
        assert!(is_met("args.n > 3", json!({})));
        assert!(is_met("args.n > 3", json!({ "n": "x" })));
        assert!(is_met("args.n", json!({ "n": 0 })));
        // A condition on arguments that are not given counts as met, unless some are asked about.
        let condition = Condition::parse("args.n > 3").unwrap();
        assert!(condition.is_met(Given::All, Given::Some));
        assert!(!condition.is_met(Given::Some, Given::All), "the condition needs no claims");
        let condition = Condition::parse("args.owner != claims.sub").unwrap();
        assert!(condition.is_met(Given::Some, Given::All));
        assert!(!condition.is_met(Given::Some, Given::Some));
    }
}
