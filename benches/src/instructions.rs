//! `instructions`: the instructions that a server executes for one call. valgrind's callgrind
//! counts them, because its count does not depend on other programs of the machine.

use std::{collections::HashMap, path::PathBuf, process::Command, time::Duration};

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
    /// Fail if a call of Scopeward costs over 3 % more than the figure in this file
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Write the instructions of a call of Scopeward to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// How much more than the committed figure a call may cost, in percent. Counts of one binary differ
/// by less than 0.5 % from run to run, because threads interleave differently.
const TOLERANCE_PERCENT: u64 = 3;

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
    if options.compare.is_some() || options.write.is_some() {
        return compare_or_write(&world, options);
    }
    println!("instructions a call, over {} calls\n", options.calls);
    let mut first = None;
    for (kind, server) in SERVERS {
        let (each, spent) = of_one_call(&world, server, options.calls)?;
        let base = *first.get_or_insert(each);
        #[expect(clippy::cast_precision_loss, reason = "a count below 2^52 is exact")]
        let ratio = each as f64 / base as f64;
        println!("{kind:10} {each:>9}  {ratio:.3}");
        for (each, function) in spent.iter().take(options.top) {
            println!("           {each:>9}  {function}");
        }
    }
    Ok(())
}

/// Counts the instructions of a call of Scopeward, and compares the count with a file or writes it.
fn compare_or_write(world: &World, options: &Options) -> Result<()> {
    let (now, _) = of_one_call(world, "scopeward", options.calls)?;
    if let Some(path) = &options.write {
        std::fs::write(path, Figure { instructions: now }.text())?;
        println!("{now} instructions a call, written to {}", path.display());
    }
    if let Some(path) = &options.compare {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let before = Figure::read(&text).context("the file has no line `instructions = NUMBER`")?;
        println!("{}", before.judge(now)?);
    }
    Ok(())
}

/// The committed figure: the instructions of a call when the file was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figure {
    instructions: u64,
}

impl Figure {
    fn read(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("instructions = "))?;
        Some(Self { instructions: line.trim().parse().ok()? })
    }

    fn text(self) -> String {
        format!(
            "# The instructions of one call, counted by valgrind (`.ci/instructions.sh`). CI fails when a call\n\
             # costs over {TOLERANCE_PERCENT} % more. A commit that changes this number says why.\n\
             instructions = {}\n",
            self.instructions
        )
    }

    /// Compares a new count with the figure. Fails if the count is more than `TOLERANCE_PERCENT`
    /// above.
    fn judge(self, now: u64) -> Result<String> {
        let before = self.instructions;
        let most = before + before * TOLERANCE_PERCENT / 100;
        ensure!(
            now <= most,
            "a call costs {now} instructions, and the committed figure is {before}: that is more than \
             {TOLERANCE_PERCENT} % above it\n  = help: find the cause (`cargo run --release -p bench -- \
             instructions --top 30`), or write the new figure with `bash .ci/instructions.sh --write` and \
             say why in the same commit"
        );
        let note = if now + before * TOLERANCE_PERCENT / 100 < before {
            "; it became cheaper: write the new figure, because CI then keeps calls this cheap"
        } else {
            ""
        };
        Ok(format!("a call costs {now} instructions; the committed figure is {before}{note}"))
    }
}

/// The instructions of one call, in total and by function, the most expensive function first.
fn of_one_call(world: &World, server: &str, calls: u64) -> Result<(u64, Vec<(u64, String)>)> {
    let few = count(world, server, BEFORE)?;
    let many = count(world, server, BEFORE + calls)?;
    let each = (many.total - few.total) / calls;
    let mut spent: Vec<(u64, String)> = many
        .functions
        .into_iter()
        .map(|(name, after)| {
            let before = few.functions.get(&name).copied().unwrap_or(0);
            (after.saturating_sub(before) / calls, name)
        })
        .collect();
    spent.sort_unstable_by(|one, other| other.cmp(one));
    Ok((each, spent))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_costs_more_is_refused_and_says_what_to_do() {
        let figure = Figure::read(&Figure { instructions: 67_000 }.text()).unwrap();
        assert_eq!(figure, Figure { instructions: 67_000 });
        assert!(figure.judge(67_000 + 2_010).is_ok());
        let error = figure.judge(67_000 + 2_011).unwrap_err().to_string();
        assert!(error.contains("more than 3 % above it") && error.contains("--write"), "{error}");
        assert!(figure.judge(60_000).unwrap().contains("became cheaper"));
    }

    #[test]
    fn a_file_without_a_figure_is_an_error() {
        assert_eq!(Figure::read("instructions = many\n"), None);
        assert_eq!(Figure::read(""), None);
    }
}
