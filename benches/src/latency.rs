//! `latency`: the time of a call at a load below the servers' limit.

use std::time::Duration;

use anyhow::{Result, bail};
use bench::{
    generator::{Pace, run},
    report::Rounds,
    target::{Kind, Running, World},
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The two servers: what the second one adds to the first
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Bare, Kind::Scopeward])]
    servers: Vec<Kind>,
    /// How often each server has its turn
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// How long a turn is, in seconds
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// How many connections there are
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// The load, as a fraction of the most calls a second that the second server answers
    #[arg(long, default_value_t = 0.7)]
    load: f64,
}

pub(crate) fn latency(options: &Options) -> Result<()> {
    let &[first, second] = &*options.servers else {
        bail!("--servers takes two servers, which are compared");
    };
    let world = World::new()?;
    let length = Duration::from_secs_f64(options.seconds);
    let times = (length / 4, length);
    let mut servers = vec![];
    for kind in [first, second] {
        let server = Running::start(kind, &world)?;
        let call = server.call(&world, 0)?;
        servers.push((server, call));
    }
    let turn = |number: usize, pace: Pace| {
        let (server, call) = &servers[number];
        run(server.address, std::slice::from_ref(call), options.connections, pace, times)
    };
    let mut saturated = vec![];
    for _ in 0..5 {
        saturated.push(turn(1, Pace::Saturating)?.per_second);
    }
    let saturated = Rounds::new(saturated).median();
    let rate = saturated * options.load;
    println!(
        "{} rounds of {} s, {} connections, {rate:.0} calls a second: {:.0} % of what the second server bears\n",
        options.rounds,
        options.seconds,
        options.connections,
        options.load * 100.0
    );
    let mut seen = [vec![], vec![]];
    for _ in 0..options.rounds {
        for (number, seen) in seen.iter_mut().enumerate() {
            seen.push(turn(number, Pace::Constant(rate))?);
        }
    }
    println!("microseconds            median  (lowest … highest)");
    for (name, permille) in [("half", 500), ("90 %", 900), ("99 %", 990), ("99.9 %", 999)] {
        let of = |number: usize| -> Vec<f64> {
            seen[number].iter().map(|seen| micros(seen.permille(permille))).collect()
        };
        let (bare, ours) = (of(0), of(1));
        let added = bare.iter().zip(&ours).map(|(bare, ours)| ours - bare).collect();
        let (first, second) = (first.to_string(), second.to_string());
        for (label, rounds) in [(&*first, bare), (&*second, ours), ("added", added)] {
            println!("{name:6} {label:19} {}", Rounds::new(rounds));
        }
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
