use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new("SW014", "stale-allow", "`allow` silences a finding that is not there."),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The finding that the reason excused is gone. If the `allow` stays, it hides the next \
          finding of this kind.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\", allow = { admin-for-reading = \"only admins see lists\" } }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = \"Administer\"\n[tools]\nlist_todos = { all_of = [\"todo:read\", \"admin:access\"], allow = { admin-for-reading = \"only admins see lists\" } }",
    ),
    // Runs last, because it is about the findings of all others.
    check: |_, report| report.stale_allowances(&LINT),
};
