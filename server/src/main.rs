//! The todo server: Scopeward's first user, through its public door only.

mod store;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    scopeward::main(tools::Todos::open)
}
