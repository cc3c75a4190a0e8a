//! Records on their way to the file: a request adds its line, and never waits for the disk.

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

/// What comes within this time is written together.
const GATHERED: Duration = Duration::from_millis(5);
/// More than this is not kept for a disk that does not keep up.
const MOST_PENDING: usize = 64 * 1024 * 1024;
/// A buffer that grew beyond this is not kept.
const LARGEST_KEPT: usize = 1024 * 1024;
/// After a failure the next try comes after this.
const RETRY: Duration = Duration::from_millis(100);
/// At the end a disk that takes nothing is tried for so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where records go, and how they fare there. Clones are the same one.
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

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    /// How many records there was no room for, since the last one that there was.
    lost: u64,
    is_over: bool,
}

/// How the records fare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditHealth {
    /// Whether the last write failed.
    pub(crate) is_failing: bool,
    /// How many records are lost for good.
    pub(crate) lost: u64,
    /// How often a write failed.
    pub(crate) failures: u64,
    /// How many bytes wait to be written.
    pub(crate) pending: usize,
    /// The last record that was written.
    pub(crate) head: ChainHead,
}

impl AuditSink {
    /// Whether records can be relied on to be kept.
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

    /// Adds a record to those that are pending.
    pub(super) fn record(&self, record: &Record<'_>) {
        thread_local! {
            /// Used again for each line of a thread.
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            // It cannot fail: texts and numbers, written to memory.
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

    /// Nothing will be added any more.
    pub(super) fn finish(&self) {
        self.pending().is_over = true;
        self.0.arrived.notify_one();
    }

    /// Writes what is added, until the end.
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

    /// Writes all of it, however often that takes. Whether it was, at the end.
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

    fn reached(&self, head: ChainHead) {
        *self.0.head.lock() = head;
    }
}

/// What stands where records were lost.
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
