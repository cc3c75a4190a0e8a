use super::prelude::*;
use crate::served::ISSUER_URL;

pub(in crate::lint) static LINT: Lint = Lint {
    kind: Kind::new(
        "SW036",
        "provider-sign-in",
        "The settings of a provider do not fit what is known of it: nobody can sign in.",
    ),
    severity: Severity::Warning,
    stage: Stage::Advice,
    why: "The server starts, and then no client gets a token. Entra answers AADSTS9010010 to clients \
          of MCP, which name the server's URL as `resource` (RFC 8707), unless the scopes that they ask \
          for begin with that URL: make it the Application ID URI of the API. Okta's org authorization \
          server and Google have no scopes of one's own (invalid_scope), and Cognito's begin with the \
          identifier of a resource server. Auth0's issuer ends in a slash, Entra's in `/v2.0`, and \
          Keycloak's has `/realms/` in it. Beside a `.env`, variables that are not set are reported as \
          well, because the server would run there.",
    bad: Example::new(
        &[READER],
        "[server]\nurl = \"https://todos.example.com/mcp\"\nprovider = \"entra\"\nissuer = \"https://login.microsoftonline.com/t/v2.0\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[server]\nurl = \"https://todos.example.com/mcp\"\nprovider = \"entra\"\nissuer = \"https://login.microsoftonline.com/t/v2.0\"\nscope_prefix = \"https://todos.example.com/mcp/\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let (policy, deployed) = (context.policy, context.deployed);
    let doubts = policy.provider_doubts(deployed.variable());
    // A policy need not name the issuer, and somebody has to. Whether another variable is set can only be
    // known where the server runs.
    let faults = deployed.faults(policy).into_iter().filter(|fault| {
        let missing = fault.missing_variable();
        missing == Some(ISSUER_URL) || missing.is_some() && deployed.is_here()
    });
    let secrets = deployed.is_here().then(|| policy.unset_secrets(deployed.variable()));
    for doubt in doubts.into_iter().chain(faults).chain(secrets.into_iter().flatten()) {
        report.push(PolicyEntry::File, context.provider_finding(&LINT, &doubt));
    }
}
