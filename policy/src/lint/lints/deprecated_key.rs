use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new("SW024", "deprecated-key", "A key or a table is written under a former name."),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The former name is still read, but a later version of the format will refuse it. If both \
          names of a key are there, the new one counts; both names of a table are a mistake.",
    bad: Example::new(
        &[READER],
        "[resource]\nurl = \"http://localhost:3002/mcp\"\ncheck = \"enforce\"\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nstartup_check = \"enforce\"\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    for replaced in &context.manifest.former_names {
        let shown =
            |name: &str| if replaced.is_table { format!("[{name}]") } else { name.to_owned() };
        let (name, by) = (shown(replaced.name), shown(replaced.by));
        let (title, change) = if replaced.is_both {
            (format!("remove `{name}`: `{by}` counts"), Change::Remove)
        } else {
            (format!("write `{by}`"), Change::Rename(replaced.by))
        };
        report.push(
            PolicyEntry::File,
            finding(&LINT, replaced.span.clone(), format!("`{name}` is called `{by}` now"))
                .fix(Fix::new(title, replaced.path.clone(), change)),
        );
    }
}
