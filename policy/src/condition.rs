//! Conditions on a call's arguments and its caller's claims: the part of CEL whose cost is bounded.
//!
//! Allowed are fields, literals, comparisons, `&&`, `||`, `!`, `?:`, `in`, `has`, `size`,
//! `startsWith`, `endsWith`, `contains`, and `exists` and `all` that are not nested. These make no
//! value that is larger than the arguments, and evaluate each part at most once for each item of one
//! list. So the cost is at most the size of the expression times the size of the arguments.

mod types;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use cel::{
    Context, Env, Program, Value,
    common::ast::{CallExpr, Expr, IdedExpr},
};

use super::operation::Given;
pub(crate) use types::{Fault, check, claim_fault};

/// The most bytes that a condition may have, so that parsing it stays quick.
const LONGEST: usize = 1_000;
/// The most nodes that the syntax tree of a condition may have, because each call may evaluate all of them.
const MOST_PARTS: usize = 200;
/// The most brackets and `?` that a condition may have, because the parser's stack grows with each.
const MOST_OPENINGS: usize = 20;

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
}

impl Condition {
    /// Parses a condition. The error says in one sentence what is wrong with the condition.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the condition is longer than {LONGEST} bytes"));
        }
        if text.matches(['(', '[', '{', '?']).count() > MOST_OPENINGS {
            return Err(format!("the condition has more than {MOST_OPENINGS} brackets and `?`"));
        }
        let program = ENVIRONMENT.compile(text).map_err(|errors| {
            let message = errors.to_string();
            let first = message.lines().next().unwrap_or_default();
            let said = first.trim_start_matches("ERROR: <input>:");
            format!("this is not a CEL expression: {said}")
        })?;
        let mut check = SyntaxCheck { parts: 0, variable: None, needs: [false; 2] };
        check.visit(program.expression())?;
        let [needs_arguments, needs_claims] = check.needs;
        if !needs_arguments && !needs_claims {
            let message = format!(
                "the condition depends on nothing: it is about `{ARGUMENTS}` and `{CLAIMS}`"
            );
            return Err(message);
        }
        Ok(Self { text: text.into(), program, needs_arguments, needs_claims })
    }

    /// The condition as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a call meets the condition. A condition that cannot be evaluated counts as met, because
    /// a missing argument must not make a rule weaker. Neither must arguments or claims that are not
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
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for (name, needed, given) in
            [(ARGUMENTS, self.needs_arguments, arguments), (CLAIMS, self.needs_claims, claims)]
        {
            if let Some(object) = given.object().filter(|_| needed)
                && context.add_variable(name, object).is_err()
            {
                return Judgement::NoAnswer;
            }
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(true)) => Judgement::Met,
            Ok(Value::Bool(false)) => Judgement::NotMet,
            _ => Judgement::NoAnswer,
        }
    }

    pub(crate) fn needs_arguments(&self) -> bool {
        self.needs_arguments
    }

    pub(crate) fn needs_claims(&self) -> bool {
        self.needs_claims
    }

    fn expression(&self) -> &IdedExpr {
        self.program.expression()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

/// Finds the first part of an expression that a condition may not use.
struct SyntaxCheck<'e> {
    parts: usize,
    /// The variable of the `exists` or `all` that is being visited.
    variable: Option<&'e str>,
    /// Whether the arguments and the claims are used.
    needs: [bool; 2],
}

impl<'e> SyntaxCheck<'e> {
    fn visit(&mut self, part: &'e IdedExpr) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(format!("the condition has more than {MOST_PARTS} parts"));
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
                other => Err(format!(
                    "there is no `{other}` here: a condition is about `{ARGUMENTS}` and `{CLAIMS}`"
                )),
            },
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => list.elements.iter().try_for_each(|item| self.visit(item)),
            Expr::Call(call) => self.visit_call(call),
            Expr::Comprehension(each) => {
                let is_exists_or_all = each.accu_var == ANSWER
                    && matches!(
                        each.accu_init.expr,
                        Expr::Literal(cel::common::ast::LiteralValue::Boolean(_))
                    )
                    && each.iter_var2.is_none();
                if !is_exists_or_all {
                    return Err(
                        "of the macros over lists only `exists` and `all` are allowed".to_owned()
                    );
                }
                if self.variable.is_some() {
                    return Err(
                        "`exists` and `all` cannot be nested: that has no bounded cost".to_owned()
                    );
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
                Err("a condition makes no objects".to_owned())
            }
        }
    }

    fn visit_call(&mut self, call: &'e CallExpr) -> Result<(), String> {
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
            let shown = call.func_name.trim_matches('_');
            return Err(format!("`{shown}` is not allowed in a condition"));
        }
        call.target
            .iter()
            .map(|target| &**target)
            .chain(&call.args)
            .try_for_each(|part| self.visit(part))
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
