//! `audit …`: what was decided.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Deployment, Failure, Verdict};
use crate::record::audit::{
    chain::{ChainHead, ChainWalk},
    journal,
    record::Record,
};

/// While following, between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Subcommand)]
pub(super) enum AuditCommand {
    /// The last decisions
    Tail(TailArguments),
    /// Decisions about a tool, a resource or a prompt, of a caller, or only those that were denied
    Query(QueryArguments),
    /// Whether anything was changed, taken out or put in since it was written
    Verify(VerifyArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    /// What this command printed before: that record must still be there, unchanged
    #[arg(long, value_name = "NUMBER:DIGEST")]
    head: Option<ChainHead>,
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
    fn wants(&self, record: &Record<'_>) -> bool {
        let is = |wanted: &Option<String>, value: &Option<Cow<'_, str>>| {
            wanted.as_deref().is_none_or(|wanted| value.as_deref() == Some(wanted))
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
    let data = &deployment.data;
    match command {
        AuditCommand::Tail(arguments) => tail(data, arguments),
        AuditCommand::Query(arguments) => {
            let mut records = Records::open(data)?;
            while let Some(record) = records.next()? {
                if arguments.wants(&record) {
                    print(&record, arguments.format)?;
                }
            }
            Ok(Verdict::Good)
        }
        AuditCommand::Verify(arguments) => verify(data, arguments),
    }
}

fn tail(data: &Path, arguments: &TailArguments) -> Result<Verdict, Failure> {
    let mut records = Records::open(data)?;
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
        records.follow(data)?;
    }
}

/// Goes through the chain, of all files.
fn verify(data: &Path, arguments: &VerifyArguments) -> Result<Verdict, Failure> {
    let mut walk = ChainWalk::default();
    let mut is_found = arguments.head.is_none();
    let paths = files(data)?;
    for (place, path) in paths.iter().enumerate() {
        let cannot = |error| Failure::failed(format!("cannot read {}: {error}", path.display()));
        let mut file = BufReader::new(File::open(path).map_err(cannot)?);
        let mut line = vec![];
        for number in 1_u64.. {
            line.clear();
            if file.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
                break;
            }
            if line.pop_if(|end| *end == b'\n').is_none() && place + 1 == paths.len() {
                anstream::println!(
                    "the last line is not whole: it is being written, or a crash cut it short"
                );
                break;
            }
            if let Err(broken) = walk.next(&line) {
                anstream::eprintln!("{}:{number}: {broken}", path.display());
                return Ok(Verdict::Bad);
            }
            is_found = is_found || arguments.head == Some(walk.head());
        }
    }
    if !is_found {
        anstream::eprintln!("the record that --head names is not there any more, or was changed");
        return Ok(Verdict::Bad);
    }
    if walk.unchained > 0 {
        anstream::println!("{} records are older than the chain", walk.unchained);
    }
    if walk.first > 1 {
        anstream::println!("records before number {} were rotated away", walk.first);
    }
    anstream::println!("unbroken up to {}", walk.head());
    Ok(Verdict::Good)
}

/// All files, the oldest first.
fn files(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = journal::files(data).unwrap_or_default();
    if files.is_empty() {
        return Err(Failure::failed(format!(
            "cannot read {}: there is none\n  = help: the server writes it; name its folder with \
             --data",
            journal::path(data).display()
        )));
    }
    Ok(files)
}

fn print(record: &Record<'_>, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => anstream::println!("{record}"),
        Format::Json => {
            println!("{}", serde_json::to_string(record).map_err(Failure::failed)?);
        }
    }
    Ok(())
}

/// The records of all files, one after the other; a line that is not whole yet is waited for.
struct Records {
    open: BufReader<File>,
    next: VecDeque<PathBuf>,
    line: String,
}

impl Records {
    fn open(data: &Path) -> Result<Self, Failure> {
        let mut next = VecDeque::from(files(data)?);
        let first = next.pop_front().unwrap_or_else(|| journal::path(data));
        Ok(Self { open: open(&first)?, next, line: String::new() })
    }

    fn next(&mut self) -> Result<Option<Record<'static>>, Failure> {
        loop {
            self.open.read_line(&mut self.line).map_err(Failure::failed)?;
            if !self.line.ends_with('\n') {
                let Some(next) = self.next.pop_front() else { return Ok(None) };
                self.open = open(&next)?;
                self.line.clear();
                continue;
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

    /// Goes on with the file that is written now, if another one was begun.
    fn follow(&mut self, data: &Path) -> Result<(), Failure> {
        let read = self.open.stream_position().map_err(Failure::failed)?;
        let current = journal::path(data);
        // The one that was read to its end is longer than one that has just begun.
        if std::fs::metadata(&current).is_ok_and(|file| file.len() < read) {
            self.next.push_back(current);
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    Ok(BufReader::new(file))
}
