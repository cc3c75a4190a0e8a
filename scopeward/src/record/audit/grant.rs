//! A use that the gate allowed, from the decision to its end. It is recorded when it begins, so that a
//! use that was allowed and never begun leaves no record and no count.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use parking_lot::Mutex;

use super::{
    queue::{AuditSink, Ending, NotRecorded, Outcome},
    record::{Record, allowed_are_logged},
};
use crate::policy::DecisionCounts;

/// A use that the gate allowed, and that has not begun yet. Clones are the same use.
#[derive(Debug, Clone)]
pub(crate) struct Grant(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sink: Option<AuditSink>,
    /// Whether the use may begin only once its record is written.
    is_required: bool,
    counts: Arc<DecisionCounts>,
    /// The counts of the further rules that let the use through.
    others: Vec<Arc<DecisionCounts>>,
    /// The `allow` record as `{…}`, until the use begins. Empty if nobody keeps or logs it.
    record: Mutex<Vec<u8>>,
    has_begun: AtomicBool,
    is_abandoned: AtomicBool,
    is_unrecorded: AtomicBool,
}

/// A use that runs. Dropping it without [`end`](Self::end) records that the use was abandoned, or if
/// its thread panics, that it failed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Running {
    grant: Grant,
    begun: Instant,
    /// The place of the `allow` record in the queue of the file, until the use ends. `None` if there is
    /// no file, or if another clone has begun the use.
    place: Option<usize>,
}

impl Grant {
    pub(super) fn new(
        sink: Option<AuditSink>,
        is_required: bool,
        counts: Arc<DecisionCounts>,
        others: Vec<Arc<DecisionCounts>>,
        record: &Record<'_>,
    ) -> Self {
        let is_used = sink.is_some() || allowed_are_logged();
        let record = if is_used { bytes_of(record) } else { vec![] };
        Self(Arc::new(Inner {
            sink,
            is_required,
            counts,
            others,
            record: Mutex::new(record),
            has_begun: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            is_unrecorded: AtomicBool::new(false),
        }))
    }

    /// Begins the use: counts it, and records it. If records are required, the use begins only once
    /// its record was handed to the operating system.
    pub(crate) async fn begin(&self) -> Result<Running, NotRecorded> {
        let inner = &*self.0;
        let running = |place, begun| Running { grant: self.clone(), begun, place };
        if inner.has_begun.swap(true, Ordering::Relaxed) {
            return Ok(running(None, Instant::now()));
        }
        let record = std::mem::take(&mut *inner.record.lock());
        log(&record);
        let mut begun = Instant::now();
        let place = match &inner.sink {
            None => None,
            Some(sink) if inner.is_required => {
                let Ok(place) = Box::pin(sink.begin_written(record)).await else {
                    inner.is_unrecorded.store(true, Ordering::Relaxed);
                    return Err(NotRecorded);
                };
                begun = Instant::now();
                Some(place)
            }
            Some(sink) => Some(sink.begin(record, begun)),
        };
        inner.counts.count_allowed();
        inner.others.iter().for_each(|counts| counts.count_allowed());
        Ok(running(place, begun))
    }

    /// Notes that the caller went away before the answer.
    pub(crate) fn abandon(&self) {
        self.0.is_abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether the use was refused because its record could not be written.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.0.is_unrecorded.load(Ordering::Relaxed)
    }

    /// Whether nobody has begun the use.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.0.has_begun.load(Ordering::Relaxed)
    }
}

impl Running {
    /// Ends the use, and records how.
    pub(crate) fn end(mut self, outcome: Outcome) {
        if self.grant.0.is_abandoned.load(Ordering::Relaxed) {
            self.record(Outcome::Abandoned, Some(outcome));
        } else {
            self.record(outcome, None);
        }
    }

    fn record(&mut self, outcome: Outcome, ended: Option<Outcome>) {
        let ending = Ending { outcome, ended, took: self.begun.elapsed() };
        if let (Some(place), Some(sink)) = (self.place.take(), &self.grant.0.sink) {
            sink.end(place, &ending);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let outcome = if thread::panicking() { Outcome::Error } else { Outcome::Abandoned };
        self.record(outcome, None);
    }
}

/// A record as `{…}`.
fn bytes_of(record: &Record<'_>) -> Vec<u8> {
    // Most records are shorter, so that the buffer need not grow.
    let mut bytes = Vec::with_capacity(768);
    // Serializing texts and numbers to memory cannot fail.
    let _ = serde_json::to_writer(&mut bytes, record);
    bytes
}

/// Writes a copy of an `allow` record to the log, if the log takes it.
fn log(record: &[u8]) {
    if allowed_are_logged()
        && let Ok(record) = serde_json::from_slice::<Record<'_>>(record)
    {
        record.log();
    }
}

/// The grants of one request: none, one, or one for each rule that let it through.
#[derive(Debug, Clone, Default)]
pub(crate) enum Grants {
    #[default]
    None,
    One(Grant),
    Several(Arc<[Grant]>),
}

impl From<Grant> for Grants {
    fn from(grant: Grant) -> Self {
        Self::One(grant)
    }
}

impl From<Vec<Grant>> for Grants {
    fn from(grants: Vec<Grant>) -> Self {
        if grants.is_empty() { Self::None } else { Self::Several(grants.into()) }
    }
}

impl Grants {
    fn all(&self) -> &[Grant] {
        match self {
            Self::None => &[],
            Self::One(grant) => std::slice::from_ref(grant),
            Self::Several(grants) => grants,
        }
    }

    /// [Begins](Grant::begin) all uses. If one cannot be recorded, the others have ended.
    pub(crate) async fn begin(&self) -> Result<AllRunning, NotRecorded> {
        let mut all = Vec::with_capacity(self.all().len());
        for grant in self.all() {
            let Ok(running) = grant.begin().await else {
                AllRunning(all).end(Outcome::NotRun);
                return Err(NotRecorded);
            };
            all.push(running);
        }
        Ok(AllRunning(all))
    }

    /// Notes that the caller is waiting for the answer, until the result is dropped or
    /// [answered](Awaited::answered).
    pub(crate) fn awaited(self) -> Awaited {
        Awaited(self)
    }

    /// Whether a use was refused because its record could not be written.
    pub(crate) fn are_unrecorded(&self) -> bool {
        self.all().iter().any(Grant::is_unrecorded)
    }

    /// Records the uses that nobody has begun, because the service behind the gate does not know of
    /// grants. Their outcome is not known.
    pub(crate) async fn pass(&self) {
        for grant in self.all().iter().filter(|grant| grant.is_fresh()) {
            if let Ok(running) = grant.begin().await {
                running.end(Outcome::Ok);
            }
        }
    }
}

/// The uses of one request while they run.
#[derive(Debug)]
#[must_use]
pub(crate) struct AllRunning(Vec<Running>);

impl AllRunning {
    /// [Ends](Running::end) all uses.
    pub(crate) fn end(self, outcome: Outcome) {
        for running in self.0 {
            running.end(outcome);
        }
    }
}

/// The grants of a request whose caller waits for the answer. Dropping it notes that the caller went
/// away.
#[derive(Debug)]
pub(crate) struct Awaited(Grants);

impl Awaited {
    /// Notes that there is an answer.
    pub(crate) fn answered(mut self) -> Grants {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.all().iter().for_each(Grant::abandon);
    }
}
