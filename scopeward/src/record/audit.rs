//! Writes one record for each decision straight to the audit file, and a copy to the log.
//!
//! A record names the caller, the client, the tool, resource or prompt, the decision, the rule, the
//! missing scopes and the policy's revision. It never holds a token or arguments, and so it names a
//! resource by its URI template, not by its URI.

pub(crate) mod chain;
pub(crate) mod journal;
mod queue;
pub(crate) mod record;
pub(crate) mod writer;

use std::{borrow::Cow, sync::Arc, time::Instant};

use jiff::Timestamp;

pub(crate) use queue::AuditHealth;

use record::Record;
use writer::AuditWriter;

use super::metrics::metrics;
use crate::{
    http::Peer,
    identity::Principal,
    policy::{AuditMode, CompiledPolicy, DecisionCounts, Feature, Rule, Scope},
};

/// The start and the trace of a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecisionContext<'a> {
    pub(crate) started: Instant,
    /// The trace as W3C Trace Context writes it: `00-…-…-01`.
    traceparent: Option<&'a str>,
}

impl<'a> DecisionContext<'a> {
    /// Makes a context with the `traceparent` of a request's `_meta` (MCP, "Trace Context
    /// Propagation"). A malformed one is dropped, because it is the caller's own text.
    pub(crate) fn new(started: Instant, traceparent: Option<&'a str>) -> Self {
        Self { started, traceparent: traceparent.filter(|text| is_traceparent(text)) }
    }
}

/// Returns whether a text is a `traceparent` (W3C Trace Context, section 3.2.2): version, trace id,
/// parent id and flags, in lower-case hex.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = text.split('-');
    let mut is_next = |length| parts.next().is_some_and(|p| p.len() == length && is_hex(p));
    [2, 32, 16, 2].into_iter().all(&mut is_next) && parts.next().is_none()
}

/// A record of a request about many resources names at most this many rules besides the first, so
/// that a request cannot make a record that grows with it.
const MOST_NAMED: usize = 15;

/// Records decisions in the audit file (if there is one), in the metrics, and in the log. Clones of
/// a recorder write to the same file, whose writer ends with the last of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Option<Arc<AuditWriter>>);

/// A use that was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Denied<'a> {
    pub(crate) feature: Feature,
    /// The name of the tool or prompt; for a resource, the URI template that the policy names.
    pub(crate) name: &'a str,
    /// The rule that refused; `None` if the policy has no rule for the name.
    pub(crate) rule: Option<&'a Rule>,
    /// The scopes that the caller lacks.
    pub(crate) missing: &'a [Scope],
}

impl Recorder {
    /// Makes a recorder that writes to the audit file. The default recorder has no file.
    pub(crate) fn new(writer: AuditWriter) -> Self {
        Self(Some(Arc::new(writer)))
    }

    /// The health of the audit file, if there is one.
    pub(crate) fn health(&self) -> Option<AuditHealth> {
        self.0.as_ref().map(|writer| writer.sink().health())
    }

    /// Returns whether all requests are refused now, because the policy says `audit = "required"`
    /// and records are not being kept.
    pub(crate) fn refuses(&self, policy: &CompiledPolicy) -> bool {
        policy.audit_mode() == AuditMode::Required
            && !self.0.as_ref().is_some_and(|writer| writer.sink().is_keeping())
    }

    /// Records that the gate let an operation through.
    pub(crate) fn allowed(
        &self,
        caller: &Principal,
        feature: Feature,
        rule: &Rule,
        context: DecisionContext<'_>,
    ) {
        counts(rule, feature).count_allowed();
        let policy = caller.policy();
        self.write(Record {
            level: "INFO",
            decision: Cow::Borrowed("allow"),
            rule: Some(policy.place(rule).into()),
            trace: context.traceparent.map(Cow::Borrowed),
            micros: Some(micros(context.started)),
            ..by_caller(caller, feature, rule.name())
        });
    }

    /// Records that the gate let one request through that subscribes to so many resources, of these
    /// rules. The record names the first rules, and counts the others.
    pub(crate) fn allowed_all(
        &self,
        caller: &Principal,
        rules: &[&Rule],
        resources: usize,
        context: DecisionContext<'_>,
    ) {
        let [first, others @ ..] = rules else { return };
        for rule in rules {
            counts(rule, Feature::Resource).count_allowed();
        }
        let named = others.iter().take(MOST_NAMED);
        let mut also = named.map(|rule| rule.name()).collect::<Vec<_>>().join(" ");
        if let Some(more @ 1..) = others.len().checked_sub(MOST_NAMED) {
            also.push_str(&format!(" and {more} more"));
        }
        let policy = caller.policy();
        self.write(Record {
            level: "INFO",
            decision: Cow::Borrowed("allow"),
            rule: Some(policy.place(first).into()),
            also: (!also.is_empty()).then(|| also.into()),
            resources: u64::try_from(resources).ok(),
            trace: context.traceparent.map(Cow::Borrowed),
            micros: Some(micros(context.started)),
            ..by_caller(caller, Feature::Resource, first.name())
        });
    }

    /// Records that an operation was refused for lack of scopes: by the gate, if there is a
    /// `context`, or else by the check inside the tool, because no gate had stopped the call.
    pub(crate) fn denied(
        &self,
        caller: &Principal,
        denied: Denied<'_>,
        context: Option<DecisionContext<'_>>,
    ) {
        let Denied { feature, name, rule, missing } = denied;
        match rule {
            Some(rule) => counts(rule, feature).count_denied(),
            None => metrics().unknown(feature),
        }
        let by = if context.is_some() { "gate" } else { feature.word() };
        self.write(Record {
            level: "WARN",
            decision: Cow::Borrowed("deny"),
            rule: rule.map(|rule| caller.policy().place(rule).into()),
            missing: Some(join(missing).into()),
            by: Some(by.into()),
            trace: context.and_then(|context| context.traceparent).map(Cow::Borrowed),
            micros: context.map(|context| micros(context.started)),
            ..by_caller(caller, feature, name)
        });
    }

    /// Records that a tool, resource or prompt was reached without an authenticated caller.
    pub(crate) fn unauthenticated_use(&self, feature: Feature, name: &str) {
        metrics().of(feature, name).count_denied();
        self.write(Record {
            level: "WARN",
            decision: Cow::Borrowed("deny"),
            reason: Some(
                "refused by its own check without an authenticated caller: is the gate missing?"
                    .into(),
            ),
            ..Record::of(feature, name)
        });
    }

    /// Records a request that came without a valid token.
    pub(crate) fn unauthenticated(&self, request: Unauthenticated<'_>, policy: &CompiledPolicy) {
        let Unauthenticated { code, reason, client, peer } = request;
        metrics().unauthenticated(code);
        self.write(Record {
            level: "INFO",
            decision: Cow::Borrowed("unauthenticated"),
            reason: Some(reason.into()),
            client: client.map(Cow::Borrowed),
            address: peer.map(|peer| peer.to_string().into()),
            policy: Some(policy.revision().as_str().into()),
            ..Record::default()
        });
    }

    fn write(&self, mut record: Record<'_>) {
        if let Some(writer) = &self.0 {
            record.timestamp = format!("{:.6}", Timestamp::now()).into();
            writer.sink().record(&record);
        }
        record.log();
    }
}

/// The counters of a rule's decisions, which all rules of the same name in this process share.
fn counts(rule: &Rule, feature: Feature) -> &DecisionCounts {
    rule.counts(|name| metrics().of(feature, name))
}

/// A record of a use by an authenticated caller.
fn by_caller<'a>(caller: &'a Principal, feature: Feature, name: &'a str) -> Record<'a> {
    Record {
        subject: Some(caller.subject().into()),
        issuer: Some(caller.issuer().into()),
        client: caller.client().map(Cow::Borrowed),
        policy: Some(caller.policy().revision().as_str().into()),
        ..Record::of(feature, name)
    }
}

/// A request that came without a valid token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unauthenticated<'a> {
    /// The reason in one word.
    pub(crate) code: &'static str,
    /// The reason in words for a person.
    pub(crate) reason: &'a str,
    /// The client to which the token was issued, if the issuer has confirmed it.
    pub(crate) client: Option<&'a str>,
    /// The address that the request came from.
    pub(crate) peer: Option<Peer>,
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
    fn only_a_well_formed_traceparent_is_accepted() {
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
