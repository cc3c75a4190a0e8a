use super::prelude::*;
use crate::Snapshot;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new("SW025", "old-snapshot", "The snapshot of the registered scopes is old."),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The registration may have changed since, so a policy that agrees with the snapshot may \
          disagree with the authorization server. `snapshot_days` in `[server]` says when a \
          snapshot counts as old; `resource pull` takes a new one.",
    bad: Example::new(&[READER], "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }")
        .with_snapshot("version = 1\nresource = \"http://localhost:3002/mcp\"\nissuer = \"http://localhost:3002\"\npulled_at = \"2026-01-01T00:00:00Z\"\nscopes = [\"todo:read\"]"),
    good: Example::new(&[READER], "[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }")
        .with_snapshot("version = 1\nresource = \"http://localhost:3002/mcp\"\nissuer = \"http://localhost:3002\"\npulled_at = \"2026-10-01T00:00:00Z\"\nscopes = [\"todo:read\"]"),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let Some(snapshot) = context.snapshot else { return without_one(context, report) };
    let days = snapshot.age_in_days(context.now);
    let limit = i64::from(context.policy.snapshot_days());
    if days <= limit {
        return;
    }
    let at = context.manifest.server.span();
    report.push(
        PolicyEntry::File,
        finding(
            &LINT,
            at,
            format!("the registered scopes were looked up {} ago", counted(days, "day")),
        )
        .note(snapshot.describe())
        .help(format!(
            "run `resource pull`, and commit the file; more than {} count as old",
            counted(limit, "day")
        )),
    );
}

/// Reports `snapshot_days` where there is no snapshot that could grow old.
fn without_one(context: &LintContext<'_>, report: &mut LintReport) {
    if context.manifest.server.snapshot_days.is_none() {
        return;
    }
    let message =
        format!("`snapshot_days` is about a snapshot, and there is no {}", Snapshot::FILE);
    report.push(
        PolicyEntry::File,
        finding(&LINT, context.manifest.server.span(), message)
            .help("run `resource pull`, and commit the file; or remove `snapshot_days`"),
    );
}
