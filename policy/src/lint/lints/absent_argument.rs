use super::prelude::*;
use crate::condition::{ConditionFault, Fault};

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW009",
        "absent-argument",
        "A condition asks for an argument that may be left out.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "Without the argument the condition cannot be evaluated, and counts as met. So a call \
          without the argument needs the further scopes too. Ask with `has(…)` first.",
    bad: Example::new(
        &[UPDATER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n\"todo:close\" = \"Close todos\"\n[tools]\nupdate_todo = { write = \"todo\", when = [{ if = \"args.done\", all_of = [\"todo:close\"] }] }",
    ),
    good: Example::new(
        &[UPDATER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n\"todo:close\" = \"Close todos\"\n[tools]\nupdate_todo = { write = \"todo\", when = [{ if = \"has(args.done) && args.done\", all_of = [\"todo:close\"] }] }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (entry, when, fault) in context.condition_faults() {
        let Fault::MayBeAbsent(path, at) = fault else { continue };
        let message = format!("`{path}` may be left out, and the condition counts as met then");
        let fault = ConditionFault::new(at, message)
            .help(format!("begin with `has({path}) &&`, or with `!has({path}) ||`"));
        let warning = context.condition_finding(&LINT, when, fault);
        report.push(PolicyEntry::Rule(entry.feature, &entry.name.value), warning);
    }
}
