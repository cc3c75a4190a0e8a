//! The authenticated caller, under one policy.

mod doubt;

use std::{fmt, sync::Arc};

use super::token::AccessToken;
use crate::policy::{
    CompiledPolicy, Decision, Declaration, MetConditions, Operation, Scope, ScopeSet,
};

/// An authenticated caller: its subject, the client that acts for it, and the scopes that it was
/// granted. A principal can be made only from an [`AccessToken`], and an access token only by
/// validating a bearer token.
///
/// A tool takes the principal as a parameter, in any position:
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
/// The principal carries the policy that admitted it, so that one policy decides a request from
/// start to end.
///
/// ```
/// use scopeward::Principal;
///
/// /// Where this caller's notes are kept, and what the log says of it.
/// fn who(caller: &Principal) -> (String, String) {
///     let scopes: Vec<&str> = caller.granted().iter().map(|scope| scope.as_str()).collect();
///     let email = caller.claim("email").and_then(|email| email.as_str()).unwrap_or("no email");
///     let log = format!(
///         "{} of {} ({email}) by {:?} with {scopes:?} until {}",
///         caller.subject(),
///         caller.issuer(),
///         caller.client(),
///         caller.expires_at(),
///     );
///     // A subject identifies somebody only together with its issuer.
///     (format!("notes of {}", caller.id()), log)
/// }
/// ```
#[derive(Clone)]
pub struct Principal {
    inner: Arc<Inner>,
    /// The tool, resource or prompt whose method has this principal as a parameter.
    used: Option<&'static Declaration>,
}

struct Inner {
    token: AccessToken,
    policy: Arc<CompiledPolicy>,
    held: ScopeSet,
}

impl Principal {
    /// Makes the caller that `token` authenticates, under `policy`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use scopeward::{Principal, identity::token::AccessToken, policy::{CompiledPolicy, Operation}};
    ///
    /// /// Whether the tool may be called with this token.
    /// fn may(token: AccessToken, policy: Arc<CompiledPolicy>, tool: &str) -> bool {
    ///     Principal::new(token, policy).may(Operation::tool(tool)).is_allow()
    /// }
    /// ```
    pub fn new(token: AccessToken, policy: Arc<CompiledPolicy>) -> Self {
        let held = policy.hold(token.scopes().iter().map(Scope::as_str));
        Self { inner: Arc::new(Inner { token, policy, held }), used: None }
    }

    /// The same caller, under another policy.
    pub(crate) fn under(&self, policy: Arc<CompiledPolicy>) -> Self {
        Self::new(self.inner.token.clone(), policy)
    }

    /// The same caller, as a parameter of the method of this declaration.
    pub(crate) fn in_use_of(&self, declared: &'static Declaration) -> Self {
        Self { inner: Arc::clone(&self.inner), used: Some(declared) }
    }

    /// The tool, resource or prompt whose method has this principal as a parameter.
    pub(crate) fn used(&self) -> Option<&'static Declaration> {
        self.used
    }

    pub(crate) fn token(&self) -> &AccessToken {
        &self.inner.token
    }

    /// When the caller's token expires, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> u64 {
        self.inner.token.expires_at()
    }

    /// The subject: the caller's identifier at its issuer (`sub`).
    pub fn subject(&self) -> &str {
        self.inner.token.subject()
    }

    /// The issuer of the caller's token (`iss`).
    pub fn issuer(&self) -> &str {
        self.inner.token.issuer()
    }

    /// Identifies the caller among the callers of every issuer. Keep data that belongs to a caller
    /// under this identifier.
    ///
    /// A subject identifies somebody only together with its issuer (OpenID Connect Core, section
    /// 5.7).
    pub fn id(&self) -> String {
        // An issuer contains no space, so two different callers never have the same identifier.
        format!("{} {}", self.inner.token.canonical_issuer(), self.subject())
    }

    /// The caller's identifier as a number, for counting. Two callers hardly ever share a number,
    /// and nobody can aim at the number of another caller, because the hash is keyed.
    pub(crate) fn number(&self) -> u64 {
        self.inner.token.caller()
    }

    /// The OAuth client that acts for the caller (`client_id`, or `azp`).
    pub fn client(&self) -> Option<&str> {
        self.inner.token.client()
    }

    /// The scopes that the token carries, without the scopes that they imply.
    pub fn granted(&self) -> &[Scope] {
        self.inner.token.scopes()
    }

    /// Whether the caller holds `scope`, directly or because a granted scope implies it.
    ///
    /// A scope that the tool declares neither in `scopes` nor in `optional` does not compile where
    /// the macro sees it. Where it does not, the log warns once; so it does about a scope that
    /// `[scopes]` of the policy does not define, which nobody ever holds.
    pub fn has(&self, scope: &str) -> bool {
        let is_held = self.inner.policy.is_held(scope, &self.inner.held);
        if self.used.is_some_and(|declared| !declared.names_scope(scope)) || !is_held {
            doubt::warn_once(&self.inner.policy, self.used, scope);
        }
        is_held
    }

    /// Decides whether this caller may do `operation`. Every check of a caller goes through this
    /// method.
    ///
    /// ```
    /// use scopeward::{Principal, policy::Operation};
    ///
    /// fn may_write(caller: &Principal) -> bool {
    ///     caller.may(Operation::tool("create_todo")).is_allow()
    /// }
    /// ```
    pub fn may(&self, operation: Operation<'_>) -> Decision<'_> {
        self.decide(operation).0
    }

    /// Decides like [`may`](Self::may), and also says which conditions were met, for the record of
    /// the decision.
    pub(crate) fn decide(&self, operation: Operation<'_>) -> (Decision<'_>, MetConditions<'_>) {
        let Inner { token, policy, held } = &*self.inner;
        if policy.has_conditions() {
            policy.decide_with_conditions(operation.with_claims(token.claims()), held)
        } else {
            policy.decide_with_conditions(operation, held)
        }
    }

    /// The value of a claim that has no method of its own; `None` if the token does not have it.
    pub fn claim(&self, name: &str) -> Option<&serde_json::Value> {
        self.inner.token.claim(name)
    }

    /// The policy that admitted the caller.
    pub fn policy(&self) -> &CompiledPolicy {
        &self.inner.policy
    }

    pub(crate) fn held(&self) -> &ScopeSet {
        &self.inner.held
    }
}

/// Shows the subject, issuer, client and granted scopes only, because other claims can hold
/// personal data.
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
