use super::prelude::*;
use crate::condition::Fault;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW008",
        "wrong-condition",
        "A condition asks for an argument that does not exist, or compares values that are never equal.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "A condition that cannot be evaluated counts as met, so that a misspelt argument gives \
          nobody access. But then every caller needs the further scopes. The names and types are \
          those of the JSON Schema of the arguments.",
    bad: Example::new(
        &[UPDATER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n\"todo:close\" = \"Close todos\"\n[tools]\nupdate_todo = { write = \"todo\", when = [{ if = \"args.doen == true\", all_of = [\"todo:close\"] }] }",
    ),
    good: Example::new(
        &[UPDATER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n\"todo:close\" = \"Close todos\"\n[tools]\nupdate_todo = { write = \"todo\", when = [{ if = \"has(args.done) && args.done\", all_of = [\"todo:close\"] }] }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for (declared, when, fault) in context.condition_faults() {
        let Fault::Wrong(message) = fault else { continue };
        let error = finding(&LINT, when.span.clone(), message);
        let note = format!("`{}` is declared at {}", declared.name(), declared.location());
        report.push(PolicyEntry::Rule(declared.feature(), declared.name()), error.note(note));
    }
}
