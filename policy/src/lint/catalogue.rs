//! Finds lints and mistakes by id or name.

use super::{Lint, lints::LINTS};
use crate::{diagnostic::Kind, mistake};

/// `[lint]` or `allow` names a lint that does not exist.
pub(crate) const UNKNOWN_LINT: Kind =
    Kind::new("SW119", "unknown-lint", "`[lint]` or `allow` names a lint that does not exist.");

/// `[lint]` or `allow` would change the startup check.
pub(crate) const FIXED_LINT: Kind = Kind::new(
    "SW120",
    "fixed-lint",
    "`[lint]` or `allow` would change the startup check, whose errors stay errors.",
);

/// The lint with this id or name.
pub fn find(word: &str) -> Option<&'static Lint> {
    LINTS.iter().find(|lint| lint.kind.is_called(word)).copied()
}

/// The lints whose level `[lint]` and `allow` may change.
pub fn changeable() -> impl Iterator<Item = Kind> {
    LINTS.iter().filter(|lint| !lint.is_fixed()).map(|lint| lint.kind)
}

/// Every kind of finding: the lints, and the mistakes of the file.
///
/// ```
/// use scopeward_policy::lint;
///
/// assert!(lint::kinds().any(|kind| kind.id == "SW001"));
/// ```
pub fn kinds() -> impl Iterator<Item = Kind> {
    let lints = LINTS.iter().map(|lint| lint.kind);
    lints.chain(mistake::ALL.iter().copied()).chain([UNKNOWN_LINT, FIXED_LINT])
}
