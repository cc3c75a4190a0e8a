//! Warns about a scope that a tool asks for and that can hardly be meant: a slip of the pen.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use parking_lot::Mutex;

use crate::policy::{CompiledPolicy, Declaration};

/// At most this many warnings are remembered, and so given: a program has fewer slips than that.
const MAX_WARNINGS: usize = 256;

/// The hashes of the warnings that were given.
static GIVEN: LazyLock<(RandomState, Mutex<HashSet<u64>>)> = LazyLock::new(Default::default);

/// Warns about `scope`, once, if the policy does not define it or the declaration that asks for it
/// does not name it.
pub(super) fn warn_once(policy: &CompiledPolicy, used: Option<&'static Declaration>, scope: &str) {
    let is_defined = policy.scope_named(scope).is_some();
    let undeclared = used.filter(|declared| !declared.names_scope(scope));
    if is_defined && undeclared.is_none() {
        return;
    }
    let place = undeclared.map(|declared| (declared.feature(), declared.name()));
    let (hasher, given) = &*GIVEN;
    let warning = hasher.hash_one((is_defined, place, scope));
    {
        let mut given = given.lock();
        if given.len() >= MAX_WARNINGS || !given.insert(warning) {
            return;
        }
    }
    if let Some(declared) = undeclared {
        tracing::warn!(
            "{} `{}` asks for the scope `{scope:.64}`, which it does not declare; add it to \
             `optional` at {}, or correct it",
            declared.feature(),
            declared.name(),
            declared.location(),
        );
    } else {
        tracing::warn!(
            "the program asks for the scope `{scope:.64}`, which `[scopes]` does not define, so \
             nobody holds it; define it in the policy, or correct it in the program"
        );
    }
}
