//! An authenticated caller, seen through one policy.

use std::{fmt, sync::Arc};

use super::token::AccessToken;
use crate::policy::{CompiledPolicy, Decision, Operation, Scope, ScopeSet};

/// An authenticated caller: who it is, which client acts for it, and what it was granted. It can
/// only be made from an [`AccessToken`], which can only be made by validating one.
///
/// A tool takes it as a parameter of any position:
///
/// ```
/// use scopeward::{Principal, scoped_tools};
///
/// struct Greeter;
///
/// #[scoped_tools]
/// impl Greeter {
///     /// Greets the caller.
///     #[scoped_tool(scopes = ["greet:read"], optional = ["greet:admin"])]
///     fn greet(&self, caller: Principal) -> String {
///         let honour = if caller.has("greet:admin") { "Your Excellency " } else { "" };
///         format!("Hello, {honour}{}!", caller.subject())
///     }
/// }
/// ```
///
/// A request sees one policy from start to end: the principal carries the policy that admitted it.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

struct Inner {
    token: AccessToken,
    policy: Arc<CompiledPolicy>,
    held: ScopeSet,
}

impl Principal {
    /// The caller that `token` authenticates, under `policy`.
    pub fn new(token: AccessToken, policy: Arc<CompiledPolicy>) -> Self {
        let held = policy.hold(token.scopes().iter().map(Scope::as_str));
        Self(Arc::new(Inner { token, policy, held }))
    }

    /// The same caller, under another policy.
    pub(crate) fn under(&self, policy: Arc<CompiledPolicy>) -> Self {
        Self::new(self.0.token.clone(), policy)
    }

    pub(crate) fn token(&self) -> &AccessToken {
        &self.0.token
    }

    /// When the caller's token expires, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> u64 {
        self.0.token.expires_at()
    }

    /// Who the caller is, at its issuer (`sub`).
    pub fn subject(&self) -> &str {
        self.0.token.subject()
    }

    /// Who says so (`iss`).
    pub fn issuer(&self) -> &str {
        self.0.token.issuer()
    }

    /// Who the caller is, among the callers of every issuer: what belongs to a caller is kept
    /// under this.
    ///
    /// The subject alone is somebody only at its issuer (OpenID Connect Core, section 5.7).
    pub fn id(&self) -> String {
        // No issuer has a space in it.
        format!("{} {}", self.0.token.canonical_issuer(), self.subject())
    }

    /// The same as a number, for counting: two callers have the same one hardly ever, and nobody can
    /// aim at another's.
    pub(crate) fn number(&self) -> u64 {
        self.0.token.caller()
    }

    /// The OAuth client that acts for the caller (`client_id`, or `azp`).
    pub fn client(&self) -> Option<&str> {
        self.0.token.client()
    }

    /// The scopes that the token carries, without what they imply.
    pub fn granted(&self) -> &[Scope] {
        self.0.token.scopes()
    }

    /// Whether the caller holds `scope`, directly or because a granted scope implies it.
    pub fn has(&self, scope: &str) -> bool {
        self.0.policy.is_held(scope, &self.0.held)
    }

    /// May this caller do this? The one question, asked by everyone through here.
    ///
    /// ```
    /// use scopeward::{Principal, policy::Operation};
    ///
    /// fn may_write(caller: &Principal) -> bool {
    ///     caller.may(Operation::tool("create_todo")).is_allow()
    /// }
    /// ```
    pub fn may(&self, operation: Operation<'_>) -> Decision<'_> {
        let Inner { token, policy, held } = &*self.0;
        if policy.has_conditions() {
            policy.decide(operation.with_claims(token.claims()), held)
        } else {
            policy.decide(operation, held)
        }
    }

    /// A claim of the token that has no method of its own.
    pub fn claim(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.token.claim(name)
    }

    /// The policy that the caller was admitted under.
    pub fn policy(&self) -> &CompiledPolicy {
        &self.0.policy
    }

    pub(crate) fn held(&self) -> &ScopeSet {
        &self.0.held
    }
}

/// Who and which client; not what else the token says.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("client", &self.client())
            .field("granted", &self.granted())
            .finish_non_exhaustive()
    }
}
