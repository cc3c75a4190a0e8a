//! A call makes at most four allocations more with Scopeward than with rmcp alone.
//!
//! The servers are processes of this test program, because its allocator counts.

#![allow(clippy::expect_used, reason = "a test")]

use std::{alloc::System, process::ExitCode, time::Duration};

use bench::{
    serve::{self, SERVER},
    target::{Running, World, policy},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The environment variable with the file to which a server writes its number of allocations.
const COUNT: &str = "BENCH_COUNT";

fn main() -> ExitCode {
    if let Some(served) = serve::by_environment() {
        let stats = COUNTING.stats();
        let count = stats.allocations + stats.reallocations;
        let file = std::env::var(COUNT).expect("where to write the count");
        std::fs::write(file, count.to_string()).expect("the count is written");
        return served;
    }
    let world = World::new().expect("an issuer");
    let each = |server: &str| {
        const BEFORE: u64 = 200;
        const COUNTED: u64 = 1_000;
        let (few, many) = (count(&world, server, BEFORE), count(&world, server, BEFORE + COUNTED));
        // Rounds to the nearest number, because some allocations are made only once in many calls.
        (many - few + COUNTED / 2) / COUNTED
    };
    let (bare, ours) = (each("bare"), each("scopeward"));
    println!("allocations a call: {bare} by rmcp alone, {ours} by Scopeward");
    assert!(ours <= bare + 4, "{ours} allocations, {bare} without authorization");
    ExitCode::SUCCESS
}

/// Starts a server, makes this many calls, and returns the number of the server's allocations.
fn count(world: &World, server: &str, calls: u64) -> u64 {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
    command.env(SERVER, server).env(COUNT, file.path());
    let only_one = |url: &str| policy(world, url, ["get_todo"].into_iter());
    let running = Running::spawn(world, &mut command, only_one).expect("a server");
    let call = running.call(world, 0).expect("a call");
    running.wait(&call).expect("an answer");
    running.repeat(&call, calls).expect("answers");
    running.stop(Duration::from_secs(30)).expect("it stops");
    let count = std::fs::read_to_string(file.path()).expect("a count");
    count.parse().expect("a number")
}
