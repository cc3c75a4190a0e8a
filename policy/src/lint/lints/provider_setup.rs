use super::prelude::*;
use crate::{
    ProviderSettings,
    provider::{AudienceIn, Tokens},
};

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
        "[server]\nurl = \"http://localhost:3002/mcp\"\nprovider = \"google\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    good: Example::new(
        &[READER],
        "[server]\nurl = \"http://localhost:3002/mcp\"\nprovider = \"google\"\naudience = \"1.apps.googleusercontent.com\"\nregistered = [\"todo:read\"]\n[scopes]\n\"todo:read\" = \"See your todos\"\n[tools]\nlist_todos = { read = \"todo\" }",
    ),
    check,
};

fn check(context: &LintContext<'_>, report: &mut LintReport) {
    let at = || context.manifest.server.span();
    let mut push = |message: String, help: &str| {
        report.push(PolicyEntry::File, finding(&LINT, at(), message).help(help));
    };
    let main = context.policy.provider_settings();
    let url = context.policy.resource();
    if main.provider().is_embedded() && !url.is_loopback() {
        push(
            format!("the embedded issuer serves this machine only, and {url} is not on it"),
            "name a provider, or write a URL on localhost and set MCP_URL where the server runs",
        );
    }
    let mut seen: HashSet<&str> = HashSet::new();
    let mut opaque = 0;
    for settings in std::iter::once(main).chain(context.policy.also()) {
        let Some(preset) = settings.provider().preset() else { continue };
        let needs_client = preset.audience == AudienceIn::ClientId || preset.tokens != Tokens::Jwt;
        if needs_client && settings.audiences().is_empty() {
            push(
                format!(
                    "provider = \"{}\" needs the id of the OAuth client that its tokens are for",
                    preset.word
                ),
                "write it as `audience = \"…\"` beside it",
            );
        }
        if let Some(issuer) = issuer(settings).filter(|issuer| !seen.insert(issuer)) {
            push(
                format!("two providers have the issuer {issuer}"),
                "remove one of them; for several audiences of one issuer, write `audience` as a list",
            );
        }
        opaque += usize::from(settings.is_opaque() || preset.tokens != Tokens::Jwt);
    }
    if opaque > 1 {
        push(
            "two providers have opaque tokens".to_owned(),
            "remove one of them, because a token would have to be shown to both",
        );
    }
}

fn issuer(settings: &ProviderSettings) -> Option<&str> {
    settings.issuer().or(settings.provider().preset()?.fixed_issuer)
}
