//! Measures the cost of Scopeward beside its rivals: `cargo run --release -p bench -- --help`.

mod compile_time;
mod fairness;
mod instructions;
mod latency;
mod load;
mod process;
mod reload;

use std::process::ExitCode;

use anyhow::Result;
use bench::serve;
use clap::{Parser, Subcommand};

/// Measures the cost of Scopeward beside its rivals.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How many calls a second each server answers; the servers take turns, in several rounds
    Load(load::Options),
    /// How long a call takes at a load below the servers' limit
    Latency(latency::Options),
    /// How much a reload of a policy of 10,000 tools slows down the calls made meanwhile
    Reload(reload::Options),
    /// How long the todo server takes from its start to its first answer
    Start(process::Options),
    /// How much memory the todo server takes, idle and with many tokens
    Memory(process::Options),
    /// How much time `#[scoped_tool]` adds to the compilation of a crate
    CompileTime(compile_time::Options),
    /// What honest callers notice while others attack the server
    Fairness(fairness::Options),
    /// How many instructions a call costs, counted by valgrind
    Instructions(instructions::Options),
}

fn main() -> ExitCode {
    if let Some(served) = serve::by_environment() {
        return served;
    }
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    match command {
        Command::Load(options) => load::load(options),
        Command::Latency(options) => latency::latency(options),
        Command::Reload(options) => reload::reload(options),
        Command::Start(options) => process::start(options),
        Command::Memory(options) => process::memory(options),
        Command::CompileTime(options) => compile_time::compile_time(options),
        Command::Fairness(options) => fairness::fairness(options),
        Command::Instructions(options) => instructions::instructions(options),
    }
}
