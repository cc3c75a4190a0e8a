//! The command line of every server that is built on this library.

mod audit;
mod deployment;
mod doctor;
mod files;
mod lock;
mod policy;
mod provider;
mod providers;
mod resource;
mod revocation;
mod runtime;
mod serve;
mod startup;
mod token;

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::mcp::ScopedTools;
use deployment::Deployment;

/// The exit code of a command that failed: a port is taken, a database does not open.
const FAILED: u8 = 1;
/// The exit code of a command that did not begin: the policy, the settings or the arguments are
/// wrong.
const REFUSED: u8 = 2;

/// The outcome of a command that did its work, as the exit code tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Exit code 0: all is well.
    Good,
    /// Exit code 1: there are findings, the call is not allowed, or a test fails.
    Bad,
}

impl Verdict {
    fn of(is_good: bool) -> Self {
        if is_good { Self::Good } else { Self::Bad }
    }
}

/// The environment of a server, for the function that opens it: its data folder and its settings.
#[derive(Debug, Clone)]
pub struct Environment {
    data: PathBuf,
}

impl Environment {
    /// The folder for data that the server keeps between runs. The folder exists.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A setting of the deployment, from the process environment or `.env`. An empty value counts
    /// as absent.
    pub fn variable(&self, name: &str) -> Option<String> {
        Self::setting(name)
    }

    fn setting(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// An MCP server with scopes: policy.toml says who may call which tool
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    deployment: Deployment,
    #[command(flatten)]
    serving: serve::Options,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The whole command line, for the page that lists it.
#[cfg(test)]
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

const AFTER_HELP: &str = "Settings are also read from a file named .env in the current folder.\n\
    Exit codes: 0 done, 1 failed or with findings, 2 could not run (the policy or the arguments are wrong).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the policy and serve (the default)
    Serve,
    /// Check, compare, explain and test the policy
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Fetch and compare the scopes that are registered for the resource
    Resource {
        #[command(subcommand)]
        command: resource::ResourceCommand,
    },
    /// List the providers that can issue tokens, and show what each expects
    Provider {
        #[command(subcommand)]
        command: provider::ProviderCommand,
    },
    /// Read and verify the recorded decisions of the audit file
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Revoke a token, or the access of a person or a client
    Revocation {
        #[command(subcommand)]
        command: revocation::RevocationCommand,
    },
    /// Examine the whole deployment, from inside and outside, and say how to fix problems
    Doctor(doctor::DoctorArguments),
    /// Print an access token of the embedded issuer, for curl
    Token(token::TokenArguments),
}

/// The failure of a command: its exit code and the message to print.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn failed(message: impl Display) -> Self {
        Self { code: FAILED, message: format!("error: {message}") }
    }

    fn refused(message: impl Display) -> Self {
        Self { code: REFUSED, message: format!("error: {message}") }
    }
}

/// Runs the command line of a server, as the body of its `main`. The commands are `serve`,
/// `policy lint` (and `diff`, `explain`, `matrix`, `test`, `fmt`, …), `resource pull`,
/// `provider list`, `audit tail`, `revocation add`, `doctor` and `token`.
///
/// `open` makes the tools, and opens the things that they need, such as a database. It is called
/// only by `serve`.
///
/// ```no_run
/// use std::{convert::Infallible, process::ExitCode};
///
/// use scopeward::{Environment, scoped_tools};
///
/// struct Clock;
///
/// #[scoped_tools]
/// impl Clock {
///     /// The time, in seconds since 1970.
///     #[scoped_tool(scopes = ["clock:read"])]
///     fn now(&self) -> String {
///         let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
///         now.as_secs().to_string()
///     }
/// }
///
/// impl Clock {
///     async fn open(_: Environment) -> Result<Self, Infallible> {
///         Ok(Self)
///     }
/// }
///
/// fn main() -> ExitCode {
///     scopeward::main(Clock::open)
/// }
/// ```
pub fn main<S, F, Fut, E>(open: F) -> ExitCode
where
    S: ScopedTools,
    F: FnOnce(Environment) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    E: Display,
{
    let outcome = read_env_file().and_then(|()| {
        let (name, version) = S::SERVER;
        let command = Cli::command().name(name).version(version);
        let cli = Cli::from_arg_matches(&command.get_matches()).map_err(Failure::refused)?;
        run(&cli, open)
    });
    match outcome {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(FAILED),
        Err(failure) => {
            anstream::eprintln!("{}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run<S, F, Fut, E>(cli: &Cli, open: F) -> Result<Verdict, Failure>
where
    S: ScopedTools,
    F: FnOnce(Environment) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    E: Display,
{
    match &cli.command {
        None | Some(Command::Serve) => serve::serve(&cli.deployment, &cli.serving, open),
        Some(Command::Policy { command }) => {
            policy::run(command, &cli.deployment, &S::REGISTRY, S::SERVER)
        }
        Some(Command::Resource { command }) => resource::run(command, &cli.deployment),
        Some(Command::Provider { command }) => provider::run(command),
        Some(Command::Audit { command }) => audit::run(command, &cli.deployment),
        Some(Command::Revocation { command }) => revocation::run(command, &cli.deployment),
        Some(Command::Doctor(arguments)) => {
            doctor::doctor(&cli.deployment, &S::REGISTRY, S::SERVER.0, arguments)
        }
        Some(Command::Token(arguments)) => token::token(&cli.deployment, S::SERVER.0, arguments),
    }
}

/// Reads `.env` into the process environment. A missing file is fine; an unreadable file is an
/// error, because settings would be missing.
fn read_env_file() -> Result<(), Failure> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The column is shown without the line's text, because the text may hold a secret.
        Err(dotenvy::Error::LineParse(_, column)) => Err(Failure::refused(format!(
            "cannot read .env: a line cannot be parsed at column {column}"
        ))),
        Err(_) => Err(Failure::refused("cannot read .env")),
    }
}
