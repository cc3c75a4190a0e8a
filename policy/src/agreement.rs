//! The startup check: do the declared tools, the policy and the registered scopes agree?
//!
//! It asks the lints of the stage [`Agreement`](crate::lint::Stage::Agreement), which
//! `policy lint` asks too. The same check stands before the start and before every reload.

use jiff::Timestamp;

use crate::{
    CompiledPolicy, Registry, Snapshot, StartupCheck,
    diagnostic::{Diagnostics, Source},
    lint::{self, Examined, LintInputs, Stage},
};

/// A policy that may be served.
#[derive(Debug)]
pub struct Checked {
    /// The policy.
    pub policy: CompiledPolicy,
    /// The findings that do not stop the start: warnings, and errors where the policy says
    /// `startup_check = "warn"`.
    pub found: Diagnostics,
}

/// Compiles the policy and checks it, in one go: everything that is wrong with the file and, as
/// far as it can be read, everything in which it disagrees with the tools.
///
/// # Errors
///
/// The findings that stop the start: every mistake of the file, and every disagreement unless the
/// policy says `startup_check = "warn"`.
pub fn check(
    source: &Source,
    registry: &Registry,
    snapshot: Option<&Snapshot>,
) -> Result<Checked, Diagnostics> {
    let inputs = LintInputs { registry, snapshot, now: Timestamp::now() };
    match lint::examine(source, &inputs, Stage::Agreement) {
        Examined { policy: Some(policy), found, .. } if !stops(&policy, &found) => {
            Ok(Checked { policy, found })
        }
        Examined { found, .. } => Err(found),
    }
}

/// Whether these findings stop the start: the only place that says so.
fn stops(policy: &CompiledPolicy, found: &Diagnostics) -> bool {
    found.has_errors() && policy.startup_check() == StartupCheck::Enforce
}
