//! Lint, fixes, comparison, table and explanation of any policy end, and agree with its decisions.
//!
//! The input is not a text: each byte chooses one line of a list, so that most inputs are TOML, and
//! many are policies with something wrong. The first byte says where the second policy begins, which
//! the first one is compared with.

use std::time::SystemTime;

use scopeward_policy::{
    CompiledPolicy, Declaration, Feature, Location, Operation, Registry,
    diagnostic::Source,
    diff,
    explain::Explanation,
    lint::{self, LintInputs, Stage},
    matrix::Matrix,
};

const fn declared(
    feature: Feature,
    name: &'static str,
    scopes: &'static [&'static str],
) -> Declaration {
    Declaration::new(feature, name, scopes, &["c:admin"], Location::new("a.rs", 1, 1))
}

const DECLARED: &[Declaration] = &[
    declared(Feature::Tool, "one", &["a:read"]),
    declared(Feature::Tool, "two", &["a:write", "b:read"]),
    declared(Feature::Tool, "three", &["z:read"]),
    declared(Feature::Prompt, "ask", &["a:read"]),
    declared(Feature::Resource, "note://{id}", &["b:read"]),
];

/// The lines. Each header is there more than once, because lines belong to the last header.
const LINES: &[&str] = &[
    "[scopes]",
    "[scopes]",
    "\"a:read\" = \"A\"",
    "\"a:write\" = { title = \"W\", implies = [\"a:read\"] }",
    "\"b:read\" = { title = \"B\", implies = [\"a:read\", \"c:admin\"] }",
    "\"b:read\" = \"B\"",
    "\"c:admin\" = { title = \"C\", step_up = true, implies = [\"a:write\", \"a:read\"] }",
    "\"c:admin\" = { title = \"C\", implies = [\"b:read\"] }",
    "\"z:reed\" = \"Z\"",
    "\"A:READ\" = \"Z\"",
    "[tools]",
    "[tools]",
    "[tools]",
    "one = { read = \"a\" }",
    "one = { any_of = [\"a:read\", \"a:write\", { all_of = [\"a:read\", \"b:read\"] }] }",
    "one = { all_of = [\"a:write\", \"a:read\"], allow = { redundant-scope = \"x\" } }",
    "one = { authenticated = true, relax = \"y\" }",
    "two = { write = \"a\" }",
    "two = { any_of = [{ all_of = [\"a:write\", \"b:read\"] }, \"c:admin\"], relax = \"y\" }",
    "two = { read = \"b\", when = [{ if = \"args.x\", admin = \"c\" }] }",
    "two = { read = \"b\", when = [{ if = \"args.x && args.y\", admin = \"c\" }, { if = \"claims.z || args.y\", any_of = [\"a:read\", \"b:read\"] }] }",
    "two = { write = \"a:write\" }",
    "three = { read = \"z\" }",
    "thre = { read = \"a\", hidden = true }",
    "One = { admin = \"c\" }",
    "four = { reed = \"a\" }",
    "four = { all_of = [] }",
    "[prompts]",
    "ask = { read = \"a\" }",
    "ask = { any_of = [\"a:read\", \"a:read\"] }",
    "[resources]",
    "[resources]",
    "\"note://{id}\" = { read = \"b\", when = [{ if = \"args.id == 'x'\", admin = \"c\" }] }",
    "\"note://x\" = { read = \"a\" }",
    "\"note://{+rest}\" = { read = \"a\" }",
    "[lint]",
    "unused-scope = \"off\"",
    "broken-invariant = \"warn\"",
    "[claims]",
    "z = \"boolean\"",
    "[[test]]\nscopes = [\"a:read\"]\ncan = [\"one\"]",
    "[[test]]\nscopes = [\"b:read\"]\ncannot = [\"one\", \"two\"]",
    "cannot = [{ tool = \"two\", arguments = { x = true } }]",
    "[[invariant]]\ntools = \"all\"\nneeds = { read = \"a\" }",
    "[[invariant]]\ntools = [\"two\"]\nneeds = { any_of = [\"c:admin\", { all_of = [\"a:read\", \"b:read\"] }] }",
    "[[invariant]]\ntools = \"destructive\"\nenough = { admin = \"c\" }",
    "arguments = { x = true, y = 1 }",
    "claims = { z = true }",
    "[[client]]\nid = \"c\"\nscopes = [\"a:read\"]",
    "[[tools.two.when]]\nif = \"args.n > 3\"\nall_of = [\"b:read\"]",
    "[tools.one]",
    "read = \"a\"",
    "registered = [\"a:read\"]",
    "title = \"T\"",
    "# a comment",
    "",
    "x = {",
    "]",
];

/// More lines make the same findings again.
const MOST_LINES: usize = 40;

fn text(choices: &[u8]) -> String {
    let mut text = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n".to_owned();
    for choice in choices.iter().take(MOST_LINES) {
        text += LINES[usize::from(*choice) % LINES.len()];
        text += "\n";
    }
    text
}

pub(crate) fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (one, two) = rest.split_at(usize::from(*first).min(rest.len()));
    let registry = Registry::new(DECLARED);
    let now = SystemTime::UNIX_EPOCH;
    let inputs = LintInputs { registry: &registry, snapshot: None, now };
    let source = Source::new("policy.toml", text(one));
    let examined = lint::examine(&source, &inputs, Stage::Advice);
    let is_compiled = CompiledPolicy::compile(source.clone()).is_ok();
    assert!(examined.policy.is_none() || is_compiled, "a mistake that only the compiler finds");
    if first % 8 == 0 {
        let _ = examined.found.render(false);
        // Fixes that would not be TOML, or would change access, are refused and not written.
        let _ = lint::fix::fix(&source, &inputs);
    }
    let Some(policy) = examined.policy else { return };
    let granted: Vec<_> = policy.scopes().iter().map(|scope| scope.name().clone()).collect();
    for (feature, name, _) in policy.rules() {
        for granted in [vec![], granted.clone()] {
            let held = policy.hold(granted.iter().map(scopeward_policy::Scope::as_str));
            let operation = Operation::new(feature, name);
            let explanation = Explanation::new(&policy, operation, granted);
            assert_eq!(explanation.is_allowed(), policy.decide(operation, &held).is_allow());
            let _ = explanation.additions();
        }
    }
    let matrix = Matrix::new(&policy, &registry);
    assert_eq!(matrix.rows().len(), policy.rules().count());
    assert!(diff::compare(&policy, &policy).is_empty(), "a policy differs from itself");
    if let Ok(other) = CompiledPolicy::compile(Source::new("policy.toml", text(two))) {
        let there = diff::compare_declared(&policy, &other, &registry);
        let back = diff::compare_declared(&other, &policy, &registry);
        assert_eq!((there.widens(), there.narrows()), (back.narrows(), back.widens()));
    }
}
