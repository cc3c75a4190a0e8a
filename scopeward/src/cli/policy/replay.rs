//! The command `policy replay`: decides the recorded calls again with another policy.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use jiff::{Span, Timestamp};
use serde::Deserialize;

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{
        CompiledPolicy, Feature,
        diagnostic::counted,
        replay::{self, RecordedCall, Replay, Replayed},
    },
    record::audit::journal,
    serve::{StartError, deployment},
};

use super::Format;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReplayArguments {
    /// The new policy
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// The policy that decided the recorded calls; by default the policy file
    #[arg(long, value_name = "FILE")]
    old: Option<PathBuf>,
    /// Audit files, also compressed with gzip; `-` is standard input. By default those of the data
    /// folder
    #[arg(long, value_name = "FILE", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Only calls of this time until now, such as `7d` or `12h`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail if a call would be refused or allowed that was not
    #[arg(long, value_enum, value_name = "KIND")]
    deny: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    NewlyRefused,
    NewlyAllowed,
}

pub(super) fn replay(
    deployment: &Deployment,
    arguments: &ReplayArguments,
) -> Result<Verdict, Failure> {
    let compile = |path: &Path| -> Result<CompiledPolicy, Failure> {
        CompiledPolicy::compile(deployment::read(path)?)
            .map_err(|found| StartError::found(found, "it cannot be replayed").into())
    };
    let old = compile(arguments.old.as_deref().unwrap_or(deployment.policy_path()))?;
    let new = compile(&arguments.new)?;
    let since = arguments.since.as_deref().map(since).transpose()?;
    let mut reader = Reader {
        replay: Replay::new(&new, Some(&old)),
        since: since.unwrap_or_default(),
        unreadable: 0,
    };
    for path in files(deployment, arguments)? {
        let cannot = |error| Failure::failed(format!("cannot read {}: {error}", path.display()));
        reader.read(open(&path).map_err(cannot)?).map_err(cannot)?;
    }
    let Reader { replay, unreadable, .. } = reader;
    let replayed = replay.finish();
    match arguments.format {
        Format::Text => out!("{}", replay::text(&replayed)),
        Format::Markdown => out_raw!("{}", replay::markdown(&replayed)),
        Format::Json => out_raw!("{}", replay::json(&replayed)),
    }
    if unreadable > 0 {
        errln!("warning: skipped {}, of which none is a record", counted(unreadable, "line"));
    }
    Ok(Verdict::of(is_accepted(&replayed, &arguments.deny)))
}

/// Whether `--deny` accepts what was found, and says so if not.
fn is_accepted(replayed: &Replayed, deny: &[Kind]) -> bool {
    let found = [
        (Kind::NewlyRefused, replayed.newly_refused.calls, "newly-refused", "newly refused"),
        (Kind::NewlyAllowed, replayed.newly_allowed.calls, "newly-allowed", "newly allowed"),
    ];
    let mut is_accepted = true;
    for (kind, calls, option, words) in found {
        if calls > 0 && deny.contains(&kind) {
            errln!("error: recorded calls would be {words}, which `--deny {option}` refuses");
            is_accepted = false;
        }
    }
    is_accepted
}

/// The beginning of a time until now, as records write times.
fn since(text: &str) -> Result<String, Failure> {
    let wrong = || {
        Failure::refused(format!("--since takes a time such as `7d`, `12h` or `30m`, not `{text}`"))
    };
    let span: Span = text.parse().map_err(|_| wrong())?;
    // A day of an audit is always 24 hours long.
    let hours = span.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()));
    let seconds = hours.map_err(|_| wrong())?;
    let length = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    let begin = Timestamp::now().checked_sub(length.abs()).map_err(|_| wrong())?;
    Ok(begin.to_string())
}

/// The files to read, the oldest of each kind first.
fn files(deployment: &Deployment, arguments: &ReplayArguments) -> Result<Vec<PathBuf>, Failure> {
    if !arguments.against.is_empty() {
        return Ok(arguments.against.clone());
    }
    let data = &deployment.data;
    let books = [journal::CALLERS, journal::UNAUTHENTICATED];
    let files: Vec<PathBuf> =
        books.iter().flat_map(|book| book.files(data).unwrap_or_default()).collect();
    if files.is_empty() {
        return Err(Failure::failed(format!(
            "there is no audit file in {}\n  = help: name the server's folder with --data, or the \
             files with --against",
            data.display()
        )));
    }
    Ok(files)
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    const ROOM: usize = 256 * 1024;
    let mut file: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(BufReader::with_capacity(ROOM, io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(ROOM, File::open(path)?))
    };
    if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(ROOM, MultiGzDecoder::new(file))));
    }
    Ok(file)
}

/// The longest line that is read as a record, in bytes. The server writes none that is as long.
const LONGEST_LINE: usize = 1024 * 1024;

struct Reader<'p> {
    replay: Replay<'p>,
    /// Earlier records are left out.
    since: String,
    unreadable: u64,
}

/// The fields of a record that a replay needs. They borrow from the line, so that a million records take
/// no allocation each.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    timestamp: Cow<'l, str>,
    #[serde(borrow)]
    decision: Cow<'l, str>,
    #[serde(borrow)]
    tool: Option<Cow<'l, str>>,
    #[serde(borrow)]
    resource: Option<Cow<'l, str>>,
    #[serde(borrow)]
    prompt: Option<Cow<'l, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'l, str>>,
    #[serde(borrow)]
    client: Option<Cow<'l, str>>,
    #[serde(borrow)]
    scopes: Option<Cow<'l, str>>,
    #[serde(borrow)]
    conditions: Option<Cow<'l, str>>,
    #[serde(borrow)]
    policy: Option<Cow<'l, str>>,
    #[serde(borrow)]
    rule: Option<Cow<'l, str>>,
    #[serde(borrow)]
    by: Option<Cow<'l, str>>,
}

impl Reader<'_> {
    fn read(&mut self, mut file: Box<dyn BufRead>) -> io::Result<()> {
        let mut line = vec![];
        loop {
            line.clear();
            let mut bounded = io::Read::take(&mut file, LONGEST_LINE as u64);
            if bounded.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            match serde_json::from_slice::<Line<'_>>(&line) {
                Ok(record) => self.add(&record),
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(_) => self.unreadable += 1,
            }
        }
    }

    fn add(&mut self, record: &Line<'_>) {
        let was_allowed = match &*record.decision {
            "allow" => true,
            // A refusal by a tool itself is no decision of the policy, and a name without a rule is not
            // one that the policy could have decided.
            "deny" if record.by.as_deref() == Some("gate") && record.rule.is_some() => false,
            _ => return,
        };
        let uses = [&record.tool, &record.resource, &record.prompt];
        let all = Feature::ALL.into_iter().zip(uses);
        let Some((feature, name)) =
            all.into_iter().find_map(|(feature, name)| Some((feature, name.as_deref()?)))
        else {
            return;
        };
        if *record.timestamp < *self.since {
            return;
        }
        self.replay.add(&RecordedCall {
            feature,
            name,
            was_allowed,
            subject: record.subject.as_deref(),
            client: record.client.as_deref(),
            scopes: record.scopes.as_deref().unwrap_or_default(),
            conditions: record.conditions.as_deref().unwrap_or_default(),
            revision: record.policy.as_deref().unwrap_or_default(),
            time: &record.timestamp,
        });
    }
}
