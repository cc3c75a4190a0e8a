//! One audit record: how it is written, read again and logged.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use tracing::field::{DisplayValue, display};

use crate::{
    policy::Feature,
    text::{Quoted, quoted, shown},
};

/// The audit record of one decision, or of something that happened to the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    /// The time of the decision: RFC 3339, UTC.
    pub(crate) timestamp: Cow<'a, str>,
    /// The severity of the record as a log event, in the file for programs that read logs.
    #[serde(skip_deserializing, skip_serializing_if = "str::is_empty")]
    pub(crate) level: &'static str,
    /// `allow`, `deny` or `unauthenticated`; `outcome` for the end of a call whose `allow` was written
    /// before; `lost`, `resumed` or `continued` where something happened to the file.
    pub(crate) decision: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<Cow<'a, str>>,
    /// The further URI templates of a request that subscribes to several resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) also: Option<Cow<'a, str>>,
    /// How many resources such a request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resources: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<Cow<'a, str>>,
    /// Who acts for the subject, the current actor first (RFC 8693, section 4.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) act: Vec<Actor<'a>>,
    /// The granted scopes that the policy knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<Cow<'a, str>>,
    /// The places of the rule's conditions that were met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conditions: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<Cow<'a, str>>,
    /// How long the decision took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) micros: Option<u64>,
    /// How many requests the record stands for, if not for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    /// How many records could not be kept, where `decision` is `lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    /// Names the call in its two records, if it has two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<Cow<'a, str>>,
    /// How the call ended: `ok`, `tool_error`, `error`, `abandoned` or `not_run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Cow<'a, str>>,
    /// How an abandoned call ended, if it ran to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Cow<'a, str>>,
    /// How long the call ran, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) took_micros: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Cow<'a, str>>,
}

/// One actor of a token's `act` claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Actor<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<Cow<'a, str>>,
}

/// The target of each record in the log.
const TARGET: &str = "scopeward::audit";
/// The target of the `allow` records in the log, so that a filter can leave them out.
const ALLOWED: &str = "scopeward::audit::allowed";

/// Whether the log takes the records of allowed calls.
pub(super) fn allowed_are_logged() -> bool {
    tracing::enabled!(target: ALLOWED, tracing::Level::INFO)
}

impl<'a> Record<'a> {
    /// Makes a record about `name`, which stands in the field of its `feature`.
    pub(crate) fn of(feature: Feature, name: &'a str) -> Self {
        let [tool, resource, prompt] =
            Feature::ALL.map(|each| (each == feature).then_some(Cow::Borrowed(name)));
        Self { tool, resource, prompt, ..Self::default() }
    }

    /// Writes a copy of the record to the log. The audit file does not depend on the log.
    pub(crate) fn log(&self) {
        macro_rules! event {
            ($target:expr, $level:ident) => {
                tracing::event!(
                    target: $target,
                    tracing::Level::$level,
                    decision = &*self.decision,
                    tool = logged(self.tool.as_deref()),
                    resource = logged(self.resource.as_deref()),
                    prompt = logged(self.prompt.as_deref()),
                    also = logged(self.also.as_deref()),
                    resources = self.resources,
                    subject = logged(self.subject.as_deref()),
                    issuer = logged(self.issuer.as_deref()),
                    client = logged(self.client.as_deref()),
                    act = (!self.act.is_empty()).then(|| display(Acting(&self.act))),
                    scopes = logged(self.scopes.as_deref()),
                    rule = logged(self.rule.as_deref()),
                    conditions = logged(self.conditions.as_deref()),
                    missing = logged(self.missing.as_deref()),
                    reason = logged(self.reason.as_deref()),
                    address = logged(self.address.as_deref()),
                    policy = logged(self.policy.as_deref()),
                    by = logged(self.by.as_deref()),
                    trace = logged(self.trace.as_deref()),
                    micros = self.micros,
                    count = self.count,
                )
            };
        }
        match &*self.decision {
            "allow" => event!(ALLOWED, INFO),
            "deny" => event!(TARGET, WARN),
            _ => event!(TARGET, INFO),
        }
    }

    /// The name of the tool, resource or prompt that the caller wanted to use.
    pub(crate) fn used(&self) -> Option<&str> {
        self.tool.as_deref().or(self.resource.as_deref()).or(self.prompt.as_deref())
    }

    /// Returns whether the operation was not allowed.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(&*self.decision, "deny" | "unauthenticated")
    }

    /// Returns whether the record is the end of a call whose `allow` was written before.
    pub(crate) fn is_outcome(&self) -> bool {
        self.decision == "outcome"
    }
}

/// A field as the log shows it: in quotes, because callers choose some of the texts.
fn logged(field: Option<&str>) -> Option<DisplayValue<Quoted<'_>>> {
    field.map(|text| display(quoted(text)))
}

/// A chain of actors in one line: `service-b < service-a`.
struct Acting<'r>(&'r [Actor<'r>]);

impl fmt::Display for Acting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, actor) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("<")?;
            }
            let name = actor.sub.as_deref().or(actor.client_id.as_deref());
            shown(name.unwrap_or("?")).fmt(f)?;
        }
        Ok(())
    }
}

/// Writes the record in one line. A text that is not a plain word stands in quotes.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |field: Option<&str>| field.map_or("-".to_owned(), |it| shown(it).to_string());
        write!(
            f,
            "{}  {:15}  {}  {}",
            shown(&self.timestamp),
            shown(&self.decision).to_string(),
            text(self.used()),
            text(self.subject.as_deref())
        )?;
        if let Some(client) = &self.client {
            write!(f, "  client={}", shown(client))?;
        }
        if !self.act.is_empty() {
            write!(f, "  act={}", Acting(&self.act))?;
        }
        if let Some(count) = self.count {
            write!(f, "  count={count}")?;
        }
        if let Some(lost) = self.lost {
            write!(f, "  lost={lost}")?;
        }
        for (name, field) in [
            ("also", &self.also),
            ("address", &self.address),
            ("missing", &self.missing),
            ("reason", &self.reason),
            ("rule", &self.rule),
            ("conditions", &self.conditions),
            ("trace", &self.trace),
            ("outcome", &self.outcome),
            ("ended", &self.ended),
        ] {
            match field.as_deref() {
                None => {}
                // Scopes, places and our own reasons are lists and sentences of this server.
                Some(own) if matches!(name, "missing" | "conditions") && is_a_list(own) => {
                    write!(f, "  {name}={own}")?;
                }
                Some(text) => write!(f, "  {name}={}", shown(text))?,
            }
        }
        if let Some(micros) = self.took_micros {
            write!(f, "  took={}.{:03}ms", micros / 1_000, micros % 1_000)?;
        }
        Ok(())
    }
}

/// Whether a text is a list of scopes or places, whose items are plain words.
fn is_a_list(text: &str) -> bool {
    let is_plain = |one: &str| one.is_empty() || shown(one).to_string() == one;
    text.split(' ').all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_a_caller_calls_itself() {
        let record = Record {
            timestamp: "2026-11-24T15:47:37.120345Z".into(),
            decision: "deny".into(),
            subject: Some("ada\u{2028}2026-11-24  allow  purge_todos \u{202e}".into()),
            client: Some("c\u{85}1".into()),
            missing: Some("todo:write admin:access".into()),
            ..Record::of(Feature::Tool, "x  y")
        };
        assert_eq!(
            record.to_string(),
            "2026-11-24T15:47:37.120345Z  deny             \"x  y\"  \
             \"ada\\u{2028}2026-11-24  allow  purge_todos \\u{202e}\"  client=\"c\\u{85}1\"  \
             missing=todo:write admin:access"
        );
    }

    #[test]
    fn old_records_are_read() {
        let old = r#"{"timestamp":"t","level":"INFO","decision":"allow","tool":"a","micros":3,
            "number":1,"previous":"00"}"#;
        let record: Record<'_> = serde_json::from_str(old).unwrap();
        assert_eq!((record.used(), record.micros, record.act.len()), (Some("a"), Some(3), 0));
    }
}
