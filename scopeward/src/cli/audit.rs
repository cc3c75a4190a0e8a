//! The commands `audit …`, which read the recorded decisions.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Deployment, Failure, Verdict, output};
use crate::policy::diagnostic::counted;
use crate::record::audit::{
    chain::{ChainHead, ChainWalk},
    journal,
    record::Record,
};

/// How long to wait between two reads of the audit file with `--follow`.
const INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Subcommand)]
pub(super) enum AuditCommand {
    /// Print the last decisions
    Tail(TailArguments),
    /// Print the decisions about a tool, a resource, a prompt, a caller or a client, or only
    /// denials
    Query(QueryArguments),
    /// Check that no record was changed, removed or inserted after it was written
    Verify(VerifyArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    /// The head that an earlier `audit verify` printed: fail if that record is missing or changed
    #[arg(long, value_name = "NUMBER:DIGEST")]
    head: Option<ChainHead>,
}

#[derive(Debug, clap::Args)]
pub(super) struct TailArguments {
    /// How many decisions to print
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Keep running, and print each new decision
    #[arg(short, long)]
    follow: bool,
    /// How to print the decisions
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct QueryArguments {
    /// Only decisions about this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only decisions about this resource, by its URI or URI template in the policy
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Only decisions about this prompt
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Only decisions about calls of this subject
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only decisions about calls through this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only denials
    #[arg(long)]
    denied: bool,
    /// How to print the decisions
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
        if output::is_closed() {
            return Ok(Verdict::Good);
        }
        std::thread::sleep(INTERVAL);
        records.follow(data)?;
    }
}

/// Checks the chain of records through all audit files.
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
                outln!("the last line is not whole: it is being written, or a crash cut it short");
                break;
            }
            if let Err(broken) = walk.next(&line) {
                errln!("{}:{number}: {broken}", path.display());
                return Ok(Verdict::Bad);
            }
            is_found = is_found || arguments.head == Some(walk.head());
        }
    }
    if !is_found {
        errln!("the record that --head names is not there any more, or was changed");
        return Ok(Verdict::Bad);
    }
    if walk.unchained > 0 {
        let are = if walk.unchained == 1 { "is" } else { "are" };
        outln!("{} {are} older than the chain", counted(walk.unchained, "record"));
    }
    if walk.first > 1 {
        outln!("records before number {} were rotated away", walk.first);
    }
    outln!("unbroken up to {}", walk.head());
    Ok(Verdict::Good)
}

/// The audit files, the oldest first.
fn files(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = journal::files(data).unwrap_or_default();
    if files.is_empty() {
        return Err(Failure::failed(format!(
            "cannot read {}: it does not exist\n  = help: the server writes it; name the \
             server's folder with --data",
            journal::path(data).display()
        )));
    }
    Ok(files)
}

fn print(record: &Record<'_>, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => outln!("{record}"),
        Format::Json => {
            out_raw!("{}\n", serde_json::to_string(record).map_err(Failure::failed)?);
        }
    }
    Ok(())
}

/// The records of all audit files, one after the other. A last line that is not whole yet is read
/// again later.
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
                // A line that a crash cut short must not hide the other records.
                Err(_) => {
                    errln!("warning: skipped a line that is not a record");
                }
            }
        }
    }

    /// Continues with the current audit file, if the server has begun a new one.
    fn follow(&mut self, data: &Path) -> Result<(), Failure> {
        let read = self.open.stream_position().map_err(Failure::failed)?;
        let current = journal::path(data);
        // A file that has just begun is shorter than the file that was read to its end.
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
