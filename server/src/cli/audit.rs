//! `audit …`: what was decided.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    time::Duration,
};

use super::{Deployment, Failure, Verdict};
use crate::audit::{file, record::Record};

/// While following, between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Subcommand)]
pub(super) enum AuditCommand {
    /// The last decisions
    Tail(TailArguments),
    /// Decisions about a tool, a resource or a prompt, of a caller, or only those that were denied
    Query(QueryArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct TailArguments {
    /// How many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Go on with each that comes
    #[arg(short, long)]
    follow: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct QueryArguments {
    /// Only about this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only about this resource, by the URI or URI template that the policy has
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Only about this prompt
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Only of this caller
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only through this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only what was denied
    #[arg(long)]
    denied: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl QueryArguments {
    fn wants(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, value: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| value.as_ref() == Some(wanted))
        };
        is(&self.tool, &record.tool)
            && is(&self.resource, &record.resource)
            && is(&self.prompt, &record.prompt)
            && is(&self.subject, &record.subject)
            && is(&self.client, &record.client)
            && (!self.denied || record.is_denied())
    }
}

pub(super) fn run(command: &AuditCommand, deployment: &Deployment) -> Result<Verdict, Failure> {
    let path = file::path(&deployment.data);
    match command {
        AuditCommand::Tail(arguments) => tail(&path, arguments),
        AuditCommand::Query(arguments) => {
            let mut records = Records::open(&path)?;
            while let Some(record) = records.next()? {
                if arguments.wants(&record) {
                    print(&record, arguments.format)?;
                }
            }
            Ok(Verdict::Good)
        }
    }
}

fn tail(path: &Path, arguments: &TailArguments) -> Result<Verdict, Failure> {
    let mut records = Records::open(path)?;
    let mut last = VecDeque::new();
    while let Some(record) = records.next()? {
        last.push_back(record);
        if last.len() > arguments.lines {
            last.pop_front();
        }
    }
    for record in &last {
        print(record, arguments.format)?;
    }
    if !arguments.follow {
        return Ok(Verdict::Good);
    }
    loop {
        while let Some(record) = records.next()? {
            print(&record, arguments.format)?;
        }
        std::thread::sleep(INTERVAL);
    }
}

fn print(record: &Record, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => anstream::println!("{record}"),
        Format::Json => {
            println!("{}", serde_json::to_string(record).map_err(Failure::failed)?);
        }
    }
    Ok(())
}

/// The records of a file, one after the other; a line that is not whole yet is waited for.
struct Records {
    file: BufReader<File>,
    line: String,
}

impl Records {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| {
            Failure::failed(format!(
                "cannot read {}: {error}\n  = help: the server writes it; name its folder with \
                 --data",
                path.display()
            ))
        })?;
        Ok(Self { file: BufReader::new(file), line: String::new() })
    }

    fn next(&mut self) -> Result<Option<Record>, Failure> {
        loop {
            self.file.read_line(&mut self.line).map_err(Failure::failed)?;
            if !self.line.ends_with('\n') {
                return Ok(None);
            }
            let record = serde_json::from_str(&self.line);
            self.line.clear();
            match record {
                Ok(record) => return Ok(Some(record)),
                // A line that a crash cut short must not hide the others.
                Err(_) => {
                    anstream::eprintln!("warning: a line is not a record, and is passed over");
                }
            }
        }
    }
}
