//! Reaches the provider that the policy names: who it is, and which scopes it has registered.

use super::{Deployment, Environment, Failure, Verdict};
use crate::{
    identity::{
        provider::{Connection, Connections, PRESETS, Preset, Registered},
        revocation::Watched,
        token::Validator,
    },
    issuer::Issuer,
    live::LivePolicy,
    policy::{CompiledPolicy, Snapshot, diagnostic::nearest},
    remote::Remote,
    serve::authority::Authority,
};

/// The connections of a policy to its providers.
pub(super) fn connections(policy: &CompiledPolicy) -> Result<Connections, Failure> {
    Connections::of(policy, Environment::setting).map_err(Failure::refused)
}

/// Who issues the tokens. Called inside a runtime, where a provider's keys are looked for.
pub(super) fn authority(
    deployment: &Deployment,
    connections: &Connections,
    policy: impl Into<LivePolicy>,
    name: &str,
) -> Result<Authority, Failure> {
    let embedded = match connections.main {
        None => Some(Issuer::open(&deployment.data, policy, name).map_err(Failure::refused)?),
        Some(_) => None,
    };
    Ok(Authority::connect(embedded, connections, Remote::default()))
}

/// The server's own check of a token, for commands that ask about one: with the keys and the
/// revocations of now.
pub(super) async fn validator(
    deployment: &Deployment,
    connections: &Connections,
    policy: impl Into<LivePolicy>,
    name: &str,
) -> Result<Validator, Failure> {
    let revocations = Watched::open(&deployment.data).map_err(Failure::refused)?.revocations;
    let authority = authority(deployment, connections, policy, name)?;
    authority.tried().await;
    Ok(authority.validator(revocations))
}

/// The registered scopes: as the policy says; or as the provider says; or, if it does not say or
/// does not answer, as the committed snapshot says. With none of the three the server would only
/// guess, and does not start.
pub(super) fn registered(
    deployment: &Deployment,
    policy: &CompiledPolicy,
    connection: Option<&Connection>,
) -> Result<Registered, Failure> {
    let Some(connection) = connection.filter(|_| policy.registered_at().is_none()) else {
        return Ok(Registered::Policy);
    };
    let asked =
        block_on(async { connection.registered(&Remote::default(), policy.resource()).await })?;
    let error = match asked {
        Ok(snapshot) => return Ok(Registered::Provider(snapshot)),
        Err(error) => error,
    };
    if let Some(snapshot) = deployment.snapshot(None)? {
        anstream::eprintln!("warning: {error}\n  = note: {}\n", snapshot.describe());
        return Ok(Registered::Snapshot(snapshot));
    }
    Err(Failure::refused(format!(
        "{error}\n  = help: run `resource pull` while it answers, and commit the file; or write \
         `registered = […]` in `[server]`"
    )))
}

/// What the provider says, if it does.
pub(super) async fn ask_registered(
    policy: &CompiledPolicy,
    connection: Option<&Connection>,
    remote: &Remote,
) -> Option<Snapshot> {
    let connection = connection.filter(|_| policy.registered_at().is_none())?;
    connection.registered(remote, policy.resource()).await.ok()
}

/// Runs something that asks others, from a command that does nothing else.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(Failure::failed)?.block_on(future))
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum ProviderCommand {
    /// The providers that the policy can name
    List,
    /// What is known of one: issuer, audience, scopes, and where that is from
    Show {
        /// The word in the policy
        name: String,
    },
}

pub(super) fn run(command: &ProviderCommand) -> Result<Verdict, Failure> {
    match command {
        ProviderCommand::List => {
            let word = |preset: &Preset| preset.provider.as_str();
            let width = PRESETS.iter().map(|preset| word(preset).len()).max().unwrap_or_default();
            for preset in PRESETS {
                anstream::println!("{:width$}  {}", word(preset), preset.title);
            }
        }
        ProviderCommand::Show { name } => anstream::print!("{}", named(name)?),
    }
    Ok(Verdict::Good)
}

fn named(name: &str) -> Result<&'static Preset, Failure> {
    let words = || PRESETS.iter().map(|preset| preset.provider.as_str());
    PRESETS.iter().find(|preset| preset.provider.as_str() == name).ok_or_else(|| {
        let help = match nearest(name, words()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("one of {}", words().collect::<Vec<_>>().join(", ")),
        };
        Failure::refused(format!("there is no provider `{name}`\n  = help: {help}"))
    })
}
