//! `start` and `memory`: the start time and the memory of the todo server as a program.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;
use bench::{
    generator::Call,
    report::Rounds,
    target::{Running, World},
    todo,
};
use jsonwebtoken::Algorithm;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The todo server's binary; without it, the server is built in the profile of this program
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// How often the server is started
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// How many tokens the server sees
    #[arg(long, default_value_t = 100_000)]
    tokens: usize,
}

struct Todo {
    program: PathBuf,
    world: World,
}

impl Todo {
    fn new(options: &Options) -> Result<Self> {
        let program = match &options.program {
            Some(program) => program.canonicalize()?,
            None => todo::program()?,
        };
        Ok(Self { program, world: World::new()? })
    }

    fn start(&self) -> Result<Running> {
        let mut command = Command::new(&self.program);
        Running::spawn(&self.world, &mut command, |url| todo::policy(&self.world, url))
    }

    fn call(&self, server: &Running, subject: usize) -> Result<Call> {
        todo::call(server, &self.world, Algorithm::ES256, subject)
    }
}

/// Measures the time from the server's start to its first response to an authorized call.
pub(crate) fn start(options: &Options) -> Result<()> {
    let todo = Todo::new(options)?;
    let mut rounds = vec![];
    for round in 0..=options.rounds {
        let begin = Instant::now();
        let server = todo.start()?;
        server.wait(&todo.call(&server, 0)?)?;
        // The first round is not counted, because the program may have to be read from the disk.
        if round > 0 {
            rounds.push(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("milliseconds from start to the first answer, {} starts", options.rounds);
    println!("{:.1}", Rounds::new(rounds));
    Ok(())
}

/// Measures the server's memory, idle and after many tokens.
pub(crate) fn memory(options: &Options) -> Result<()> {
    let todo = Todo::new(options)?;
    let server = todo.start()?;
    server.wait(&todo.call(&server, 0)?)?;
    std::thread::sleep(Duration::from_secs(1));
    let mebibytes = |server: &Running| -> Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a size below 2^52 is exact")]
        let bytes = server.memory()? as f64;
        Ok(bytes / 1024.0 / 1024.0)
    };
    println!("MiB resident");
    println!("{:>8.1}  idle", mebibytes(&server)?);
    let mut stream = std::net::TcpStream::connect(server.address)?;
    for subject in 0..options.tokens {
        bench::generator::exchange(&mut stream, &todo.call(&server, subject)?)?;
    }
    println!("{:>8.1}  after {} tokens of as many callers", mebibytes(&server)?, options.tokens);
    Ok(())
}
