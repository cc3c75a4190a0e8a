//! The command line that every server built on this library has.

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

/// It could not do what was asked: a port is taken, a database does not open.
const FAILED: u8 = 1;
/// It was refused before it began: the policy, its surroundings or the arguments are wrong.
const REFUSED: u8 = 2;

/// What a command that did what was asked has to say by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// 0: all is well.
    Good,
    /// 1: there are findings; the call is not allowed; a test fails.
    Bad,
}

impl Verdict {
    fn of(is_good: bool) -> Self {
        if is_good { Self::Good } else { Self::Bad }
    }
}

/// What a server is given when it opens: where it may keep its data.
#[derive(Debug, Clone)]
pub struct Environment {
    data: PathBuf,
}

impl Environment {
    /// The folder for what the server keeps between runs. It exists.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A setting of the deployment, from the process environment or `.env`; an empty one counts
    /// as absent.
    pub fn variable(&self, name: &str) -> Option<String> {
        Self::setting(name)
    }

    fn setting(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// An MCP server whose access is one file.
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
    /// The scopes registered for the resource
    Resource {
        #[command(subcommand)]
        command: resource::ResourceCommand,
    },
    /// The providers that can issue the tokens
    Provider {
        #[command(subcommand)]
        command: provider::ProviderCommand,
    },
    /// What was decided, from the audit file
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Take access away before it expires: of a token, a person or a client
    Revocation {
        #[command(subcommand)]
        command: revocation::RevocationCommand,
    },
    /// Look at the whole deployment, from inside and outside, and say what to do
    Doctor(doctor::DoctorArguments),
    /// Print an access token of the embedded issuer, for curl
    Token(token::TokenArguments),
}

/// Why a command ended without doing what was asked: its exit code and what to print.
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

/// The `main` of a server: gives its binary the commands `serve`, `policy lint` (and `diff`,
/// `explain`, `matrix`, `test`, `fmt`, …), `resource pull`, `provider list`, `audit tail`, `revocation add`, `doctor` and `token`.
///
/// `open` is called only when the server serves: it opens what the tools need, such as their
/// database.
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

/// A missing `.env` is fine; an unreadable one is not passed over.
fn read_env_file() -> Result<(), Failure> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // Its text may hold a secret: only the place is shown.
        Err(dotenvy::Error::LineParse(_, column)) => Err(Failure::refused(format!(
            "cannot read .env: a line cannot be parsed at column {column}"
        ))),
        Err(_) => Err(Failure::refused("cannot read .env")),
    }
}
