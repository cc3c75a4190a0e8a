use super::prelude::*;
use crate::provider::Setup;

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
          for begin with that URL: make it the Application ID URI of the API. Auth0's issuer ends in a \
          slash, Entra's in `/v2.0`, and Keycloak's has `/realms/` in it.",
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
    let policy = context.policy;
    for settings in std::iter::once(policy.provider_settings()).chain(policy.also()) {
        for (message, help) in settings.doubts(policy.resource().as_str()) {
            let warning = finding(&LINT, context.manifest.server.span(), message).help(help);
            report.push(PolicyEntry::File, warning);
        }
        let has_none = settings.issuer().is_none();
        let preset = settings.provider().preset();
        let needs_one = preset
            .filter(|preset| preset.setup == Setup::ByIssuer && preset.fixed_issuer.is_none());
        if let Some(preset) = needs_one.filter(|_| has_none) {
            let message = format!("provider = \"{}\" needs its issuer", preset.word);
            let help = format!(
                "write `issuer = \"…\"` beside it: {}; or set ISSUER_URL where the server runs",
                preset.issuer
            );
            let warning = finding(&LINT, context.manifest.server.span(), message).help(help);
            report.push(PolicyEntry::File, warning);
        }
    }
}
