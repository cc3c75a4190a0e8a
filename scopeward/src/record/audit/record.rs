//! One audit record: how it is written, read again and logged.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::policy::Feature;

/// The audit record of one decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    /// The time of the decision: RFC 3339, UTC.
    pub(crate) timestamp: Cow<'a, str>,
    /// The severity of the record as a log event, in the file for programs that read logs.
    #[serde(skip_deserializing, skip_serializing_if = "str::is_empty")]
    pub(crate) level: &'static str,
    /// `allow`, `deny` or `unauthenticated`; or `lost`, where records are missing.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<Cow<'a, str>>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) micros: Option<u64>,
    /// How many records could not be kept, where `decision` is `lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Cow<'a, str>>,
}

/// The target of each record in the log.
const TARGET: &str = "scopeward::audit";
/// The target of the `allow` records in the log, so that a filter can leave them out.
const ALLOWED: &str = "scopeward::audit::allowed";

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
                    tool = self.tool.as_deref(),
                    resource = self.resource.as_deref(),
                    prompt = self.prompt.as_deref(),
                    also = self.also.as_deref(),
                    resources = self.resources,
                    subject = self.subject.as_deref(),
                    issuer = self.issuer.as_deref(),
                    client = self.client.as_deref(),
                    rule = self.rule.as_deref(),
                    missing = self.missing.as_deref(),
                    reason = self.reason.as_deref(),
                    address = self.address.as_deref(),
                    policy = self.policy.as_deref(),
                    by = self.by.as_deref(),
                    trace = self.trace.as_deref(),
                    micros = self.micros,
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
        self.decision != "allow"
    }
}

/// Writes the record in one line, because control characters become spaces.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!(
            "{}  {:15}  {}  {}",
            self.timestamp,
            self.decision,
            self.used().unwrap_or("-"),
            self.subject.as_deref().unwrap_or("-")
        );
        for (name, field) in [
            ("also", &self.also),
            ("client", &self.client),
            ("address", &self.address),
            ("missing", &self.missing),
            ("reason", &self.reason),
            ("rule", &self.rule),
            ("trace", &self.trace),
        ] {
            if let Some(value) = field {
                line.push_str(&format!("  {name}={value}"));
            }
        }
        f.write_str(&line.replace(char::is_control, " "))
    }
}
