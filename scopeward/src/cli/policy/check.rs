//! The command `policy check`: the startup check without serving.

use crate::{
    cli::{Deployment, Failure, Verdict, report_start, runtime::block_on},
    policy::{Registry, diagnostic::counted},
    serve::{
        Report,
        startup::{self, Served},
    },
};

pub(super) fn check(deployment: &Deployment, registry: &Registry) -> Result<Verdict, Failure> {
    let served = block_on(startup::checked(deployment, registry))??;
    let Served { policy: checked, registered, warnings, .. } = served;
    report_start(&Report { found: checked.found().clone(), warnings });
    let policy = checked.policy();
    let rules = counted(policy.rules().count(), "rule");
    outln!(
        "{} (revision {}): {rules}; the tools, the policy and the registered scopes agree",
        policy.source().path(),
        policy.revision()
    );
    if let Some(snapshot) = registered.snapshot() {
        outln!("  = note: {}", snapshot.describe());
    }
    Ok(Verdict::Good)
}
