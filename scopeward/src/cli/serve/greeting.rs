//! The greeting of a server on standard output: its URL, its rules and a command to try.

use std::net::SocketAddr;

use crate::{cli::policy::table, policy::Registry, serve::Guarded};

/// The text of the greeting: the server's URL, policy and provider, the table of rules, and a
/// command to try.
pub(super) fn greeting(
    (name, version): (&str, &str),
    registry: &Registry,
    guarded: &Guarded,
    health: Option<SocketAddr>,
) -> String {
    let policy = &*guarded.policy().current();
    let (providers, registered) = (guarded.providers(), guarded.registered());
    let provider = match policy.provider().preset() {
        None => "embedded issuer: development sign-in, this machine only".to_owned(),
        Some(preset) => format!("{}: {}", preset.title, providers.urls().join(", ")),
    };
    let scopes = registered
        .snapshot()
        .map_or_else(String::new, |snapshot| format!("  Scopes    {}\n", snapshot.describe()));
    let health =
        health.map_or_else(String::new, |address| format!("  Health    http://{address}/health\n"));
    let program = if std::env::var_os("CARGO").is_some() {
        "cargo run -q --".to_owned()
    } else {
        std::env::args().next().unwrap_or_else(|| name.to_owned())
    };
    let scope = policy.sign_in_scopes().next().map_or("", |scope| scope.as_str());
    let trial = if policy.provider().is_embedded() {
        format!(", or try:\n\n  {program} token --scope \"{scope}\"")
    } else {
        ".".to_owned()
    };
    format!(
        "\n{name} {version}, guarded by Scopeward\n\n  \
         URL       {url}\n  \
         Policy    {path} (revision {revision})\n  \
         Provider  {provider}\n{scopes}{health}\n\
         {table}\n\
         Connect an MCP client to the URL and sign in{trial}\n\n",
        url = policy.resource(),
        path = policy.source().path(),
        revision = policy.revision(),
        table = table(policy, registry),
    )
}
