use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new("SW014", "stale-allow", "`allow` silences a finding that is not there."),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The reason has outlived what it excused. Left there, it would hide the next finding of \
          this kind.",
    bad: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\", allow = { admin-for-reading = \"only admins see lists\" } }",
    ),
    good: Example::new(
        &[READER],
        "[scopes]\n\"todo:read\" = \"See your todos\"\n\"admin:access\" = \"Administer\"\n[tools]\nlist_todos = { all_of = [\"todo:read\", \"admin:access\"], allow = { admin-for-reading = \"only admins see lists\" } }",
    ),
    // Asked after all others, because it is about what they found.
    check: |_, report| report.stale_allowances(&LINT),
};
