//! The command `token`, which prints an access token of the embedded issuer.

use std::sync::Arc;

use super::{
    Deployment, Failure, Verdict,
    scopes::{advice, joined},
};
use crate::{
    issuer::Issuer,
    live::LivePolicy,
    policy::{Scope, diagnostic::nearest},
};

#[derive(Debug, clap::Args)]
pub(super) struct TokenArguments {
    /// The scopes to grant, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    scope: String,
    /// The subject of the token
    #[arg(long, value_name = "NAME", default_value = "developer")]
    subject: String,
}

/// Prints a token and nothing else to standard output, so that a shell can use the output.
pub(super) fn token(
    deployment: &Deployment,
    name: &str,
    arguments: &TokenArguments,
) -> Result<Verdict, Failure> {
    let policy = Arc::new(deployment.compile()?);
    if !policy.provider().is_embedded() {
        return Err(Failure::refused(format!(
            "only the embedded issuer's tokens can be made here, and the provider is \"{}\"",
            policy.provider().as_str()
        )));
    }
    let issuer = Issuer::open(&deployment.data, LivePolicy::unserved(policy), name)
        .map_err(Failure::refused)?;
    let words = arguments.scope.split_whitespace();
    let scopes = words
        .map(|word| registered(&issuer, word, &arguments.scope))
        .collect::<Result<Vec<_>, _>>()?;
    let token =
        issuer.sign(&arguments.subject, "scopeward-token", &scopes).map_err(Failure::failed)?;
    outln!("{token}");
    Ok(Verdict::Good)
}

/// The scope `word` of `text`, all of the option.
fn registered(issuer: &Issuer, word: &str, text: &str) -> Result<Scope, Failure> {
    let known = issuer.registered();
    if let Some(scope) = known.iter().find(|scope| scope.as_str() == word) {
        return Ok(scope.clone());
    }
    let is_known = |name: &str| known.iter().any(|scope| scope.as_str() == name);
    if joined(word, is_known).is_some() {
        return Err(Failure::refused(advice(word, ("--scope", text), is_known)));
    }
    let names = known.iter().map(Scope::as_str);
    let help = match nearest(word, names.clone()) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("registered scopes: {}", names.collect::<Vec<_>>().join(", ")),
    };
    Err(Failure::refused(format!(
        "the scope `{word}` is not registered for this resource\n  = help: {help}"
    )))
}
