use super::prelude::*;
use crate::condition::Fault;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW008",
        "wrong-condition",
        "A condition asks for an argument or a claim that does not exist, or compares values that are never equal.",
    ),
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "A condition that cannot be evaluated counts as met, so that a misspelt argument gives \
          nobody access. But then every caller needs the further scopes. A literal that the schema never \
          allows, such as a misspelt word of an enum, is worse: the condition is never met, and no \
          call needs the further scopes. The names and types are those of the JSON Schema of the \
          arguments, and those of `[claims]` if the policy lists claims.",
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
    for (entry, when, fault) in context.condition_faults() {
        let Fault::Wrong(fault) = fault else { continue };
        let name = &*entry.name.value;
        let error = context.condition_finding(&LINT, when, fault);
        let error = match context.declared(entry.feature, name) {
            Some(declared) => {
                error.note(format!("`{name}` is declared at {}", declared.location()))
            }
            None => error,
        };
        report.push(PolicyEntry::Rule(entry.feature, name), error);
    }
}
