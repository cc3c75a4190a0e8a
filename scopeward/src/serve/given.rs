//! The settings that somebody gave, and those of them that have no effect beside the others.

use std::collections::BTreeMap;

use super::{StartError, limit_options::LimitOptions};
use crate::{
    identity::provider::{ConfiguredProviders, TokenCheck},
    limits::Limits,
};

/// The settings that an option or a variable gave, by the id of the option.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenSettings(BTreeMap<String, GivenSetting>);

#[derive(Debug, Clone)]
struct GivenSetting {
    /// The option or the variable, as it was written.
    name: String,
    value: String,
}

impl GivenSettings {
    pub(crate) fn add(&mut self, id: &str, name: String, value: String) {
        self.0.insert(id.to_owned(), GivenSetting { name, value });
    }

    /// Refuses a setting that has no effect beside the others, because its author counts on one.
    pub(crate) fn check(
        &self,
        configured: &ConfiguredProviders,
        has_sessions: bool,
    ) -> Result<(), StartError> {
        if !has_sessions {
            let help = "set MCP_SESSIONS=true, which keeps sessions, or remove it";
            self.refuse(&["max_sessions", "max_sessions_per_caller"], "without sessions", help)?;
        }
        let has_keys = configured.all().any(|one| matches!(one.check, TokenCheck::Keys(_)));
        if !has_keys {
            let why = "because no provider of the policy has keys that are fetched";
            self.refuse(&["max_key_age"], why, "remove it")?;
        }
        if self.0.get("audit_size").is_some_and(|size| size.value == "0") {
            let why = "beside an audit size of 0, with which no new file is begun";
            self.refuse(&["audit_kept"], why, "remove it, or set AUDIT_SIZE to a size in MiB")?;
        }
        self.check_room_for_the_token()
    }

    /// Refuses the settings of the audit file in a program that keeps none.
    pub(crate) fn check_without_audit(&self) -> Result<(), StartError> {
        let why = "because this program keeps no audit file";
        self.refuse(&["audit_size", "audit_kept"], why, "remove it, or call `Mount::audit`")
    }

    /// Refuses limits in a program that sets its own.
    pub(crate) fn check_beside_own_limits(&self) -> Result<(), StartError> {
        let ids = LimitOptions::ids();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let why = "because this program sets its own limits";
        self.refuse(&ids, why, "remove it, or take the limits out of the program (`Mount::limits`)")
    }

    /// A token that is longer than the head of a request never arrives.
    fn check_room_for_the_token(&self) -> Result<(), StartError> {
        let Some(token) = self.0.get("max_token") else { return Ok(()) };
        let head = self.0.get("max_head").and_then(|head| head.value.parse().ok());
        let head = head.unwrap_or(Limits::default().max_head);
        if token.value.parse().is_ok_and(|longest: usize| longest < head) {
            return Ok(());
        }
        Err(StartError::refused(format!(
            "{} is {}, and a head of a request has {head} bytes at most, so no token that long \
             arrives\n  = help: set MAX_HEAD to more than that, for the token and the other headers",
            token.name, token.value
        )))
    }

    /// Refuses the first of these settings that was given.
    fn refuse(&self, ids: &[&str], why: &str, help: &str) -> Result<(), StartError> {
        let Some(given) = ids.iter().find_map(|id| self.0.get(*id)) else { return Ok(()) };
        Err(StartError::refused(format!(
            "{} is set, and has no effect {why}\n  = help: {help}",
            given.name
        )))
    }
}
