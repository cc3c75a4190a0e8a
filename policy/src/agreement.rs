//! The startup check: do the declared scopes, the policy and the registered scopes agree?
//!
//! The check runs the lints of the stage [`Agreement`](crate::lint::Stage::Agreement), which
//! `policy lint` runs too. A server runs it before it starts and before every reload.

use jiff::Timestamp;

use crate::{
    CompiledPolicy, Registry, Snapshot, StartupCheck,
    diagnostic::{Diagnostics, Source},
    lint::{self, Examined, LintInputs, Stage},
};

/// A policy that passed the startup check, and so may be served.
#[derive(Debug)]
pub struct Checked {
    /// The policy.
    pub policy: CompiledPolicy,
    /// The findings that do not stop the start: warnings, and errors where the policy says
    /// `startup_check = "warn"`.
    pub found: Diagnostics,
}

/// Compiles a policy and runs the startup check on it. One call reports every mistake of the file
/// and, for the rules that could be read, every disagreement with the declared scopes.
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

/// Whether these findings stop the start. Nothing else decides that.
fn stops(policy: &CompiledPolicy, found: &Diagnostics) -> bool {
    found.has_errors() && policy.startup_check() == StartupCheck::Enforce
}
