use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: verify::BROKEN_INVARIANT,
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "An invariant is proved over all sets of scopes, at start and at every reload. The \
          finding names a counterexample: scopes with which it breaks.",
    bad: Example::new(
        &[DELETER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n\"admin:access\" = \"Everything\"\n[tools]\ndelete_todo = { any_of = [\"todo:write\", \"admin:access\"], relax = \"admins may\" }\n[[invariant]]\nname = \"nothing destructive without todo:write\"\ntools = \"destructive\"\nneeds = { write = \"todo\" }",
    ),
    good: Example::new(
        &[DELETER],
        "[scopes]\n\"todo:write\" = \"Change your todos\"\n[tools]\ndelete_todo = { write = \"todo\" }\n[[invariant]]\nname = \"nothing destructive without todo:write\"\ntools = \"destructive\"\nneeds = { write = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for invariant in &context.assertions.invariants {
        let declared = (context.registry, &context.declared);
        for failure in verify::invariant(invariant, context.policy, declared, &context.effort) {
            report.push(PolicyEntry::File, failure);
        }
    }
}
