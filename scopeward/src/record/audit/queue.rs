//! The queue of audit records for the disk: a request adds its line, and never waits for the disk.

use std::{
    cell::RefCell,
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{chain::ChainHead, journal::Journal, record::Record};

/// How long records are gathered before they are written together: 5 ms, so that one write serves
/// many requests.
const GATHERED: Duration = Duration::from_millis(5);
/// The most bytes that may wait for a slow disk: 64 MiB, so that memory stays bounded. Records
/// beyond that are lost, and counted.
const MOST_PENDING: usize = 64 * 1024 * 1024;
/// The most bytes that an empty buffer keeps allocated: 1 MiB, so that one burst of records does
/// not hold memory for ever.
const LARGEST_KEPT: usize = 1024 * 1024;
/// How long the writer waits after a failed write before it tries again: 100 ms, so that a
/// failing disk does not keep a core busy.
const RETRY: Duration = Duration::from_millis(100);
/// How long a failing disk is tried at shutdown: 2 seconds, so that the process does end.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sink for audit records, which also knows their health. Clones of a sink share one queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditSink(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    pending: Mutex<Pending>,
    arrived: Condvar,
    is_failing: AtomicBool,
    lost: AtomicU64,
    failures: AtomicU64,
    head: Mutex<ChainHead>,
}

/// The lines that wait to be written.
#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    /// How many records were lost for lack of room since the last one that was added.
    lost: u64,
    /// `true` when no more lines will be added.
    is_over: bool,
}

/// The health of the audit file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditHealth {
    /// `true` if the last write failed, or if a record found no room.
    pub(crate) is_failing: bool,
    /// How many records are lost, and will never be written.
    pub(crate) lost: u64,
    /// How often a write failed.
    pub(crate) failures: u64,
    /// How many bytes wait to be written.
    pub(crate) pending: usize,
    /// The number and the digest of the last record that was written.
    pub(crate) head: ChainHead,
}

impl AuditSink {
    /// Returns whether records are being kept: the last write worked, and there is room.
    pub(crate) fn is_keeping(&self) -> bool {
        !self.0.is_failing.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self) -> AuditHealth {
        let Queue { is_failing, lost, failures, head, .. } = &*self.0;
        let pending = self.pending().lines.len();
        AuditHealth {
            is_failing: is_failing.load(Ordering::Relaxed),
            lost: lost.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            pending,
            head: *head.lock(),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.pending.lock()
    }

    /// Adds a record to the pending ones.
    pub(super) fn record(&self, record: &Record<'_>) {
        thread_local! {
            /// A buffer that a thread uses again for each line, so that a line allocates nothing.
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            // Serializing texts and numbers to memory cannot fail.
            if serde_json::to_writer(&mut *line, record).is_ok() {
                line.push(b'\n');
                self.add(line);
            }
        });
    }

    /// Adds a whole line, with its end.
    fn add(&self, line: &[u8]) {
        let mut pending = self.pending();
        if pending.lines.len() + line.len() > MOST_PENDING {
            pending.lost += 1;
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            self.0.is_failing.store(true, Ordering::Relaxed);
            return;
        }
        let was_empty = pending.lines.is_empty();
        if pending.lost > 0 {
            let lost = mem::take(&mut pending.lost);
            pending.lines.extend_from_slice(gap(lost).as_bytes());
        }
        pending.lines.extend_from_slice(line);
        drop(pending);
        if was_empty {
            self.0.arrived.notify_one();
        }
    }

    /// Ends the queue: no more records will be added.
    pub(super) fn finish(&self) {
        self.pending().is_over = true;
        self.0.arrived.notify_one();
    }

    /// Writes the added lines to `journal`, until [`finish`](Self::finish) ends the queue.
    pub(super) fn write_to(&self, journal: &mut Journal) {
        let mut lines = vec![];
        let mut chained = vec![];
        self.reached(journal.head);
        loop {
            let nothing = |pending: &mut Pending| pending.lines.is_empty() && !pending.is_over;
            let mut pending = self.pending();
            self.0.arrived.wait_while(&mut pending, nothing);
            mem::swap(&mut pending.lines, &mut lines);
            let is_over = pending.is_over;
            drop(pending);
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                journal.head.append(line, &mut chained);
            }
            if !self.write(journal, &chained) {
                return;
            }
            self.reached(journal.head);
            if let Err(error) = journal.rotate() {
                tracing::error!("the audit file cannot be rotated: {error}");
            }
            if is_over {
                return;
            }
            for buffer in [&mut lines, &mut chained] {
                buffer.clear();
                buffer.shrink_to(LARGEST_KEPT);
            }
            thread::sleep(GATHERED);
        }
    }

    /// Writes all bytes, with as many tries as needed. Returns `false` if the disk still failed at
    /// shutdown and records were lost.
    fn write(&self, journal: &mut Journal, mut bytes: &[u8]) -> bool {
        let mut since = None;
        while !bytes.is_empty() {
            match journal.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.0.failures.fetch_add(1, Ordering::Relaxed);
                    if since.is_none() {
                        self.0.is_failing.store(true, Ordering::Relaxed);
                        tracing::error!("the audit file cannot be written: {error}; trying again");
                    }
                    let since = *since.get_or_insert_with(Instant::now);
                    if self.pending().is_over && since.elapsed() > PATIENCE {
                        let lost = bytes.split(|byte| *byte == b'\n').skip(1).count() as u64;
                        self.0.lost.fetch_add(lost, Ordering::Relaxed);
                        tracing::error!("{lost} audit records are lost: {error}");
                        return false;
                    }
                    thread::sleep(RETRY);
                }
            }
        }
        if self.0.is_failing.swap(false, Ordering::Relaxed) {
            tracing::warn!("the audit file is written again");
        }
        true
    }

    /// Publishes the last record that was written.
    fn reached(&self, head: ChainHead) {
        *self.0.head.lock() = head;
    }
}

/// The line that stands where records were lost.
fn gap(lost: u64) -> String {
    let record = Record {
        timestamp: format!("{:.6}", Timestamp::now()).into(),
        level: "ERROR",
        decision: "lost".into(),
        lost: Some(lost),
        ..Record::default()
    };
    serde_json::to_string(&record).map_or_else(|_| String::new(), |line| line + "\n")
}
