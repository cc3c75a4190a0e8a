use std::collections::BTreeSet;

use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW001",
        "tool-without-policy",
        "A tool, resource or prompt is annotated, and the policy has no rule for it.",
    ),
    severity: Severity::Error,
    stage: Stage::Draft,
    why: "Without a rule nobody can use it. Add one that needs at least the scopes that its author \
          declared.",
    bad: Example::new(&[WRITER], "[tools]"),
    good: Example::new(
        &[WRITER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ncreate_todo = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for feature in Feature::ALL {
        let missing = without_rule(context, feature);
        if !missing.is_empty() {
            report.push(PolicyEntry::File, one_finding(context, feature, &missing));
        }
    }
}

/// The declarations of a feature that have no rule, and whose rule is not reported as a mistake: in a
/// wrong table, under a misspelt name, or unreadable.
pub(super) fn without_rule(
    context: &LintContext<'_>,
    feature: Feature,
) -> Vec<&'static Declaration> {
    // The rules stand in a table with a misspelt name.
    if context.manifest.misspelt_tables.contains(&feature.table()) {
        return vec![];
    }
    let unreadable: HashSet<&str> = context
        .unreadable
        .iter()
        .filter(|(other, _)| *other == feature)
        .map(|(_, name)| name.value.as_str())
        .collect();
    let misplaced: HashSet<&str> =
        context.manifest.misplaced.iter().map(|(_, name)| name.as_str()).collect();
    let meant: HashSet<&str> = super::unknown_tool::unknown(context)
        .iter()
        .filter_map(|unknown| unknown.meant)
        .filter(|meant| meant.feature() == feature)
        .map(Declaration::name)
        .collect();
    let is_reported = |name: &str| {
        [&unreadable, &misplaced, &meant].iter().any(|reported| reported.contains(name))
    };
    context
        .registry
        .of(feature)
        .filter(|one| {
            context.policy.rule(feature, one.name()).is_none() && !is_reported(one.name())
        })
        .collect()
}

/// All that have no rule in one finding, because they have one cause.
fn one_finding(
    context: &LintContext<'_>,
    feature: Feature,
    missing: &[&'static Declaration],
) -> Diagnostic {
    let (table, verb) = (feature.table(), feature.verb());
    let message = match missing {
        [one] => format!(
            "`[{table}]` has no rule for the {feature} `{}`, so nobody could {verb} it",
            one.name()
        ),
        several => format!(
            "`[{table}]` has no rule for {} {table}, so nobody could {verb} them: {}",
            several.len(),
            in_backticks(several.iter().map(|one| one.name()))
        ),
    };
    let mut error = finding(&LINT, context.policy.table_at(feature), message);
    for one in missing {
        error = error.note(format!("`{}` is declared at {}", one.name(), one.location()));
    }
    let rules: Vec<(&str, String)> =
        missing.iter().map(|one| (one.name(), rule(context, one))).collect();
    let scopes = undefined(context, missing);
    let lines = rules.iter().map(|(name, rule)| format!("{} = {rule}", toml_key(name)));
    let lines: Vec<String> = lines.collect();
    let mut help = match lines.as_slice() {
        [one] => format!("add it: `{one}`"),
        several => format!("add them below `[{table}]`:\n{}", several.join("\n")),
    };
    if !scopes.is_empty() {
        let lines =
            scopes.iter().map(|scope| format!("{} = \"{}\"", toml_key(scope), title_for(scope)));
        help +=
            &format!("\nand define below `[scopes]`:\n{}", lines.collect::<Vec<_>>().join("\n"));
    }
    let needed = missing.iter().flat_map(|one| needed(context, one));
    let needed: BTreeSet<&str> = needed.chain(scopes.iter().copied()).collect();
    if let Some(register) = context.registration(needed) {
        help += &format!("\nand {register}");
    }
    // A scope that may be misspelt in the code is not written into the policy.
    if missing.iter().any(|one| super::undeclared_scope::may_be_misspelt(context, one)) {
        return error.help(help);
    }
    let title = if rules.len() == 1 { "write the rule" } else { "write the rules" };
    let mut fix = Fix { title: title.to_owned(), edits: vec![] };
    for scope in &scopes {
        let title = toml_edit::Value::from(title_for(scope)).to_string();
        fix = fix.and(vec!["scopes".into(), (*scope).into()], Change::Insert(title));
    }
    for (name, rule) in rules {
        fix = fix.and(vec![table.into(), name.into()], Change::Insert(rule));
    }
    error.help(help).fix(fix)
}

/// The rule that asks for what was declared.
fn rule(context: &LintContext<'_>, one: &'static Declaration) -> String {
    let needed = needed(context, one);
    if needed.is_empty() { rule_as_declared(one) } else { rule_for(&needed) }
}

/// The declared scopes that a rule has to name: without those that another one implies, and with the
/// defined one in place of one that may be misspelt.
fn needed<'t>(context: &'t LintContext<'_>, one: &'static Declaration) -> Vec<&'t str> {
    let scopes: Vec<&str> = one
        .scopes()
        .iter()
        .map(|scope| super::undeclared_scope::meant(context, scope).unwrap_or(scope))
        .collect();
    let implies = |by: &str, scope: &str| {
        let ids = (context.policy.scope_id(by), context.policy.scope_id(scope));
        let (Some(by), Some(scope)) = ids else { return false };
        by != scope && context.policy.scope(by).closure.contains(scope)
    };
    let is_needed = |scope: &&str| !scopes.iter().any(|by| implies(by, scope));
    let mut needed: Vec<&str> = scopes.iter().copied().filter(is_needed).collect();
    let mut seen = HashSet::new();
    needed.retain(|scope| seen.insert(*scope));
    needed
}

/// The scopes that these declare, and that `[scopes]` does not define.
fn undefined(context: &LintContext<'_>, missing: &[&'static Declaration]) -> Vec<&'static str> {
    let declared =
        missing.iter().flat_map(|one| one.scopes().iter().chain(one.optional()).copied());
    let mut undefined: Vec<&str> = vec![];
    let mut seen = HashSet::new();
    for scope in declared {
        let is_known = context.policy.scope_id(scope).is_some()
            || super::undeclared_scope::meant(context, scope).is_some();
        if !is_known && seen.insert(scope) {
            undefined.push(scope);
        }
    }
    undefined
}
