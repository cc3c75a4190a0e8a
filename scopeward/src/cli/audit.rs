//! The commands `audit …`, which read the recorded decisions.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    fs::File,
    io::{BufRead, BufReader, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Deployment, Failure, Verdict, output};
use crate::{
    policy::diagnostic::counted,
    record::audit::{
        chain::{ChainHead, ChainWalk, Continuation},
        journal::{self, Book},
        record::Record,
    },
    text::quoted,
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
    #[arg(long, value_name = "URI", conflicts_with = "tool")]
    resource: Option<String>,
    /// Only decisions about this prompt
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tool", "resource"])]
    prompt: Option<String>,
    /// Only decisions about calls of this subject
    #[arg(long, value_name = "SUBJECT", allow_hyphen_values = true)]
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
        AuditCommand::Query(arguments) => query(data, arguments),
        AuditCommand::Verify(arguments) => verify(data, arguments),
    }
}

/// Prints the records that are wanted, each call with its outcome although the outcome of a long call
/// has a record of its own.
fn query(data: &Path, arguments: &QueryArguments) -> Result<Verdict, Failure> {
    let mut outcomes = HashMap::new();
    let mut records = Records::open(data)?;
    while let Some(record) = records.next()? {
        if record.is_outcome()
            && let Some(call) = record.call.clone()
        {
            outcomes.insert(call.into_owned(), Ending::of(&record));
        }
    }
    let mut records = Records::open(data)?;
    while let Some(mut record) = records.next()? {
        if record.is_outcome() {
            continue;
        }
        if let Some(ending) = record.call.as_deref().and_then(|call| outcomes.get(call)) {
            ending.complete(&mut record);
        }
        if arguments.wants(&record) {
            print(&record, arguments.format)?;
        }
    }
    Ok(Verdict::Good)
}

fn tail(data: &Path, arguments: &TailArguments) -> Result<Verdict, Failure> {
    let mut records = Records::open(data)?;
    let mut last: VecDeque<Record<'static>> = VecDeque::new();
    while let Some(record) = records.next()? {
        if record.is_outcome() {
            let is_its = |other: &&mut Record<'_>| !other.is_outcome() && other.call == record.call;
            if let Some(allowed) = last.iter_mut().find(is_its) {
                Ending::of(&record).complete(allowed);
            }
            continue;
        }
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

/// How a call ended, from the record of its end.
struct Ending {
    outcome: Option<Cow<'static, str>>,
    ended: Option<Cow<'static, str>>,
    took_micros: Option<u64>,
}

impl Ending {
    fn of(record: &Record<'static>) -> Self {
        Self {
            outcome: record.outcome.clone(),
            ended: record.ended.clone(),
            took_micros: record.took_micros,
        }
    }

    /// Adds the end to the record that allowed the call.
    fn complete(&self, allowed: &mut Record<'static>) {
        allowed.outcome.clone_from(&self.outcome);
        allowed.ended.clone_from(&self.ended);
        allowed.took_micros = self.took_micros;
    }
}

/// Checks the chains of all audit files: that of authenticated callers, and that of requests without
/// a valid token.
fn verify(data: &Path, arguments: &VerifyArguments) -> Result<Verdict, Failure> {
    let head = arguments.head;
    let Some((walk, is_found)) = walk(&files(data)?, head)? else { return Ok(Verdict::Bad) };
    if !is_found {
        errln!("the record that --head names is not there any more, or was changed");
        return Ok(Verdict::Bad);
    }
    if walk.unchained > 0 {
        let are = if walk.unchained == 1 { "is" } else { "are" };
        outln!("{} {are} older than the chain", counted(walk.unchained, "record"));
    }
    say_what_is_missing(&walk);
    outln!("unbroken up to {}", walk.head());
    let others = journal::UNAUTHENTICATED.files(data).unwrap_or_default();
    let Some((others, _)) = self::walk(&others, None)? else { return Ok(Verdict::Bad) };
    if others.head().number > 0 {
        say_what_is_missing(&others);
        outln!("requests without a token: unbroken up to {}", others.head());
    }
    Ok(Verdict::Good)
}

/// Walks through a chain, and looks for the record that `head` names. `None` if the chain is broken,
/// which has been said.
fn walk(paths: &[PathBuf], head: Option<ChainHead>) -> Result<Option<(ChainWalk, bool)>, Failure> {
    let mut walk = ChainWalk::default();
    let mut is_found = head.is_none();
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
                return Ok(None);
            }
            is_found = is_found || head == Some(walk.head());
        }
    }
    Ok(Some((walk, is_found)))
}

/// Says which records are not in the files of a chain, as far as the chain knows it.
fn say_what_is_missing(walk: &ChainWalk) {
    let is_continued = walk.continuations.first().is_some_and(|one| one.number == walk.first);
    if walk.first > 1 && !is_continued {
        outln!("records before number {} were rotated away", walk.first);
    }
    for Continuation { number, reason, missing } in &walk.continuations {
        let missing = match missing {
            0 => "no record is missing".to_owned(),
            1 => "1 record before it is not here".to_owned(),
            many => format!("{many} records before it are not here"),
        };
        let reason = quoted(reason);
        outln!("record {number} says what somebody else did: {reason}; {missing}");
    }
}

/// The files of authenticated callers, the oldest first.
fn files(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = journal::CALLERS.files(data).unwrap_or_default();
    if files.is_empty() {
        return Err(Failure::failed(format!(
            "cannot read {}: it does not exist\n  = help: the server writes it; name the \
             server's folder with --data",
            journal::CALLERS.path(data).display()
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

/// The records of all audit files in the order of their times.
struct Records {
    streams: Vec<Stream>,
}

impl Records {
    fn open(data: &Path) -> Result<Self, Failure> {
        let mut streams = vec![Stream::open(journal::CALLERS, files(data)?)?];
        let others = journal::UNAUTHENTICATED.files(data).unwrap_or_default();
        if !others.is_empty() {
            streams.push(Stream::open(journal::UNAUTHENTICATED, others)?);
        }
        Ok(Self { streams })
    }

    fn next(&mut self) -> Result<Option<Record<'static>>, Failure> {
        for stream in &mut self.streams {
            if stream.next.is_none() {
                stream.next = stream.read()?;
            }
        }
        let with_next = self.streams.iter_mut().filter(|stream| stream.next.is_some());
        let first = with_next.min_by(|one, other| one.time().cmp(other.time()));
        Ok(first.and_then(|stream| stream.next.take()))
    }

    /// Continues with the current files, if the server has begun new ones.
    fn follow(&mut self, data: &Path) -> Result<(), Failure> {
        self.streams.iter_mut().try_for_each(|stream| stream.follow(data))
    }
}

/// The records of one chain, one file after the other. A last line that is not whole yet is read
/// again later.
struct Stream {
    book: Book,
    open: BufReader<File>,
    rest: VecDeque<PathBuf>,
    line: Vec<u8>,
    next: Option<Record<'static>>,
}

impl Stream {
    fn open(book: Book, files: Vec<PathBuf>) -> Result<Self, Failure> {
        let mut rest = VecDeque::from(files);
        let first = rest.pop_front().unwrap_or_default();
        Ok(Self { book, open: open(&first)?, rest, line: vec![], next: None })
    }

    fn time(&self) -> &str {
        self.next.as_ref().map_or("", |record| &record.timestamp)
    }

    fn read(&mut self) -> Result<Option<Record<'static>>, Failure> {
        loop {
            self.open.read_until(b'\n', &mut self.line).map_err(Failure::failed)?;
            if !self.line.ends_with(b"\n") {
                let Some(next) = self.rest.pop_front() else { return Ok(None) };
                self.open = open(&next)?;
                self.line.clear();
                continue;
            }
            // A record of its own, because the line is used again.
            let record = serde_json::from_slice::<Record<'static>>(&self.line);
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

    fn follow(&mut self, data: &Path) -> Result<(), Failure> {
        let read = self.open.stream_position().map_err(Failure::failed)?;
        let current = self.book.path(data);
        // A file that has just begun is shorter than the file that was read to its end.
        if std::fs::metadata(&current).is_ok_and(|file| file.len() < read) {
            self.rest.push_back(current);
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    Ok(BufReader::new(file))
}
