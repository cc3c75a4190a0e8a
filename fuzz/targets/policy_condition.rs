//! Any condition is accepted or refused with a reason. On any arguments it has an answer within its
//! bound, and never makes a rule weaker than it is for a call whose arguments are not known.
//!
//! The first line of the input is the condition, and the rest the arguments as JSON.

use scopeward_policy::{CompiledPolicy, Operation, diagnostic::Source};
use serde_json::{Map, Value};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (condition, arguments) = text.split_once('\n').unwrap_or((text, ""));
    // JSON and TOML write strings in the same way, except for a few characters.
    let policy = format!(
        "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n\"a:read\" = \"A\"\n\
         \"b:read\" = \"B\"\n[tools]\nx = {{ read = \"a\", when = [{{ if = {}, read = \"b\" }}] }}\n",
        Value::from(condition)
    );
    let policy = match CompiledPolicy::compile(Source::new("policy.toml", policy)) {
        Ok(policy) => policy,
        Err(found) => {
            assert!(!found.is_empty(), "refused without a reason");
            return;
        }
    };
    let arguments = match serde_json::from_str(arguments) {
        Ok(Value::Object(arguments)) => arguments,
        _ => Map::new(),
    };
    let claims = Map::new();
    let (some, all) = (policy.hold(["a:read"]), policy.hold(["a:read", "b:read"]));
    let call = Operation::tool("x").with_arguments(&arguments).with_claims(&claims);
    let may = policy.decide(call, &some).is_allow();
    assert!(policy.decide(call, &all).is_allow(), "all scopes are not enough");
    assert_eq!(may, policy.decide(call, &some).is_allow(), "another answer the second time");
    let unknown = policy.decide(Operation::tool("x"), &some).is_allow();
    assert!(may || !unknown, "a call with arguments needs more than one without");
}
