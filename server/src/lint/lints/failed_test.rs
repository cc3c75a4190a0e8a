use super::prelude::*;

pub(crate) static FAILED_TEST: Lint = Lint {
    kind: Kind::new(
        "SW006",
        "failed-test",
        "A `[[test]]` of the policy says otherwise than its rules.",
    ),
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

fn check(subject: &Subject<'_>, report: &mut Report) {
    for case in &subject.assertions.cases {
        for failure in verify::case(case, subject.policy) {
            report.push(Entry::File, failure);
        }
    }
}
