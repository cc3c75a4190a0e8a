//! `policy check`: the startup check without serving.

use crate::{
    cli::{Deployment, Failure, Verdict, deployment::Checked},
    registry::Registry,
};

pub(super) fn check(deployment: &Deployment, registry: &Registry) -> Result<Verdict, Failure> {
    let Checked { policy, registered, .. } = deployment.checked(registry)?;
    let tools = policy.tools().count();
    anstream::println!(
        "{} (revision {}): {tools} tools; the tools, the policy and the registered scopes agree",
        policy.source().path(),
        policy.revision()
    );
    if let Some(snapshot) = registered.snapshot() {
        anstream::println!("  = note: {}", snapshot.describe());
    }
    Ok(Verdict::Good)
}
