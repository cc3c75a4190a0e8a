//! The thread that writes an audit file.
//!
//! A decision adds its line to the queue. The thread writes the lines together, at most 200 times a
//! second, and at once when a call waits for its line. In between it looks ten times a second whether
//! the file is still there.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    chain::CONTINUED,
    journal::{Book, Interruption, Journal, Rotation},
    queue::{AuditSink, Lines, line, now},
    record::Record,
};

/// How long records are gathered before they are written together: 5 ms, so that one write serves
/// many requests.
const GATHERED: Duration = Duration::from_millis(5);
/// How long the writer waits for records before it looks at the file: 100 ms, so that a file that was
/// removed is noticed within a second.
const TURN: Duration = Duration::from_millis(100);
/// The most bytes that are written together: 1 MiB, so that a failing disk does not make all waiting
/// records be chained again for each try.
const LARGEST_GROUP: usize = 1024 * 1024;
/// The most bytes that an empty buffer keeps allocated: 1 MiB, so that one burst of records does
/// not hold memory for ever.
const LARGEST_KEPT: usize = 1024 * 1024;
/// How long the writer waits after a failed write before it tries again: 100 ms, so that a
/// failing disk does not keep a core busy.
const RETRY: Duration = Duration::from_millis(100);
/// How long a failing disk is tried at shutdown: 2 seconds, so that the process does end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a writer that panicked rests before it begins again: a second, so that a fault that stays
/// does not keep a core busy.
const REST: Duration = Duration::from_secs(1);

/// Writes records to an audit file of a data folder until it is dropped. Dropping it first writes the
/// pending records.
#[derive(Debug)]
pub(crate) struct AuditWriter {
    sink: AuditSink,
    thread: Option<JoinHandle<()>>,
}

impl AuditWriter {
    /// Opens the file and starts the thread.
    pub(crate) fn start(data: &Path, book: Book, rotation: Rotation) -> io::Result<Self> {
        outlive_a_limit_of_files();
        let journal = Journal::open(data, book, rotation)?;
        let sink = AuditSink::default();
        sink.beat(journal.head, 0);
        let file = AuditFile { data: data.to_owned(), book, rotation };
        let written = sink.clone();
        let thread = thread::Builder::new().name("audit".to_owned());
        let thread = thread.spawn(move || file.keep_writing(journal, &written))?;
        Ok(Self { sink, thread: Some(thread) })
    }

    /// The sink whose records this writer writes.
    pub(crate) fn sink(&self) -> &AuditSink {
        &self.sink
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.sink.finish();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes a write beyond the limit of a file's size (`ulimit -f`) an error, as on a full disk. Without
/// it the signal `SIGXFSZ` ends the process.
fn outlive_a_limit_of_files() {
    #[cfg(unix)]
    if tokio::runtime::Handle::try_current().is_ok() {
        use tokio::signal::unix::{SignalKind, signal};
        // The signal stays caught after this receiver is dropped.
        let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    }
}

/// Which file a writer writes.
struct AuditFile {
    data: PathBuf,
    book: Book,
    rotation: Rotation,
}

impl AuditFile {
    /// Writes until the queue is over, and begins again if the writer panics.
    fn keep_writing(&self, journal: Journal, sink: &AuditSink) {
        let _ended = SaysItEnded(sink);
        let shown = Arc::from(self.book.path(&self.data).display().to_string());
        let mut writing = Writing::new(sink, journal, shown);
        loop {
            if catch_unwind(AssertUnwindSafe(|| writing.run())).is_ok() {
                return;
            }
            sink.fail("its writer panicked");
            writing.unwritten.take_back(|_| true);
            tracing::error!("the writer of {} panicked; it begins again", writing.shown);
            loop {
                sink.rest(REST);
                match Journal::open(&self.data, self.book, self.rotation) {
                    Ok(journal) => {
                        writing.journal = journal;
                        break;
                    }
                    Err(error) => writing.failed(&error),
                }
                if sink.is_over() {
                    return;
                }
            }
        }
    }
}

/// Tells the sink that the writer has ended, however it ends.
struct SaysItEnded<'s>(&'s AuditSink);

impl Drop for SaysItEnded<'_> {
    fn drop(&mut self) {
        self.0.writer_ended();
    }
}

/// The state of a writer.
struct Writing<'s> {
    sink: &'s AuditSink,
    journal: Journal,
    /// The path as messages name it.
    shown: Arc<str>,
    /// The lines that were taken from the queue and are not written yet.
    unwritten: Lines,
    /// The lines of one group with their numbers and digests.
    chained: Vec<u8>,
    /// What somebody else did to the file, until a record says so.
    interrupted: Option<Interruption>,
    /// Since when records cannot be written, and why.
    failing: Option<(Instant, String)>,
    /// When the queue was over.
    over_since: Option<Instant>,
}

impl<'s> Writing<'s> {
    fn new(sink: &'s AuditSink, journal: Journal, shown: Arc<str>) -> Self {
        Self {
            sink,
            journal,
            shown,
            unwritten: Lines::default(),
            chained: vec![],
            interrupted: None,
            failing: None,
            over_since: None,
        }
    }

    /// Writes what the queue has until the queue is over.
    fn run(&mut self) {
        loop {
            self.beat();
            let is_over = self.sink.take(&mut self.unwritten, TURN);
            let had_records = !self.unwritten.text.is_empty();
            let result = self.write();
            self.beat();
            if let Err(error) = &result {
                self.failed(error);
            }
            if is_over {
                let since = *self.over_since.get_or_insert_with(Instant::now);
                if self.unwritten.text.is_empty() || since.elapsed() > PATIENCE {
                    self.give_up();
                    return;
                }
                if result.is_err() {
                    thread::sleep(RETRY);
                }
            } else if result.is_err() {
                self.sink.rest(RETRY);
            } else if had_records {
                self.sink.pause(GATHERED);
            }
        }
    }

    fn beat(&self) {
        self.sink.beat(self.journal.head, self.unwritten.text.len());
    }

    /// Writes all lines that there are, in groups.
    fn write(&mut self) -> io::Result<()> {
        if let Some(interruption) = self.journal.inspect()? {
            tracing::error!(
                "{} {}; the chain goes on in the file that is there now",
                self.shown,
                interruption.as_str()
            );
            self.sink.interrupt(interruption.as_str());
            self.interrupted = Some(interruption);
        }
        self.write_notices()?;
        // Nobody waits for these calls any more, so they will not run.
        self.unwritten.take_back(|call| call.told.is_closed());
        while !self.unwritten.text.is_empty() {
            let group = end_of_group(&self.unwritten.text);
            let mut head = self.journal.head;
            self.chained.clear();
            for line in self.unwritten.text[..group].split_inclusive(|byte| *byte == b'\n') {
                head.append(line, &mut self.chained);
            }
            self.journal.append(&self.chained)?;
            self.journal.head = head;
            self.tell(group);
            self.unwritten.forget(group);
            self.beat();
            if let Err(error) = self.journal.rotate() {
                tracing::error!("{} cannot be rotated: {error}", self.shown);
            }
        }
        if !self.sink.is_keeping() {
            self.sink.recover();
        }
        for buffer in [&mut self.unwritten.text, &mut self.chained] {
            buffer.clear();
            buffer.shrink_to(LARGEST_KEPT);
        }
        Ok(())
    }

    /// Tells the calls whose lines are written that they may run.
    fn tell(&mut self, written: usize) {
        let text = &self.unwritten.text;
        let waiting = std::mem::take(&mut self.unwritten.waiting);
        for call in waiting {
            if call.line.end > written {
                self.unwritten.waiting.push(call);
            } else if call.told.send(()).is_err() {
                self.sink.did_not_run(&text[call.line]);
            }
        }
    }

    /// Writes the records of what happened to the file, before all others.
    fn write_notices(&mut self) -> io::Result<()> {
        let mut head = self.journal.head;
        self.chained.clear();
        let mut add = |decision: &'static str, reason: &str| {
            let notice = line(&Record {
                timestamp: now().into(),
                level: "ERROR",
                decision: decision.into(),
                reason: Some(reason.into()),
                ..Record::default()
            });
            head.append(notice.as_bytes(), &mut self.chained);
        };
        if let Some(interruption) = self.interrupted {
            add(CONTINUED, &format!("the file {}", interruption.as_str()));
        }
        if let Some((since, reason)) = &self.failing {
            let seconds = since.elapsed().as_secs();
            add("resumed", &format!("no record could be written for {seconds} s: {reason}"));
        }
        if self.chained.is_empty() {
            return Ok(());
        }
        self.journal.append(&self.chained)?;
        self.journal.head = head;
        self.interrupted = None;
        if self.failing.take().is_some() {
            tracing::warn!("the audit file is written again: {}", self.shown);
        }
        self.sink.recover();
        Ok(())
    }

    /// Notes that records cannot be written, and takes back those of the calls that wait for theirs,
    /// which will not run.
    fn failed(&mut self, error: &io::Error) {
        self.sink.count_failure();
        let reason = error.to_string();
        if self.sink.fail(&reason) {
            tracing::error!(
                "the audit file cannot be written: {}: {reason}; trying again",
                self.shown
            );
        }
        let since = self.failing.take().map_or_else(Instant::now, |(since, _)| since);
        self.failing = Some((since, reason));
        self.unwritten.take_back(|_| true);
        self.sink.refuse_waiting();
    }

    /// Counts what could not be written when the queue was over.
    fn give_up(&mut self) {
        let lost = self.unwritten.text.split(|byte| *byte == b'\n').skip(1).count() as u64;
        if lost > 0 {
            self.sink.count_lost(lost);
            let reason = self.failing.as_ref().map_or("", |(_, reason)| reason);
            tracing::error!("{lost} audit records are lost: {reason}");
        }
    }
}

/// Where the first group of whole lines ends.
fn end_of_group(text: &[u8]) -> usize {
    if text.len() <= LARGEST_GROUP {
        return text.len();
    }
    let whole = text[..LARGEST_GROUP].iter().rposition(|byte| *byte == b'\n');
    let next = || text.iter().position(|byte| *byte == b'\n');
    whole.or_else(next).map_or(text.len(), |end| end + 1)
}
