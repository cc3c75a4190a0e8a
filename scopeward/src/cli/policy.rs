//! The commands `policy …`, each in a file of its own.

mod check;
mod diff;
mod explain;
mod fmt;
mod init;
mod lint;
mod matrix;
mod replay;
mod schema;
mod show;
mod status;
mod test;

pub(super) use show::table;

use super::{Deployment, Failure, Verdict};
use crate::policy::Registry;

/// How a command prints what a reviewer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    /// Markdown, for a comment on a pull request
    Markdown,
    Json,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum PolicyCommand {
    /// Write a first policy and its tests from what the tools declare
    Init(init::InitArguments),
    /// Check that the tools, the policy and the registered scopes agree, without serving
    Check,
    /// Show each tool, resource and prompt with its requirement and the line of its rule
    Show,
    /// Find mistakes and risks in the policy
    Lint(lint::LintArguments),
    /// Show who gains and who loses access between two policies
    Diff(diff::DiffArguments),
    /// Decide the recorded calls again with another policy: whom would the change hit?
    Replay(replay::ReplayArguments),
    /// Explain whether a caller may use a tool, resource or prompt, and which scopes are missing
    Explain(explain::ExplainArguments),
    /// Show a table of tools by scopes
    Matrix(matrix::MatrixArguments),
    /// Run the policy's tests and prove its invariants
    Test(test::TestArguments),
    /// Write the policy in its canonical layout
    Fmt(fmt::FmtArguments),
    /// Print the JSON Schema of policy.toml, with the names of this server's tools
    Schema,
    /// Ask the running server which policy it serves
    Status,
}

pub(super) fn run(
    command: &PolicyCommand,
    deployment: &Deployment,
    registry: &Registry,
    server: (&str, &str),
) -> Result<Verdict, Failure> {
    match command {
        PolicyCommand::Init(arguments) => init::init(deployment, registry, arguments),
        PolicyCommand::Check => check::check(deployment, registry),
        PolicyCommand::Show => show::show(deployment, registry),
        PolicyCommand::Lint(arguments) => lint::lint(deployment, registry, server, arguments),
        PolicyCommand::Diff(arguments) => diff::diff(deployment, registry, arguments),
        PolicyCommand::Explain(arguments) => {
            explain::explain(deployment, registry, server.0, arguments)
        }
        PolicyCommand::Replay(arguments) => replay::replay(deployment, arguments),
        PolicyCommand::Matrix(arguments) => matrix::matrix(deployment, registry, arguments),
        PolicyCommand::Test(arguments) => test::test(deployment, registry, arguments),
        PolicyCommand::Fmt(arguments) => fmt::fmt(deployment, arguments),
        PolicyCommand::Schema => Ok(schema::schema(registry)),
        PolicyCommand::Status => status::status(deployment, registry),
    }
}
