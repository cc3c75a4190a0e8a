//! `load`: the number of calls a second that each server answers.

use std::time::Duration;

use anyhow::Result;

use bench::{
    generator::{Pace, run},
    report::Rounds,
    target::{Kind, Running, What, World},
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The servers; the others are compared with the first one
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::COMPARED.to_vec())]
    servers: Vec<Kind>,
    /// How often each server has its turn
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How long a turn is, in seconds
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How many connections there are
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How many callers there are; each has its own token
    #[arg(long, default_value_t = 1)]
    tokens: usize,
    /// The request that is sent to the servers
    #[arg(long, value_enum, default_value_t = What::Call)]
    what: What,
}

pub(crate) fn load(options: &Options) -> Result<()> {
    let world = World::new()?;
    let length = Duration::from_secs_f64(options.seconds);
    let mut all = vec![vec![]; options.servers.len()];
    println!(
        "{} rounds of {} s, {} connections, {} token(s), {} cores: the last makes the load\n",
        options.rounds,
        options.seconds,
        options.connections,
        options.tokens,
        world.cores.count()
    );
    let mut servers = vec![];
    for kind in &options.servers {
        let server = if options.what == What::List {
            Running::start_many(*kind, &world)?
        } else {
            Running::start(*kind, &world)?
        };
        let calls = (0..options.tokens)
            .map(|n| server.call_for(*kind, &world, n, options.what))
            .collect::<Result<Vec<_>>>()?;
        servers.push((server, calls));
    }
    // The servers take short turns, so that other work of the machine slows all of them down alike.
    let times = (length / 4, length);
    for _ in 0..options.rounds {
        for ((server, calls), seen) in servers.iter().zip(&mut all) {
            let turn = run(server.address, calls, options.connections, Pace::Saturating, times)?;
            seen.push(turn.per_second);
        }
    }
    let mut first = None;
    println!(
        "{:18}  {:>10}  {:<20}  ratio to the first, round by round",
        "", "calls/s", "(lowest … highest)"
    );
    for (kind, seen) in options.servers.iter().zip(all) {
        let base = first.get_or_insert_with(|| seen.clone());
        let ratios = seen.iter().zip(base.iter()).map(|(one, base)| one / base).collect();
        println!("{kind:18}  {}  {:.3}", Rounds::new(seen), Rounds::new(ratios));
    }
    Ok(())
}
