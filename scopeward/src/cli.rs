//! The command line of every server that is built on this library.

#[macro_use]
mod output;

mod accepted;
mod app;
mod audit;
mod doctor;
mod env_file;
mod files;
mod health;
mod options;
mod own;
mod policy;
mod provider;
mod repository;
mod resource;
mod revocation;
mod runtime;
mod scopes;
mod serve;
mod token;

use std::{error::Error, fmt::Display};

#[cfg(test)]
use clap::CommandFactory;
use clap::{Parser, Subcommand};

use crate::{
    policy::diagnostic::Diagnostics,
    serve::{Report, StartError, deployment::Deployment},
};

pub use app::{App, main};

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

/// An MCP server with scopes: policy.toml says who may call which tool
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The whole command line, for the page that lists it.
#[cfg(test)]
pub(crate) fn command() -> clap::Command {
    options::placed(Cli::command())
}

const AFTER_HELP: &str = "`serve --help` shows the settings of a server, and each command the options that it has.\n\
    Settings are also read from a file named .env, in the current folder or above it.\n\
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
    /// Ask the running server whether it is ready: exit code 0 or 1, for a container's health check
    Health(health::HealthArguments),
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

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = if error.is_refused() { REFUSED } else { FAILED };
        let found = error.findings().map_or_else(String::new, render);
        let mut message = format!("{found}error: {}", error.message());
        let mut cause = error.source();
        while let Some(one) = cause {
            message.push_str(&format!("\n  caused by: {one}"));
            cause = one.source();
        }
        Self { code, message }
    }
}

/// The findings as text for the terminal. The output leaves the colours out where they are not wanted.
fn render(found: &Diagnostics) -> String {
    found.render(true)
}

/// Prints what the startup check has to say although the server starts.
fn report_start(report: &Report) {
    for warning in &report.warnings {
        errln!("warning: {warning}\n");
    }
    if !report.found.is_empty() {
        err!("{}", render(&report.found));
    }
}
