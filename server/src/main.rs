//! The todo server: the first user of Scopeward, through its public API only.

mod store;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    scopeward::main(tools::Todos::open)
}
