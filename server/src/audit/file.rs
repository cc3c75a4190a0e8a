//! The audit file: one JSON object on each line.
//!
//! A decision adds its line to what is pending, which is all that a request ever waits for; a thread of
//! its own writes what has come together, a few hundred times a second at most.

use std::{
    cell::RefCell,
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, registry::LookupSpan};

use super::TARGET;

/// What comes within this time is written together.
const GATHERED: Duration = Duration::from_millis(5);
/// More than this is not kept for a disk that does not keep up.
const MOST_PENDING: usize = 64 * 1024 * 1024;
/// A buffer that grew beyond this is not kept.
const LARGEST_KEPT: usize = 1024 * 1024;

/// Where it is, in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("audit.jsonl")
}

/// Writes each record to the file. What is still on its way is written when the writer is dropped.
pub(crate) fn layer<S>(data: &Path) -> io::Result<(impl Layer<S>, Writer)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let mut file = open(&path(data))?;
    let queue = Arc::new(Queue::default());
    let records = Records(Arc::clone(&queue));
    let written = Arc::clone(&queue);
    let thread = thread::Builder::new().name("audit".to_owned());
    let thread = thread.spawn(move || written.write_to(&mut file))?;
    let only_audit = Targets::new().with_target(TARGET, tracing::Level::TRACE);
    Ok((records.with_filter(only_audit), Writer { queue, thread: Some(thread) }))
}

/// For appending, and for nobody else to read: it says who did what.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The thread that writes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.pending().is_over = true;
        self.queue.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Lines on their way to the file.
#[derive(Debug, Default)]
struct Queue {
    pending: Mutex<Pending>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    /// How many records there was no room for.
    lost: u64,
    is_over: bool,
}

impl Queue {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Whole lines only: there is no half-written state to fear.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut pending = self.pending();
        if pending.lines.len() + line.len() > MOST_PENDING {
            pending.lost += 1;
            return;
        }
        let was_empty = pending.lines.is_empty();
        pending.lines.extend_from_slice(line);
        drop(pending);
        if was_empty {
            self.arrived.notify_one();
        }
    }

    fn write_to(&self, file: &mut impl Write) {
        let mut lines = vec![];
        loop {
            let nothing = |pending: &mut Pending| pending.lines.is_empty() && !pending.is_over;
            let waited = self.arrived.wait_while(self.pending(), nothing);
            let mut pending = waited.unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut pending.lines, &mut lines);
            let (lost, is_over) = (mem::take(&mut pending.lost), pending.is_over);
            drop(pending);
            if let Err(error) = file.write_all(&lines) {
                tracing::error!("cannot write the audit file: {error}");
            }
            if lost > 0 {
                tracing::error!("{lost} audit records are lost: the disk does not keep up");
            }
            if is_over {
                return;
            }
            lines.clear();
            lines.shrink_to(LARGEST_KEPT);
            thread::sleep(GATHERED);
        }
    }
}

/// Makes a line of each event.
struct Records(Arc<Queue>);

impl<S: Subscriber> Layer<S> for Records {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        thread_local! {
            /// Used again for each line of a thread.
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            let (now, level) = (Timestamp::now(), event.metadata().level());
            // Writing to memory does not fail.
            let _ = write!(line, "{{\"timestamp\":\"{now:.6}\",\"level\":\"{level}\"");
            event.record(&mut Fields(line));
            line.extend_from_slice(b"}\n");
            self.0.add(line);
        });
    }
}

/// An event's fields as those of a JSON object.
struct Fields<'l>(&'l mut Vec<u8>);

impl Fields<'_> {
    /// The name of a field is an identifier: nothing in it is escaped.
    fn name(&mut self, field: &Field) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(field.name().as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn add(&mut self, field: &Field, value: &impl Serialize) {
        self.name(field);
        // It cannot fail: a text or a number, written to memory.
        let _ = serde_json::to_writer(&mut *self.0, value);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_plain = |byte: &u8| !matches!(byte, 0..b' ' | b'"' | b'\\');
        if !value.as_bytes().iter().fold(true, |all, byte| all & is_plain(byte)) {
            return self.add(field, &value);
        }
        self.name(field);
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}
