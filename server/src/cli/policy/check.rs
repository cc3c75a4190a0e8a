//! `policy check`: the startup check without serving.

use crate::{
    cli::{Deployment, Failure, Verdict},
    registry::Registry,
};

pub(super) fn check(deployment: &Deployment, registry: &Registry) -> Result<Verdict, Failure> {
    let policy = deployment.checked(registry)?;
    let tools = policy.tools().count();
    anstream::println!(
        "{} (revision {}): {tools} tools; the tools, the policy and the registered scopes agree",
        policy.source().path(),
        policy.revision()
    );
    Ok(Verdict::Good)
}
