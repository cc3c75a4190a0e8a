//! The commands `resource …`, about the scopes that are registered for the resource.

use std::{collections::BTreeSet, path::PathBuf};

use super::{Deployment, Failure, Verdict, files, runtime::block_on};
use crate::{
    identity::provider::{RegisteredError, pull},
    policy::{Snapshot, diagnostic::counted},
    remote::Remote,
    serve::startup,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum ResourceCommand {
    /// Ask the authorization server for the registered scopes, and write the snapshot
    Pull(PullArguments),
    /// Show the registered scopes, their source, and whether the snapshot still agrees
    Status,
}

#[derive(Debug, clap::Args)]
pub(super) struct PullArguments {
    /// The authorization server; by default the one that the running server names
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The file to write, in place of registered-scopes.toml beside the policy
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(command: &ResourceCommand, deployment: &Deployment) -> Result<Verdict, Failure> {
    match command {
        ResourceCommand::Pull(arguments) => pull_now(arguments, deployment),
        ResourceCommand::Status => status(deployment),
    }
}

/// Prints the registered scopes. The verdict is good when the snapshot agrees with the provider,
/// and bad when it differs or no source of registered scopes exists.
fn status(deployment: &Deployment) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    let list = |scopes: Vec<&str>| match scopes.len() {
        0 => "none".to_owned(),
        _ => scopes.join(", "),
    };
    if policy.registered_at().is_some() {
        let scopes = policy.registered_scopes().map(|scope| scope.name().as_str()).collect();
        outln!("{} says `registered`: {}", policy.source().path(), list(scopes));
    }
    let Some(configured) = startup::configured(deployment, &policy)?.main else {
        outln!("The embedded issuer registers the scopes of the policy.");
        return Ok(Verdict::Good);
    };
    let live =
        block_on(async { configured.registered(&Remote::default(), policy.resource()).await })?;
    match &live {
        Ok(live) => outln!(
            "{} has registered: {}",
            configured.authorization_server(),
            list(live.scopes().collect())
        ),
        Err(error) => outln!("The provider does not say: {error}"),
    }
    let snapshot = deployment.snapshot(None)?;
    let Some(snapshot) = snapshot else {
        outln!("There is no {}.", Snapshot::FILE);
        return Ok(Verdict::of(live.is_ok() || policy.registered_at().is_some()));
    };
    outln!("{}: {}", snapshot.describe(), list(snapshot.scopes().collect()));
    let Ok(live) = live else { return Ok(Verdict::Good) };
    let set = |snapshot: &Snapshot| snapshot.scopes().map(str::to_owned).collect::<BTreeSet<_>>();
    if set(&live) == set(&snapshot) {
        outln!("They agree.");
        return Ok(Verdict::Good);
    }
    outln!("They differ: run `resource pull`, and commit the file.");
    Ok(Verdict::Bad)
}

fn pull_now(arguments: &PullArguments, deployment: &Deployment) -> Result<Verdict, Failure> {
    let policy = deployment.compile()?;
    let configured = startup::configured(deployment, &policy)?.main;
    let pulled = block_on(async {
        match (&arguments.issuer, configured) {
            (None, Some(configured)) => {
                configured.registered(&Remote::default(), policy.resource()).await
            }
            (issuer, _) => {
                Ok(pull::pull(policy.resource(), policy.provider(), issuer.as_deref()).await?)
            }
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
    outln!(
        "{}: {} registered: {}",
        path.display(),
        counted(names.len(), "scope"),
        names.join(", ")
    );
    Ok(Verdict::Good)
}
