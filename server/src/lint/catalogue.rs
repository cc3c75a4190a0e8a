//! All lints, in the order of their ids.

use super::{Lint, lints};
use crate::{diagnostic::Kind, policy::mistake};

/// `[lint]` or `allow` names a lint that does not exist.
pub(crate) const UNKNOWN_LINT: Kind =
    Kind::new("SW119", "unknown-lint", "`[lint]` or `allow` names a lint that does not exist.");

/// `[lint]` or `allow` would change the startup check.
pub(crate) const FIXED_LINT: Kind = Kind::new(
    "SW120",
    "fixed-lint",
    "`[lint]` or `allow` would change the startup check, whose errors stay errors.",
);

/// Every lint. A new one is a file in `lints/` and a line here.
pub static LINTS: &[&Lint] = &[
    &lints::TOOL_WITHOUT_POLICY,
    &lints::UNKNOWN_TOOL,
    &lints::WEAKENED,
    &lints::UNREACHABLE_TOOL,
    &lints::UNDECLARED_SCOPE,
    &lints::FAILED_TEST,
    &lints::BROKEN_INVARIANT,
    &lints::WRONG_CONDITION,
    &lints::ABSENT_ARGUMENT,
    &lints::UNREGISTERED_SCOPE,
    &lints::UNUSED_SCOPE,
    &lints::IDLE_SCOPE,
    &lints::STALE_RELAX,
    &lints::STALE_ALLOW,
    &lints::REDUNDANT_IMPLIES,
    &lints::REDUNDANT_SCOPE,
    &lints::COVERED_ALTERNATIVE,
    &lints::READ_SCOPE_FOR_CHANGE,
    &lints::ADMIN_FOR_READING,
    &lints::OPEN_DESTRUCTIVE_TOOL,
    &lints::LOOK_ALIKE_NAMES,
    &lints::BROAD_SCOPE,
    &lints::STEP_UP_BYPASSED,
    &lints::DEPRECATED_KEY,
    &lints::OLD_SNAPSHOT,
];

/// The lint of this id or name.
pub fn find(word: &str) -> Option<&'static Lint> {
    LINTS.iter().find(|lint| lint.kind.is_called(word)).copied()
}

/// Every kind of finding: lints, and mistakes of the file.
pub fn kinds() -> impl Iterator<Item = Kind> {
    let lints = LINTS.iter().map(|lint| lint.kind);
    lints.chain(mistake::ALL.iter().copied()).chain([UNKNOWN_LINT, FIXED_LINT])
}
