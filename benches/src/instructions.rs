//! `instructions`: the instructions that a server executes for one call. valgrind's callgrind counts
//! them, because its count does not depend on other programs of the machine.

use std::{collections::HashMap, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use bench::{
    serve::SERVER,
    target::{Kind, Running, World, policy},
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How many calls are counted
    #[arg(long, default_value_t = 1_000)]
    calls: u64,
    /// Also print this many of the functions that execute most instructions
    #[arg(long, default_value_t = 0)]
    top: usize,
}

const SERVERS: &[(Kind, &str)] = &[
    (Kind::Bare, "bare"),
    (Kind::Scopeward, "scopeward"),
    #[cfg(feature = "rivals")]
    (Kind::TowerMcp, "tower-mcp"),
];

/// The number of calls before the counted ones, so that work that is done only once is not counted.
const BEFORE: u64 = 200;

pub(crate) fn instructions(options: &Options) -> Result<()> {
    let world = World::new()?;
    println!("instructions a call, over {} calls\n", options.calls);
    let mut first = None;
    for (kind, server) in SERVERS {
        let few = count(&world, server, BEFORE)?;
        let many = count(&world, server, BEFORE + options.calls)?;
        let each = (many.total - few.total) / options.calls;
        let base = *first.get_or_insert(each);
        #[expect(clippy::cast_precision_loss, reason = "a count is far below 2^52, so its f64 is exact")]
        let ratio = each as f64 / base as f64;
        println!("{kind:10} {each:>9}  {ratio:.3}");
        let mut spent: Vec<(u64, &str)> = many
            .functions
            .iter()
            .map(|(name, after)| {
                let before = few.functions.get(name).copied().unwrap_or(0);
                (after.saturating_sub(before) / options.calls, name.as_str())
            })
            .collect();
        spent.sort_unstable_by(|one, other| other.cmp(one));
        for (each, function) in spent.iter().take(options.top) {
            println!("           {each:>9}  {function}");
        }
    }
    Ok(())
}

/// The instructions of a server from its start to its end.
struct Count {
    total: u64,
    functions: HashMap<String, u64>,
}

/// Starts a server, makes this many calls, stops the server, and returns its instructions.
fn count(world: &World, server: &str, calls: u64) -> Result<Count> {
    let out = tempfile::NamedTempFile::new()?;
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--collect-jumps=no"])
        .arg(format!("--callgrind-out-file={}", out.path().display()))
        .arg(std::env::current_exe()?)
        .env(SERVER, server);
    let running =
        Running::spawn(world, &mut command, |url| policy(world, url, ["get_todo"].into_iter()))?;
    let call = running.call(world, 0)?;
    running.wait(&call)?;
    running.repeat(&call, calls)?;
    running.stop(Duration::from_mins(1))?;
    let text = std::fs::read_to_string(out.path())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.context("callgrind wrote no totals")?.trim().parse()?;
    let annotate = ["--auto=no", "--threshold=100"];
    let annotated = Command::new("callgrind_annotate").args(annotate).arg(out.path()).output()?;
    ensure!(annotated.status.success(), "callgrind_annotate failed");
    let annotated = String::from_utf8_lossy(&annotated.stdout);
    let mut functions = HashMap::new();
    for line in annotated.lines() {
        if let Some((count, place)) = line.split_once(" (")
            && let Some((_, name)) = place.split_once("%)  ")
            && let Ok(count) = count.trim().replace(',', "").parse::<u64>()
        {
            // Keeps the name of the function, without its file and its program.
            let name = name.split_once(':').map_or(name, |(_, name)| name);
            let name = name.split_once(" [/").map_or(name, |(name, _)| name);
            *functions.entry(name.to_owned()).or_default() += count;
        }
    }
    Ok(Count { total, functions })
}
