//! The time of one decision: `cargo bench --package bench --bench decision`. `engines.rs` compares
//! decisions with policy engines.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use bench::policies;
use divan::{Bencher, black_box};
use scopeward::policy::{CompiledPolicy, Operation, ScopeSet};

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [10, 10_000];

/// A policy with this many tools, and a caller's scopes, which let it call `tool_0`.
fn ours(tools: usize) -> (CompiledPolicy, ScopeSet) {
    let policy = policies::compile(&policies::text(tools, false)).expect("a good policy");
    let held = policy.hold(["s0:read", "s4:read", "s8:read"]);
    (policy, held)
}

#[divan::bench(args = SIZES, sample_count = 1_000, sample_size = 1_000)]
fn scopeward(bencher: Bencher<'_, '_>, tools: usize) {
    let (policy, held) = ours(tools);
    let question = Operation::tool("tool_0");
    assert!(policy.decide(question, &held).is_allow());
    bencher.bench(|| policy.decide(black_box(question), black_box(&held)).is_allow());
}

/// Decides about another tool each time, so that no rule stays in the processor's nearest cache.
#[divan::bench(args = SIZES, sample_count = 100, sample_size = 10_000)]
fn scopeward_each_tool_in_turn(bencher: Bencher<'_, '_>, tools: usize) {
    let (policy, held) = ours(tools);
    let names: Vec<String> = (0..tools).map(|n| format!("tool_{n}")).collect();
    let mut names = names.iter().cycle();
    bencher.bench_local(|| {
        let name = names.next().map_or("", String::as_str);
        policy.decide(Operation::tool(black_box(name)), black_box(&held)).is_allow()
    });
}

/// A denial, with the missing scopes.
#[divan::bench(args = SIZES)]
fn scopeward_denies(bencher: Bencher<'_, '_>, tools: usize) {
    let (policy, held) = ours(tools);
    let question = Operation::tool("tool_1");
    assert!(!policy.decide(question, &held).is_allow());
    bencher.bench(|| policy.decide(black_box(question), black_box(&held)).is_allow());
}
