//! The startup check: do the annotated tools, the policy and the registered scopes agree?
//!
//! It asks the lints of the stage [`Agreement`](crate::lint::Stage::Agreement), which
//! `policy lint` asks too.

use jiff::Timestamp;

use crate::{
    diagnostic::{Diagnostics, Source},
    lint::{self, Examined, Stage, Surroundings},
    policy::CompiledPolicy,
    registry::Registry,
    resource::Snapshot,
};

/// Compiles the policy and checks it, in one go: everything that is wrong with the file and, as
/// far as it can be read, everything in which it disagrees with the tools.
///
/// # Errors
///
/// What is wrong with the file. What only disagrees is beside the policy: whether that stops the
/// start is for the caller to say.
pub fn compile(
    source: &Source,
    registry: &Registry,
    snapshot: Option<&Snapshot>,
) -> Result<(CompiledPolicy, Diagnostics), Diagnostics> {
    let surroundings = Surroundings { registry, snapshot, now: Timestamp::now() };
    match lint::examine(source, &surroundings, Stage::Agreement) {
        Examined { policy: Some(policy), found, .. } => Ok((policy, found)),
        Examined { found, .. } => Err(found),
    }
}
