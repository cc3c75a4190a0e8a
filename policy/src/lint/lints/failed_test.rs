use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: verify::FAILED_TEST,
    severity: Severity::Error,
    stage: Stage::Agreement,
    why: "A test says what a caller with some scopes can and cannot call. One of the two is \
          wrong: the rule, or the test. Tests are checked at start and at every reload, so an edit \
          that would lock somebody out is refused.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n[tools]\nlist_todos = { all_of = [\"todo:read\", \"todo:write\"] }\n[[test]]\nscopes = [\"todo:read\"]\ncan = [\"list_todos\"]",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }\n[[test]]\nscopes = [\"todo:read\"]\ncan = [\"list_todos\"]",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for case in &context.assertions.cases {
        for failure in verify::case(case, context.policy, &context.declared) {
            report.push(PolicyEntry::File, failure);
        }
    }
}
