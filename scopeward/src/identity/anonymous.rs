//! Callers without a token, whom only a rule with `anonymous = true` lets in.

use std::sync::Arc;

use super::Principal;
use crate::policy::{CompiledPolicy, Decision, MetConditions, Object, Operation, ScopeSet};

/// A caller without a token, under one policy.
#[derive(Debug, Clone)]
pub(crate) struct AnonymousCaller {
    policy: Arc<CompiledPolicy>,
    held: ScopeSet,
    /// Such a caller has no claims, so a condition on them cannot be evaluated and counts as met.
    claims: Object,
}

impl AnonymousCaller {
    /// The caller, if the policy has a rule that lets it in.
    pub(crate) fn admitted_by(policy: Arc<CompiledPolicy>) -> Option<Self> {
        let is_admitted = policy.admits_anonymous();
        is_admitted.then(|| Self { policy, held: ScopeSet::anonymous(), claims: Object::new() })
    }

    /// Decides whether this caller may do `operation`, and says which conditions were met.
    pub(crate) fn decide(&self, operation: Operation<'_>) -> (Decision<'_>, MetConditions<'_>) {
        let operation = operation.with_claims(&self.claims);
        self.policy.decide_with_conditions(operation, &self.held)
    }

    /// The policy that admitted the caller.
    pub(crate) fn policy(&self) -> &CompiledPolicy {
        &self.policy
    }
}

/// The caller of a request: with a token, or without.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'c> {
    Principal(&'c Principal),
    Anonymous(&'c AnonymousCaller),
}

impl<'c> From<&'c Principal> for Caller<'c> {
    fn from(caller: &'c Principal) -> Self {
        Self::Principal(caller)
    }
}

impl<'c> From<&'c AnonymousCaller> for Caller<'c> {
    fn from(caller: &'c AnonymousCaller) -> Self {
        Self::Anonymous(caller)
    }
}

impl<'c> Caller<'c> {
    /// Decides whether the caller may do `operation`.
    pub(crate) fn may(self, operation: Operation<'_>) -> Decision<'c> {
        match self {
            Self::Principal(caller) => caller.may(operation),
            Self::Anonymous(caller) => caller.decide(operation).0,
        }
    }

    /// The policy that admitted the caller.
    pub(crate) fn policy(self) -> &'c CompiledPolicy {
        match self {
            Self::Principal(caller) => caller.policy(),
            Self::Anonymous(caller) => caller.policy(),
        }
    }

    /// The caller, if it has a token.
    pub(crate) fn principal(self) -> Option<&'c Principal> {
        match self {
            Self::Principal(caller) => Some(caller),
            Self::Anonymous(_) => None,
        }
    }
}
