//! Records as they stand in the audit file, read again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// RFC 3339, UTC.
    pub(crate) timestamp: String,
    /// `allow`, `deny` or `unauthenticated`; or `lost`, where records are missing.
    pub(crate) decision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) micros: Option<u64>,
    /// How many records could not be kept, where `decision` is `lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
}

impl Record {
    /// What was to be used: a tool, a resource or a prompt.
    pub(crate) fn used(&self) -> Option<&str> {
        self.tool.as_deref().or(self.resource.as_deref()).or(self.prompt.as_deref())
    }

    /// Whether the caller did not get what it asked for.
    pub(crate) fn is_denied(&self) -> bool {
        self.decision != "allow"
    }
}

/// In one line, whatever stands in it.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!(
            "{}  {:15}  {}  {}",
            self.timestamp,
            self.decision,
            self.used().unwrap_or("-"),
            self.subject.as_deref().unwrap_or("-")
        );
        for (name, field) in [
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
