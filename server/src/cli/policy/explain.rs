//! `policy explain`: whether a caller may call a tool, why, and what is missing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cli::{Deployment, Failure, Verdict, files::read_token, provider},
    diagnostic::nearest,
    explain::Explanation,
    policy::{CompiledPolicy, Scope},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExplainArguments {
    /// The tool
    #[arg(long, value_name = "TOOL")]
    tool: String,
    /// The scopes that the caller was granted, separated by spaces
    #[arg(long, value_name = "SCOPES", required_unless_present = "token")]
    scopes: Option<String>,
    /// A file with the caller's access token; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "scopes")]
    token: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn explain(
    deployment: &Deployment,
    name: &str,
    arguments: &ExplainArguments,
) -> Result<Verdict, Failure> {
    let policy = Arc::new(deployment.compile()?);
    let granted = match (&arguments.token, &arguments.scopes) {
        (Some(file), _) => scopes_of_token(file, deployment, &policy, name)?,
        (None, scopes) => {
            let words = scopes.as_deref().unwrap_or_default().split_whitespace();
            let parsed = words.map(|word| {
                Scope::parse(word).map_err(|error| Failure::refused(format!("`{word}`: {error}")))
            });
            parsed.collect::<Result<_, _>>()?
        }
    };
    if policy.rule(&arguments.tool).is_none()
        && let Some(right) = nearest(&arguments.tool, policy.tools().map(|(tool, _)| tool))
    {
        anstream::eprintln!(
            "the policy has no rule for `{}`: did you mean `{right}`?",
            arguments.tool
        );
    }
    let explanation = Explanation::new(&policy, &arguments.tool, granted);
    match arguments.format {
        Format::Text => anstream::print!("{}", explanation.text()),
        Format::Json => print!("{}", explanation.json()),
    }
    Ok(Verdict::of(explanation.is_allowed()))
}

/// The scopes of a token that the server would accept, checked by the server's own validator.
fn scopes_of_token(
    file: &Path,
    deployment: &Deployment,
    policy: &Arc<CompiledPolicy>,
    name: &str,
) -> Result<Vec<Scope>, Failure> {
    let text = read_token(file)?;
    let connections = provider::connections(policy)?;
    let token = provider::block_on(async {
        let authority = provider::authority(deployment, &connections, policy, name)?;
        authority.tried().await;
        Ok(authority.validator().authenticate(&text).await)
    })??;
    let token = token.map_err(|error| {
        Failure::refused(format!("the server would not accept this token: {error}"))
    })?;
    Ok(token.scopes().to_vec())
}
