//! The command `policy show`: each tool, resource and prompt with its requirement and the line of
//! its rule.

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{CompiledPolicy, Feature},
};

pub(super) fn show(deployment: &Deployment) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    anstream::print!("{}", table(&policy));
    Ok(Verdict::Good)
}

/// The table of all rules, with a heading for tools, one for resources and one for prompts.
pub(in crate::cli) fn table(policy: &CompiledPolicy) -> String {
    let mut rules: Vec<_> = policy.rules().collect();
    rules.sort_by_key(|(feature, _, rule)| (*feature, rule.span().start));
    let mut rows: Vec<[String; 3]> = vec![];
    for feature in Feature::ALL {
        let of = rules.iter().filter(|(other, ..)| *other == feature);
        for (number, (_, name, rule)) in of.enumerate() {
            if number == 0 {
                if !rows.is_empty() {
                    rows.push(Default::default());
                }
                rows.push([feature.word(), "needs", "rule"].map(str::to_owned));
            }
            let place = |at: usize| policy.source().place(at);
            rows.push([(*name).to_owned(), policy.needs(rule), place(rule.span().start)]);
            for when in policy.conditional_needs(rule) {
                let condition = format!("  when {}", when.condition);
                rows.push([condition, format!("and {}", when.needs), place(when.span.start)]);
            }
        }
    }
    if rows.is_empty() {
        rows.push(["tool", "needs", "rule"].map(str::to_owned));
    }
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(0), width(1));
    rows.iter()
        .map(|[name, needs, place]| format!("  {name:first$}  {needs:second$}  {place}"))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
