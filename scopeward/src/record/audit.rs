//! Writes one record for each decision straight to the audit file, and a copy to the log.
//!
//! A record names the caller, the client, the tool, resource or prompt, the decision, the rule, the
//! missing scopes and the policy's revision. It never holds a token or arguments, and so it names a
//! resource by its URI template, not by its URI.

pub(crate) mod chain;
pub(crate) mod grant;
pub(crate) mod journal;
mod probes;
mod queue;
pub(crate) mod record;
mod writer;

use std::{borrow::Cow, io, iter, path::Path, sync::Arc, time::Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Handle;

use queue::AuditSink;
pub(crate) use queue::{AuditHealth, NotRecorded, Outcome};

use grant::Grant;
use journal::Rotation;
use probes::{Counted, Probes};
use record::{Actor, Record};
use writer::AuditWriter;

use super::metrics::metrics;
use crate::{
    http::Peer,
    identity::Principal,
    policy::{AuditMode, CompiledPolicy, DecisionCounts, Feature, MetConditions, Rule, Scope},
};

/// The most scopes and conditions that a record names, so that a token or a rule with many does not
/// make every record long. A further number says how many there are more.
const MOST_LISTED: usize = 32;
/// The most actors of a token's `act` claim that a record names. A longer chain of delegations was
/// not made by people who will read it.
const MOST_ACTORS: usize = 8;
/// The most bytes of an actor's name that a record holds.
const LONGEST_ACTOR: usize = 256;
/// The size at which a new file of requests without a valid token is begun, and how many older ones
/// are kept: at most 64 MiB in all, whatever anybody sends.
const UNAUTHENTICATED_ROTATION: Rotation = Rotation { size: 16 * 1024 * 1024, kept: 3 };

/// The reason in the record of counted requests.
const FURTHER: &str = "further requests without a token within a minute";

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

/// Records decisions in the audit files (if there are any), in the metrics, and in the log. Clones of
/// a recorder write to the same files, whose writers end with the last of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Recording>);

/// The audit files, if there are any, and what is not recorded yet.
#[derive(Debug, Default)]
struct Recording {
    files: Option<AuditFiles>,
    probes: Mutex<Probes>,
}

impl Drop for Recording {
    /// Records the requests of the last minute, before the files end.
    fn drop(&mut self) {
        let counted = self.probes.get_mut().take();
        self.write_counted(counted);
    }
}

#[derive(Debug)]
struct AuditFiles {
    callers: AuditWriter,
    /// Apart from the decisions about authenticated callers, because anybody can send requests
    /// without a token.
    unauthenticated: AuditWriter,
}

/// Picks one of the files.
type Which = fn(&AuditFiles) -> &AuditWriter;

fn callers(files: &AuditFiles) -> &AuditWriter {
    &files.callers
}

fn unauthenticated(files: &AuditFiles) -> &AuditWriter {
    &files.unauthenticated
}

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
    /// The places of the rule's [conditions](conditions) that were met, if the gate decided.
    pub(crate) conditions: Option<&'a str>,
}

impl Recorder {
    /// Opens the audit files of a data folder. The default recorder has no files.
    pub(crate) fn open(data: &Path, rotation: Rotation) -> io::Result<Self> {
        let callers = AuditWriter::start(data, journal::CALLERS, rotation)?;
        let unauthenticated =
            AuditWriter::start(data, journal::UNAUTHENTICATED, UNAUTHENTICATED_ROTATION)?;
        let files = Some(AuditFiles { callers, unauthenticated });
        Ok(Self(Arc::new(Recording { files, probes: Mutex::default() })))
    }

    /// The health of the audit file of authenticated callers, if there is one.
    pub(crate) fn health(&self) -> Option<AuditHealth> {
        self.sink(callers).map(AuditSink::health)
    }

    /// The health of the file of requests without a valid token, if there is one.
    pub(crate) fn unauthenticated_health(&self) -> Option<AuditHealth> {
        self.sink(unauthenticated).map(AuditSink::health)
    }

    /// The sink of one of the files, if there are files.
    fn sink(&self, of: Which) -> Option<&AuditSink> {
        self.0.files.as_ref().map(|files| of(files).sink())
    }

    /// Whether the policy requires records, and this file does not keep them.
    fn cannot_keep(&self, policy: &CompiledPolicy, of: Which) -> bool {
        policy.audit_mode() == AuditMode::Required
            && !self.sink(of).is_some_and(AuditSink::is_keeping)
    }

    /// The grant of a use whose record goes to this file, with the counts of its rule and of others.
    fn grant(
        &self,
        of: Which,
        policy: &CompiledPolicy,
        (counts, others): (Arc<DecisionCounts>, Vec<Arc<DecisionCounts>>),
        record: &Record<'_>,
    ) -> Grant {
        let is_required = policy.audit_mode() == AuditMode::Required;
        Grant::new(self.sink(of).cloned(), is_required, counts, others, record)
    }

    /// Returns whether all requests are refused now, because the policy says `audit = "required"`
    /// and records are not being kept.
    pub(crate) fn refuses(&self, policy: &CompiledPolicy) -> bool {
        self.cannot_keep(policy, callers)
    }

    /// Makes the grant of an operation that the policy allows. It is recorded when it
    /// [begins](Grant::begin).
    pub(crate) fn allowed<'c>(
        &self,
        caller: &'c Principal,
        feature: Feature,
        rule: &Rule,
        met: &MetConditions<'c>,
        context: DecisionContext<'_>,
    ) -> Grant {
        let policy = caller.policy();
        let record = Record {
            timestamp: queue::now().into(),
            level: "INFO",
            decision: Cow::Borrowed("allow"),
            rule: Some(policy.place(rule).into()),
            conditions: conditions(met, policy),
            trace: context.traceparent.map(Cow::Borrowed),
            micros: Some(micros(context.started)),
            ..by_caller(caller, feature, rule.name())
        };
        self.grant(callers, policy, (Arc::clone(counts(rule, feature)), vec![]), &record)
    }

    /// Returns whether requests without a token are refused now, because the policy says
    /// `audit = "required"` and records of them are not being kept.
    pub(crate) fn refuses_anonymous(&self, policy: &CompiledPolicy) -> bool {
        self.cannot_keep(policy, unauthenticated)
    }

    /// Makes the grant of an operation that the policy allows without a token. Its record goes to the
    /// file of requests without a valid token, so that nobody can push out those of callers.
    pub(crate) fn allowed_anonymously<'c>(
        &self,
        (feature, rule): (Feature, &Rule),
        (policy, met): (&'c CompiledPolicy, &MetConditions<'c>),
        peer: Option<Peer>,
        context: DecisionContext<'_>,
    ) -> Grant {
        let record = Record {
            timestamp: queue::now().into(),
            level: "INFO",
            decision: Cow::Borrowed("allow"),
            reason: Some("the rule lets in everybody, also without a token".into()),
            rule: Some(policy.place(rule).into()),
            conditions: conditions(met, policy),
            address: peer.map(|peer| peer.to_string().into()),
            policy: Some(policy.revision().as_str().into()),
            trace: context.traceparent.map(Cow::Borrowed),
            micros: Some(micros(context.started)),
            ..Record::of(feature, rule.name())
        };
        self.grant(unauthenticated, policy, (Arc::clone(counts(rule, feature)), vec![]), &record)
    }

    /// Makes the grant of one request that subscribes to so many resources, of these rules. Its record
    /// names the first rules, and counts the others. `None` without rules.
    pub(crate) fn allowed_all(
        &self,
        caller: &Principal,
        rules: &[&Rule],
        resources: usize,
        context: DecisionContext<'_>,
    ) -> Option<Grant> {
        let [first, others @ ..] = rules else { return None };
        let named = others.iter().take(MOST_NAMED);
        let mut also = named.map(|rule| rule.name()).collect::<Vec<_>>().join(" ");
        if let Some(more @ 1..) = others.len().checked_sub(MOST_NAMED) {
            also.push_str(&format!(" and {more} more"));
        }
        let policy = caller.policy();
        let record = Record {
            timestamp: queue::now().into(),
            level: "INFO",
            decision: Cow::Borrowed("allow"),
            rule: Some(policy.place(first).into()),
            also: (!also.is_empty()).then(|| also.into()),
            resources: u64::try_from(resources).ok(),
            trace: context.traceparent.map(Cow::Borrowed),
            micros: Some(micros(context.started)),
            ..by_caller(caller, Feature::Resource, first.name())
        };
        let of = |rule: &&Rule| Arc::clone(counts(rule, Feature::Resource));
        let others = others.iter().map(of).collect();
        Some(self.grant(callers, policy, (of(first), others), &record))
    }

    /// Records that an operation was refused for lack of scopes: by the gate, if there is a
    /// `context`, or else by the check inside the tool, because no gate had stopped the call.
    pub(crate) fn denied(
        &self,
        caller: &Principal,
        denied: Denied<'_>,
        context: Option<DecisionContext<'_>>,
    ) {
        let Denied { feature, name, rule, missing, conditions } = denied;
        match rule {
            Some(rule) => counts(rule, feature).count_denied(),
            None => metrics().unknown(feature),
        }
        let by = if context.is_some() { "gate" } else { feature.word() };
        self.write(Record {
            level: "WARN",
            decision: Cow::Borrowed("deny"),
            rule: rule.map(|rule| caller.policy().place(rule).into()),
            conditions: conditions.map(Cow::Borrowed),
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
        self.write_unauthenticated(Record {
            level: "WARN",
            decision: Cow::Borrowed("deny"),
            reason: Some(
                "refused by its own check without an authenticated caller: is the gate missing?"
                    .into(),
            ),
            ..Record::of(feature, name)
        });
    }

    /// Records a request that came without any token: the first of its address in a minute at once,
    /// and the further ones together when the minute is over.
    pub(crate) fn without_token(&self, request: Unauthenticated<'_>, policy: &CompiledPolicy) {
        let revision = policy.revision().as_str();
        let seen = self.0.probes.lock().see(request.peer, revision, Instant::now());
        self.0.write_counted(seen.over);
        if seen.is_first {
            self.unauthenticated(request, policy);
        } else {
            metrics().unauthenticated(request.code);
        }
        if seen.begins_minute
            && let Ok(runtime) = Handle::try_current()
        {
            let recording = Arc::downgrade(&self.0);
            runtime.spawn(async move {
                tokio::time::sleep(Probes::length()).await;
                if let Some(recording) = recording.upgrade() {
                    let over = recording.probes.lock().take_over(Instant::now());
                    recording.write_counted(over);
                }
            });
        }
    }

    /// Records a request that came without a valid token.
    pub(crate) fn unauthenticated(&self, request: Unauthenticated<'_>, policy: &CompiledPolicy) {
        let Unauthenticated { code, reason, client, peer } = request;
        metrics().unauthenticated(code);
        self.write_unauthenticated(Record {
            level: "INFO",
            decision: Cow::Borrowed("unauthenticated"),
            reason: Some(reason.into()),
            client: client.map(Cow::Borrowed),
            address: peer.map(|peer| peer.to_string().into()),
            policy: Some(policy.revision().as_str().into()),
            ..Record::default()
        });
    }

    /// Writes a record of an authenticated caller.
    fn write(&self, record: Record<'_>) {
        self.0.write_to(callers, record);
    }

    /// Writes a record of a request without a valid token.
    fn write_unauthenticated(&self, record: Record<'_>) {
        self.0.write_to(unauthenticated, record);
    }
}

impl Recording {
    fn write_to(&self, file: Which, mut record: Record<'_>) {
        if let Some(files) = &self.files {
            record.timestamp = queue::now().into();
            file(files).sink().record(&record);
        }
        record.log();
    }

    /// Writes the records of counted requests without a token.
    fn write_counted(&self, all: Vec<Counted>) {
        for Counted { address, count, policy } in all {
            let record = Record {
                level: "INFO",
                decision: Cow::Borrowed("unauthenticated"),
                reason: Some(FURTHER.into()),
                address: address.map(|address| address.to_string().into()),
                policy: Some(policy.into()),
                count: Some(count),
                ..Record::default()
            };
            self.write_to(unauthenticated, record);
        }
    }
}

/// The counters of a rule's decisions, which all rules of the same name in this process share.
fn counts(rule: &Rule, feature: Feature) -> &Arc<DecisionCounts> {
    rule.counts(|name| metrics().of(feature, name))
}

/// A record of a use by an authenticated caller.
fn by_caller<'a>(caller: &'a Principal, feature: Feature, name: &'a str) -> Record<'a> {
    Record {
        subject: Some(caller.subject().into()),
        issuer: Some(caller.issuer().into()),
        client: caller.client().map(Cow::Borrowed),
        act: actors(caller),
        scopes: known_scopes(caller),
        policy: Some(caller.policy().revision().as_str().into()),
        ..Record::of(feature, name)
    }
}

/// The places of conditions, as a record names them.
pub(crate) fn conditions<'p>(
    met: &MetConditions<'p>,
    policy: &'p CompiledPolicy,
) -> Option<Cow<'p, str>> {
    list(met.places(policy))
}

/// The granted scopes that the policy knows. A scope of another server says nothing here.
fn known_scopes(caller: &Principal) -> Option<Cow<'_, str>> {
    let granted = caller.granted().iter().map(Scope::as_str);
    let known = granted.filter(|scope| caller.policy().scope_named(scope).is_some());
    list(known)
}

/// The actors that a token names: `act` and the `act` in it, the current actor first (RFC 8693,
/// section 4.1).
fn actors(caller: &Principal) -> Vec<Actor<'_>> {
    let mut all = vec![];
    let mut next = caller.claim("act");
    while let Some(Value::Object(actor)) = next
        && all.len() < MOST_ACTORS
    {
        let text = |name: &str| {
            let text = actor.get(name)?.as_str()?;
            Some(Cow::Borrowed(&text[..text.floor_char_boundary(LONGEST_ACTOR)]))
        };
        all.push(Actor { sub: text("sub"), iss: text("iss"), client_id: text("client_id") });
        next = actor.get("act");
    }
    all
}

/// Joins texts with spaces: the first 32, and how many more there are. `None` without any.
fn list<'t>(all: impl Iterator<Item = &'t str>) -> Option<Cow<'t, str>> {
    let mut all = all;
    let first = all.next()?;
    let Some(second) = all.next() else { return Some(first.into()) };
    // Most lists are shorter, so that the text need not grow.
    let mut text = String::with_capacity(64);
    text.push_str(first);
    let (mut listed, mut more) = (1, 0);
    for one in iter::once(second).chain(all) {
        if listed < MOST_LISTED {
            listed += 1;
            text.push(' ');
            text.push_str(one);
        } else {
            more += 1;
        }
    }
    if more > 0 {
        text.push_str(&format!(" +{more}"));
    }
    Some(text.into())
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
    fn a_list_is_bounded() {
        assert_eq!(list([].into_iter()), None);
        assert_eq!(list(["a"].into_iter()).as_deref(), Some("a"));
        assert_eq!(list(["a", "b", "c"].into_iter()).as_deref(), Some("a b c"));
        let many = list(["s"; 100].into_iter()).unwrap();
        assert!(many.ends_with(" s +68") && many.len() < 80, "{many}");
    }

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
