//! `policy show`: each tool, what it needs, and where its rule stands.

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::CompiledPolicy,
};

pub(super) fn show(deployment: &Deployment) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    anstream::print!("{}", table(&policy));
    Ok(Verdict::Good)
}

/// The table of tools, in columns.
pub(in crate::cli) fn table(policy: &CompiledPolicy) -> String {
    let mut rules: Vec<_> = policy.tools().collect();
    rules.sort_by_key(|(_, rule)| rule.span().start);
    let header = ["tool", "needs", "rule"].map(str::to_owned);
    let rows = rules.iter().map(|(name, rule)| {
        let place = policy.source().place(rule.span().start);
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
