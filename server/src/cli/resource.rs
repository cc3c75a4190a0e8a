//! `resource …`: the scopes registered for the resource.

use std::path::PathBuf;

use super::{Deployment, Failure, Verdict, files};
use crate::resource::{Snapshot, pull};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ResourceCommand {
    /// Ask the authorization server which scopes are registered, and keep the answer for the lint
    Pull(PullArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct PullArguments {
    /// The authorization server; unless written, the running server says who it is
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The file to write, in place of registered-scopes.toml beside the policy
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(command: &ResourceCommand, deployment: &Deployment) -> Result<Verdict, Failure> {
    let ResourceCommand::Pull(arguments) = command;
    let policy = deployment.compile()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let pulled = pull(policy.resource(), arguments.issuer.as_deref());
    let snapshot = runtime.block_on(pulled).map_err(|error| {
        Failure::failed(format!(
            "{error}\n  = help: start the server, or name the authorization server with --issuer"
        ))
    })?;
    let beside = || deployment.policy_path().with_file_name(Snapshot::FILE);
    let path = arguments.output.clone().unwrap_or_else(beside);
    files::replace(&path, &snapshot.to_toml())?;
    let names: Vec<&str> = snapshot.scopes().collect();
    anstream::println!(
        "{}: {} scopes registered: {}",
        path.display(),
        names.len(),
        names.join(", ")
    );
    Ok(Verdict::Good)
}
