//! The time to compile, lint and compare a large policy: `cargo bench --package bench --bench
//! lint`.
//!
//! The large policy has 10,000 tools and 1,000 scopes, a tenth of which imply another scope. A
//! policy of ten tools is measured beside it.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use std::sync::LazyLock;

use bench::policies::{compile, registry, text};
use divan::{Bencher, black_box};
use scopeward::{
    Registry,
    live::LivePolicy,
    policy::{
        CheckedPolicy,
        diagnostic::Source,
        diff,
        lint::{self, LintInputs, Stage},
    },
};

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [10, 10_000];

static REGISTRIES: LazyLock<[Registry; 2]> = LazyLock::new(|| SIZES.map(registry));

fn registry_of(tools: usize) -> &'static Registry {
    &REGISTRIES[usize::from(tools != SIZES[0])]
}

/// Compiles the text of a policy, which is the first step of a reload.
#[divan::bench(args = SIZES)]
fn compile_policy(bencher: Bencher<'_, '_>, tools: usize) {
    let text = text(tools, false);
    bencher.bench(|| compile(black_box(&text)));
}

/// Compiles the text of a policy, and makes the policy the one that is served.
#[divan::bench(args = SIZES)]
fn compile_and_swap(bencher: Bencher<'_, '_>, tools: usize) {
    let texts = [text(tools, false), text(tools, true)];
    let live = LivePolicy::from(unchecked(&texts[1]));
    let mut next = texts.iter().cycle();
    bencher.bench_local(|| {
        let text = next.next().map_or("", String::as_str);
        live.replace(unchecked(black_box(text)))
    });
}

/// The policy without the startup check, which is measured apart.
fn unchecked(text: &str) -> CheckedPolicy {
    CheckedPolicy::unchecked(compile(text).expect("a good policy"))
}

/// Compiles the text of a policy, and runs every lint on it.
#[divan::bench(args = SIZES)]
fn lint_policy(bencher: Bencher<'_, '_>, tools: usize) {
    let source = Source::new("policy.toml", text(tools, false));
    let registry = registry_of(tools);
    let inputs = LintInputs { registry, snapshot: None, now: std::time::UNIX_EPOCH };
    let found = lint::examine(&source, &inputs, Stage::Advice).found;
    assert!(!found.has_errors(), "{}", found.iter().next().map_or("", |f| f.message()));
    bencher.bench(|| lint::examine(black_box(&source), &inputs, Stage::Advice));
}

/// Compares two compiled policies: who gains access, and who loses access.
#[divan::bench(args = SIZES)]
fn diff_policies(bencher: Bencher<'_, '_>, tools: usize) {
    let (old, new) = (
        compile(&text(tools, false)).expect("a good policy"),
        compile(&text(tools, true)).expect("a good policy"),
    );
    let difference = diff::compare(&old, &new);
    assert!(difference.widens());
    bencher.bench(|| diff::compare(black_box(&old), black_box(&new)));
}
