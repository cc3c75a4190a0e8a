//! The command `policy check`: the startup check without serving.

use crate::{
    cli::{
        Deployment, Failure, Verdict,
        startup::{self, Served},
    },
    policy::Registry,
};

pub(super) fn check(deployment: &Deployment, registry: &Registry) -> Result<Verdict, Failure> {
    let Served { policy, registered, .. } = startup::checked(deployment, registry)?;
    let rules = policy.rules().count();
    anstream::println!(
        "{} (revision {}): {rules} rules; the tools, the policy and the registered scopes agree",
        policy.source().path(),
        policy.revision()
    );
    if let Some(snapshot) = registered.snapshot() {
        anstream::println!("  = note: {}", snapshot.describe());
    }
    Ok(Verdict::Good)
}
