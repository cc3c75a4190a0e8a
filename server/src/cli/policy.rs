//! `policy check` and `policy show`.

use super::{Deployment, Failure};
use crate::{policy::CompiledPolicy, registry::Registry};

/// The startup check without serving.
pub(super) fn check(deployment: &Deployment, registry: &Registry) -> Result<(), Failure> {
    let policy = deployment.checked(registry)?;
    let tools = policy.tools().count();
    anstream::println!(
        "{} (revision {}): {tools} tools; the tools, the policy and the registered scopes agree",
        policy.source().path(),
        policy.revision()
    );
    Ok(())
}

/// The table of tools.
pub(super) fn show(deployment: &Deployment) -> Result<(), Failure> {
    let policy = deployment.compile()?;
    anstream::print!("{}", table(&policy));
    Ok(())
}

/// Each tool, what it needs, and where its rule stands, in columns.
pub(super) fn table(policy: &CompiledPolicy) -> String {
    let mut rules: Vec<_> = policy.tools().collect();
    rules.sort_by_key(|(_, rule)| rule.span().start);
    let header = ["tool", "needs", "rule"].map(str::to_owned);
    let rows = rules.iter().map(|(name, rule)| {
        let (line, column) = policy.source().position(rule.span().start);
        let place = format!("{}:{line}:{column}", policy.source().path());
        [(*name).to_owned(), policy.describe(rule), place]
    });
    let rows: Vec<[String; 3]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(0), width(1));
    rows.iter()
        .map(|[name, needs, place]| format!("  {name:first$}  {needs:second$}  {place}\n"))
        .collect()
}
