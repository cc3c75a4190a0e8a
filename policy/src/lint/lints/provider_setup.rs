use super::prelude::*;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW035",
        "provider-setup",
        "`[server]` describes its providers in a way in which no server starts.",
    ),
    severity: Severity::Error,
    stage: Stage::Advice,
    why: "The server would refuse to start: a token can only be checked if one provider is \
          responsible for it and its audience is known, and the embedded issuer lets anyone sign in \
          under any name, so it serves loopback only.",
    bad: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nprovider = \"cognito\"\nissuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_1\"\nscope_prefix = \"todos/\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nprovider = \"cognito\"\nissuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_1\"\nscope_prefix = \"todos/\"\naudience = \"6a7b8c9d\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let faults = context.deployed.faults(context.policy);
    // A variable that is missing here may be set where the server runs.
    for fault in faults.iter().filter(|fault| fault.missing_variable().is_none()) {
        report.push(PolicyEntry::File, context.provider_finding(&LINT, fault));
    }
}
