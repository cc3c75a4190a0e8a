//! One record for each decision, as a structured log event of the target `scopeward::audit`, which
//! the server also writes to a file of its own.
//!
//! Who, which client, which tool, resource or prompt, allow or deny, by which rule, what was missing,
//! and which policy said so. Never a token, never arguments: of a resource the URI template, not the
//! URI.

pub(crate) mod chain;
pub(crate) mod file;
pub(crate) mod journal;
mod queue;
pub(crate) mod record;

use std::time::Instant;

pub(crate) use queue::Sink;

use crate::{
    listen::Peer,
    metrics::metrics,
    policy::{AuditMode, CompiledPolicy, Feature, Rule, Scope},
    principal::Principal,
    refusal::Refusal,
};

/// What the events are found by.
pub(crate) const TARGET: &str = "scopeward::audit";
/// What those that let somebody through are found by as well.
const ALLOWED: &str = "scopeward::audit::allowed";

/// Whether nobody is let in now, because what they do would not be recorded and the policy says
/// `audit = "required"`.
pub(crate) fn refuses(policy: &CompiledPolicy, sink: Option<&Sink>) -> bool {
    policy.audit_mode() == AuditMode::Required && !sink.is_some_and(Sink::is_keeping)
}

/// When a decision was begun, and for which trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) started: Instant,
    /// As W3C Trace Context writes it: `00-…-…-01`.
    traceparent: Option<&'a str>,
}

impl<'a> Occasion<'a> {
    /// With the `traceparent` of a request's `_meta` (MCP, "Trace Context Propagation"), if it is
    /// one: it is the caller's own text.
    pub(crate) fn new(started: Instant, traceparent: Option<&'a str>) -> Self {
        Self { started, traceparent: traceparent.filter(|text| is_traceparent(text)) }
    }
}

/// W3C Trace Context, section 3.2.2: version, trace id, parent id and flags, in lower-case hex.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = text.split('-');
    let mut is_next = |length| parts.next().is_some_and(|p| p.len() == length && is_hex(p));
    [2, 32, 16, 2].into_iter().all(&mut is_next) && parts.next().is_none()
}

/// The name under one of three fields, by the feature.
fn fields(feature: Feature, name: &str) -> [Option<&str>; 3] {
    Feature::ALL.map(|each| (each == feature).then_some(name))
}

/// The gate let an operation through.
pub(crate) fn allowed(caller: &Principal, feature: Feature, rule: &Rule, occasion: Occasion<'_>) {
    rule.counts(feature).allowed();
    let [tool, resource, prompt] = fields(feature, rule.name());
    tracing::info!(
        target: ALLOWED,
        decision = "allow",
        tool,
        resource,
        prompt,
        subject = caller.subject(),
        issuer = caller.issuer(),
        client = caller.client(),
        rule = caller.policy().place(rule),
        policy = caller.policy().revision().as_str(),
        trace = occasion.traceparent,
        micros = micros(occasion.started),
    );
}

/// An operation was refused for lack of scopes: by the gate, which took the time since `occasion`, or,
/// without it, by the check inside the tool, which no gate had stopped.
pub(crate) fn denied(
    caller: &Principal,
    refusal: &Refusal,
    rule: Option<&Rule>,
    occasion: Option<Occasion<'_>>,
) {
    match rule {
        Some(rule) => rule.counts(refusal.feature).denied(),
        None => metrics().unknown(refusal.feature),
    }
    let [tool, resource, prompt] = fields(refusal.feature, &refusal.name);
    tracing::warn!(
        target: TARGET,
        decision = "deny",
        tool,
        resource,
        prompt,
        subject = caller.subject(),
        issuer = caller.issuer(),
        client = caller.client(),
        rule = rule.map(|rule| caller.policy().place(rule)),
        missing = join(&refusal.missing),
        policy = caller.policy().revision().as_str(),
        by = if occasion.is_some() { "gate" } else { refusal.feature.word() },
        trace = occasion.and_then(|occasion| occasion.traceparent),
        micros = occasion.map(|occasion| micros(occasion.started)),
    );
}

/// Something was reached without an authenticated caller.
pub(crate) fn unauthenticated_use(feature: Feature, name: &str) {
    metrics().of(feature, name).denied();
    let [tool, resource, prompt] = fields(feature, name);
    tracing::warn!(
        target: TARGET,
        decision = "deny",
        tool,
        resource,
        prompt,
        "refused by its own check, nobody was authenticated: is it mounted without the gate?",
    );
}

/// A request that came without a valid token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unauthenticated<'a> {
    /// In one word.
    pub(crate) code: &'static str,
    /// In words for a person.
    pub(crate) reason: &'a str,
    /// Whose token it is, if its issuer has confirmed that.
    pub(crate) client: Option<&'a str>,
    pub(crate) peer: Option<Peer>,
}

impl Unauthenticated<'_> {
    pub(crate) fn record(self, policy: &CompiledPolicy) {
        let Self { code, reason, client, peer } = self;
        metrics().unauthenticated(code);
        tracing::info!(
            target: TARGET,
            decision = "unauthenticated",
            reason,
            client,
            address = peer.map(tracing::field::display),
            policy = policy.revision().as_str(),
        );
    }
}

fn micros(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn join(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_traceparent() {
        assert!(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        for bad in [
            "",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333\n-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}
