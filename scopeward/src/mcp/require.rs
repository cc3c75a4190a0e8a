//! A challenge from inside a tool: scopes that only some calls need, which the tool finds out as it
//! works.

use rmcp::ErrorData;

use super::{refusal::Refusal, security_schemes::needed};
use crate::{
    identity::Principal,
    policy::{Declaration, Feature, Operation, Scope},
};

impl Principal {
    /// Ends a call in the challenge that the gate would have sent, unless the caller holds `scope`.
    ///
    /// The tool names the scope in `optional`, or the program does not compile. Call it before the
    /// tool changes anything, because the client calls again with the new scope.
    ///
    /// # Errors
    ///
    /// The refusal. Return it as it is: a client gets HTTP 403 with the challenge, and over a transport
    /// that has sent its status already, a result with `isError` and the challenge in `_meta`.
    ///
    /// ```
    /// use scopeward::{Principal, rmcp::ErrorData, scoped_tools};
    ///
    /// struct Notes;
    ///
    /// #[scoped_tools]
    /// impl Notes {
    ///     /// Counts notes: yours, or everyone's.
    ///     #[scoped_tool(scopes = ["note:read"], optional = ["note:admin"])]
    ///     fn count(&self, caller: Principal) -> Result<String, ErrorData> {
    ///         let is_large = true;
    ///         if is_large {
    ///             caller.require("note:admin")?;
    ///         }
    ///         Ok("12".to_owned())
    ///     }
    /// }
    /// ```
    pub fn require(&self, scope: &str) -> Result<(), ErrorData> {
        self.require_all([scope])
    }

    /// As [`require`](Self::require), for several scopes at once, so that the person is asked once.
    ///
    /// # Errors
    ///
    /// The refusal, which names all that the call needs.
    ///
    /// ```
    /// use scopeward::{Principal, rmcp::ErrorData};
    ///
    /// fn export(caller: &Principal) -> Result<(), ErrorData> {
    ///     caller.require_all(["note:admin", "note:export"])
    /// }
    /// ```
    pub fn require_all<'s>(
        &self,
        scopes: impl IntoIterator<Item = &'s str>,
    ) -> Result<(), ErrorData> {
        let scopes: Vec<&str> = scopes.into_iter().collect();
        let lacking: Vec<&str> = scopes.iter().copied().filter(|scope| !self.has(scope)).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let missing = lacking.iter().filter_map(|scope| Scope::parse(scope).ok()).collect();
        let used = self.used();
        let feature = used.map_or(Feature::Tool, Declaration::feature);
        let name = used.map_or("this tool", |declared| declared.name());
        // With what the rule needs, because a new token must have everything.
        let mut required = needed(self.policy(), Operation::new(feature, name));
        for scope in scopes.iter().filter_map(|scope| Scope::parse(scope).ok()) {
            if !required.contains(&scope) {
                required.push(scope);
            }
        }
        let mut refusal = Refusal::lacking(feature, name, (required, missing), self);
        refusal.is_by_tool = true;
        Err(refusal.into_error_with_challenge())
    }
}
