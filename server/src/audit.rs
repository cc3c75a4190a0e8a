//! One record for each decision, as a structured log event of the target `scopeward::audit`.
//!
//! Who, which client, which tool, allow or deny, what was missing, and which policy said so. Never
//! a token, never arguments.

use std::time::Instant;

use crate::{
    policy::{CompiledPolicy, Scope},
    principal::Principal,
    refusal::Refusal,
};

const TARGET: &str = "scopeward::audit";

/// The gate let a call through.
pub(crate) fn allowed(caller: &Principal, tool: &str, started: Instant) {
    tracing::info!(
        target: TARGET,
        decision = "allow",
        tool,
        subject = caller.subject(),
        client = caller.client(),
        policy = %caller.policy().revision(),
        micros = micros(started),
    );
}

/// A call was refused for lack of scopes: by the gate, which took the time since `started`, or,
/// without it, by the check inside the tool, which no gate had stopped.
pub(crate) fn denied(caller: &Principal, refusal: &Refusal, started: Option<Instant>) {
    tracing::warn!(
        target: TARGET,
        decision = "deny",
        tool = refusal.tool,
        subject = caller.subject(),
        client = caller.client(),
        missing = join(&refusal.missing),
        policy = %caller.policy().revision(),
        by = if started.is_some() { "gate" } else { "tool" },
        micros = started.map(micros),
    );
}

/// A tool was reached without an authenticated caller.
pub(crate) fn unauthenticated_tool(tool: &str) {
    tracing::warn!(
        target: TARGET,
        decision = "deny",
        tool,
        "refused by the tool's own check, nobody was authenticated: is it mounted without the gate?",
    );
}

/// A request came without a valid token.
pub(crate) fn unauthenticated(reason: &str, policy: &CompiledPolicy) {
    let policy = policy.revision();
    tracing::info!(target: TARGET, decision = "unauthenticated", reason, %policy);
}

fn micros(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn join(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}
