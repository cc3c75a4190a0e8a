//! `reload`: the latency of calls while a policy of 10,000 tools is reloaded.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use bench::{
    generator::{Pace, run},
    serve::{SERVER, many},
    target::{Running, World, policy},
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How often each turn is repeated, the one without changes and the one with changes
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a turn is, in seconds
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// How many calls are made in a second
    #[arg(long, default_value_t = 2_000.0)]
    rate: f64,
}

const SLOW: Duration = Duration::from_millis(1);
/// The time between two changes of the file: one second, because a change is loaded within half a
/// second.
const BETWEEN: Duration = Duration::from_secs(1);

pub(crate) fn reload(options: &Options) -> Result<()> {
    let world = World::new()?;
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.env(SERVER, "scopeward-huge");
    let server = Running::spawn(&world, &mut command, |url| policy(&world, url, many::huge()))?;
    let call = server.call_of(&world, "tool_0042")?;
    server.wait(&call)?;
    let file = server.path("policy.toml");
    let text = std::fs::read_to_string(&file)?;
    let other = format!("{text}# reviewed\n");
    let length = Duration::from_secs_f64(options.seconds);
    println!("{} calls a second, turns of {} s\n", options.rate, options.seconds);
    println!("policy changes       calls  slower than 1 ms   99 %      99.9 %    slowest");
    for _ in 0..options.rounds {
        for changing in [false, true] {
            let before = loaded(&server)?;
            let over = AtomicBool::new(false);
            let seen = thread::scope(|scope| {
                if changing {
                    scope.spawn(|| {
                        let mut next = [&other, &text].into_iter().cycle();
                        while !over.load(Ordering::Relaxed) {
                            // The error is ignored, because a failed write shows as a missing load
                            // in the count of loaded policies.
                            let _ = std::fs::write(&file, next.next().map_or("", String::as_str));
                            thread::sleep(BETWEEN);
                        }
                    });
                }
                let pace = Pace::Constant(options.rate);
                let seen = run(
                    server.address,
                    std::slice::from_ref(&call),
                    32,
                    pace,
                    (length / 8, length),
                );
                over.store(true, Ordering::Relaxed);
                seen
            })?;
            let changes = loaded(&server)? - before;
            println!(
                "{changes:>14}  {:>10}  {:>16}  {:>8.2?}  {:>8.2?}  {:>8.2?}",
                seen.calls(),
                seen.slower_than(SLOW),
                seen.permille(990),
                seen.permille(999),
                seen.permille(1_000)
            );
        }
    }
    Ok(())
}

/// The number of policies that the server has loaded.
fn loaded(server: &Running) -> Result<u64> {
    let health = server.health()?;
    let health: serde_json::Value = serde_json::from_str(&health)?;
    health["policy"]["loaded"].as_u64().with_context(|| format!("no count in {health}"))
}
