//! `resource …`: the scopes registered for the resource.

use std::path::PathBuf;

use super::{Deployment, Failure, Verdict, files, provider};
use crate::{
    provider::RegisteredError,
    remote::Remote,
    resource::{Snapshot, pull},
};

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
    let connection = provider::connection(&policy)?;
    let pulled = provider::block_on(async {
        match (&arguments.issuer, connection) {
            (None, Some(connection)) => {
                connection.registered(&Remote::new()?, policy.resource()).await
            }
            (issuer, _) => Ok(pull(policy.resource(), issuer.as_deref()).await?),
        }
    })?;
    let snapshot = pulled.map_err(|error: RegisteredError| {
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
