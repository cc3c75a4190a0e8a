//! What a large policy costs: `cargo bench --package scopeward --bench policy`.
//!
//! 10,000 tools and 1,000 scopes, a tenth of which imply another; and ten tools beside it.

use std::sync::LazyLock;

use divan::{Bencher, black_box};
use scopeward::{
    Declaration, Location, Registry,
    diagnostic::Source,
    diff,
    lint::{self, Stage, Surroundings},
    policy::{CompiledPolicy, Feature, Operation},
};

fn main() {
    divan::main();
}

const SCOPES: usize = 1_000;
const SIZES: [usize; 2] = [10, 10_000];

/// A policy; with `changed` every tenth tool has another rule, and one scope implies another one.
fn text(tools: usize, changed: bool) -> String {
    let scopes = SCOPES.min(tools);
    let mut text = "version = 1\n[resource]\nurl = \"http://localhost/mcp\"\n[scopes]\n".to_owned();
    for n in 0..scopes {
        let level = ["read", "write"][n % 2];
        let implies = match n {
            _ if n % 10 == 9 => format!(", implies = [\"s{}:read\"]", n - 1),
            1 if changed => ", implies = [\"s0:read\"]".to_owned(),
            _ => String::new(),
        };
        text += &format!("\"s{n}:{level}\" = {{ title = \"Scope {n}\"{implies} }}\n");
    }
    text += "[tools]\n";
    for n in 0..tools {
        let scope = n % scopes;
        let level = ["read", "write"][scope % 2];
        let other = (scope + 2) % scopes;
        text += &match n % 10 {
            5 if changed => {
                format!("tool_{n} = {{ any_of = [\"s{scope}:{level}\", \"s{other}:{level}\"] }}\n")
            }
            7 => {
                format!("tool_{n} = {{ all_of = [\"s{scope}:{level}\", \"s{other}:{level}\"] }}\n")
            }
            _ => format!("tool_{n} = {{ {level} = \"s{scope}\" }}\n"),
        };
    }
    text
}

/// The tools of [`text`], as a registry: a constant in a real server.
fn registry(tools: usize) -> Registry {
    let scopes = SCOPES.min(tools);
    let declared: Vec<Declaration> = (0..tools)
        .map(|n| {
            let scope = n % scopes;
            let scope: &'static str = format!("s{scope}:{}", ["read", "write"][scope % 2]).leak();
            let scopes: &'static [&'static str] = vec![scope].leak();
            let reads = scope.ends_with(":read");
            let name: &'static str = format!("tool_{n}").leak();
            Declaration::new(Feature::Tool, name, scopes, &[], Location::new("src/tools.rs", 1, 1))
                .with_hints(Some(reads), Some(false))
        })
        .collect();
    Registry::new(declared.leak())
}

#[allow(clippy::panic, reason = "the benchmark's own policy is good")]
fn compile(text: &str) -> CompiledPolicy {
    CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap_or_else(|e| panic!("{e}"))
}

static REGISTRIES: LazyLock<[Registry; 2]> = LazyLock::new(|| SIZES.map(registry));

fn registry_of(tools: usize) -> &'static Registry {
    &REGISTRIES[usize::from(tools != SIZES[0])]
}

/// From the text to the policy: what a reload does.
#[divan::bench(args = SIZES)]
fn compile_policy(bencher: Bencher<'_, '_>, tools: usize) {
    let text = text(tools, false);
    bencher.bench(|| compile(black_box(&text)));
}

/// From the text to the findings, with every lint.
#[divan::bench(args = SIZES)]
fn lint_policy(bencher: Bencher<'_, '_>, tools: usize) {
    let source = Source::new("policy.toml", text(tools, false));
    let registry = registry_of(tools);
    let surroundings = Surroundings { registry, snapshot: None, now: jiff::Timestamp::UNIX_EPOCH };
    let found = lint::examine(&source, &surroundings, Stage::Advice).found;
    assert!(!found.has_errors(), "{}", found.iter().next().map_or("", |f| f.message()));
    bencher.bench(|| lint::examine(black_box(&source), &surroundings, Stage::Advice));
}

/// From two compiled policies to who gains and who loses.
#[divan::bench(args = SIZES)]
fn diff_policies(bencher: Bencher<'_, '_>, tools: usize) {
    let (old, new) = (compile(&text(tools, false)), compile(&text(tools, true)));
    let difference = diff::compare(&old, &new);
    assert!(difference.widens());
    bencher.bench(|| diff::compare(black_box(&old), black_box(&new)));
}

/// One decision.
#[divan::bench(args = SIZES)]
fn decide(bencher: Bencher<'_, '_>, tools: usize) {
    let policy = compile(&text(tools, false));
    let held = policy.hold(["s0:read"]);
    bencher
        .bench(|| policy.decide(black_box(Operation::tool("tool_0")), black_box(&held)).is_allow());
}
