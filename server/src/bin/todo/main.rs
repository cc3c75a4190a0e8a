//! The todo server: Scopeward's first user, through its public door only.

mod store;
mod tools;

use std::process::ExitCode;

/// What a call costs beside its tool is for a good part memory, taken and given back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    scopeward::main(tools::Todos::open)
}
