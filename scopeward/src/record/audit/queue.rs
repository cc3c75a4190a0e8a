//! The queue of audit records for the disk, and what is known of their file. A request adds its line.
//! Only a call whose policy says `audit = "required"` waits until its line is written.

use std::{
    cell::RefCell,
    mem,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::rand;
use jiff::Timestamp;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::{chain::ChainHead, record::Record};

/// The most bytes that may wait for a slow disk: 64 MiB, so that memory stays bounded. Records
/// beyond that are lost, and counted.
const MOST_PENDING: usize = 64 * 1024 * 1024;
/// How long a call waits for its record when records are required: 5 seconds, so that a disk that
/// does not answer cannot hold requests for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a call runs before its record is written without its outcome: 100 ms, so that nearly every
/// call has one record, and a call during which the process dies leaves a trace.
const LONGEST_UNWRITTEN: Duration = Duration::from_millis(100);
/// How long the writer may be silent before it counts as stuck: 1 second, which is ten of its turns.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);
/// How long an interruption of the file makes the server's health degraded: a minute, so that somebody
/// sees it although the server has mended it by itself.
const INTERRUPTION_SHOWN: Duration = Duration::from_mins(1);

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
    state: Mutex<WriterState>,
}

/// What the writer says of itself and of its file.
#[derive(Debug, Default)]
struct WriterState {
    head: ChainHead,
    /// Why records cannot be written now.
    reason: Option<String>,
    /// How many bytes the writer has taken and not written yet.
    unwritten: usize,
    /// When the writer last had its turn; `None` if it has not started, or has ended.
    beat: Option<Instant>,
    interruptions: u64,
    interrupted: Option<(Instant, FileInterruption)>,
}

/// The last time that somebody else took away or changed the file.
#[derive(Debug, Clone)]
pub(crate) struct FileInterruption {
    pub(crate) at: Timestamp,
    pub(crate) reason: &'static str,
}

/// The records that wait to be written, and the calls that run.
#[derive(Debug, Default)]
pub(super) struct Pending {
    lines: Lines,
    /// The calls that run, each at a place of its own.
    running: Vec<Option<RunningCall>>,
    /// The places in `running` that are free.
    free: Vec<usize>,
    /// How many records were lost for lack of room since the last one that was added.
    lost: u64,
    /// The number of the next call that has two records.
    next_call: Option<u64>,
    /// `true` when no more lines will be added.
    is_over: bool,
}

/// Lines, each with its end, and the calls that wait until theirs is written.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: Vec<u8>,
    pub(super) waiting: Vec<WaitingCall>,
}

/// A call that waits until its line is written.
#[derive(Debug)]
pub(super) struct WaitingCall {
    pub(super) line: Range<usize>,
    pub(super) told: oneshot::Sender<()>,
}

/// A call that runs: its `allow` record, which has no outcome yet.
#[derive(Debug)]
struct RunningCall {
    /// The record as `{…}`.
    record: Vec<u8>,
    begun: Instant,
    /// The call's number, if the record is written already.
    written_as: Option<u64>,
}

/// Why a call was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotRecorded;

/// The health of an audit file.
#[derive(Debug, Clone)]
pub(crate) struct AuditHealth {
    /// `true` if the last write failed, a record found no room, or the writer is stuck.
    pub(crate) is_failing: bool,
    /// Why records cannot be written now.
    pub(crate) reason: Option<String>,
    /// How many records are lost, and will never be written.
    pub(crate) lost: u64,
    /// How often a write failed.
    pub(crate) failures: u64,
    /// How often somebody else took away or changed the file.
    pub(crate) interruptions: u64,
    /// The last such time.
    pub(crate) interrupted: Option<FileInterruption>,
    /// `true` if the last such time is less than a minute ago.
    pub(crate) was_just_interrupted: bool,
    /// How many bytes wait to be written.
    pub(crate) pending: usize,
    /// The number and the digest of the last record that was written.
    pub(crate) head: ChainHead,
}

impl AuditSink {
    /// Returns whether records are being kept: the last write worked, there is room, and the writer
    /// has not ended.
    pub(crate) fn is_keeping(&self) -> bool {
        !self.0.is_failing.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self) -> AuditHealth {
        let pending = self.pending().lines.text.len();
        let Queue { is_failing, lost, failures, state, .. } = &*self.0;
        let state = state.lock();
        let silence = state.beat.map(|beat| beat.elapsed());
        let stuck = match silence {
            None => Some("its writer has ended".to_owned()),
            Some(silence) if silence > LONGEST_SILENCE => {
                Some(format!("the disk has not answered for {} s", silence.as_secs()))
            }
            Some(_) => None,
        };
        AuditHealth {
            is_failing: is_failing.load(Ordering::Relaxed) || stuck.is_some(),
            reason: state.reason.clone().or(stuck),
            lost: lost.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            interruptions: state.interruptions,
            interrupted: state.interrupted.as_ref().map(|(_, interruption)| interruption.clone()),
            was_just_interrupted: state
                .interrupted
                .as_ref()
                .is_some_and(|(at, _)| at.elapsed() < INTERRUPTION_SHOWN),
            pending: pending + state.unwritten,
            head: state.head,
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
                self.add(&[line, b"\n"], None);
            }
        });
    }

    /// Adds one line, which is given in parts with its end.
    fn add(&self, parts: &[&[u8]], told: Option<oneshot::Sender<()>>) {
        let mut pending = self.pending();
        let was_empty = pending.lines.text.is_empty();
        let is_urgent = told.is_some();
        let is_added = pending.add(parts, told);
        drop(pending);
        if !is_added {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            self.fail("the disk does not keep up, and no more records fit into memory");
        } else if was_empty || is_urgent {
            self.0.arrived.notify_one();
        }
    }

    /// Begins a call: keeps its `allow` record until the call ends, or for 100 ms. Returns the call's
    /// place.
    pub(super) fn begin(&self, record: Vec<u8>, begun: Instant) -> usize {
        self.pending().begin(RunningCall { record, begun, written_as: None })
    }

    /// Begins a call once its `allow` record is written. Returns the call's place.
    pub(super) async fn begin_written(&self, record: Vec<u8>) -> Result<usize, NotRecorded> {
        if !self.is_keeping() {
            return Err(NotRecorded);
        }
        let (tell, told) = oneshot::channel();
        let call = self.pending().number_a_call();
        self.add(&[without_end(&record), named(call).as_bytes(), b"}\n"], Some(tell));
        // A line that is not written is taken back by the writer when nobody waits for it any more.
        match tokio::time::timeout(LONGEST_WAIT, told).await {
            Ok(Ok(())) => {
                let begun = Instant::now();
                let running = RunningCall { record, begun, written_as: Some(call) };
                Ok(self.pending().begin(running))
            }
            _ => Err(NotRecorded),
        }
    }

    /// Ends a call: completes its `allow` record, or adds a record that names it.
    pub(super) fn end(&self, place: usize, ended: &Ending) {
        let mut pending = self.pending();
        let Some(call) = pending.end(place) else { return };
        let Some(number) = call.written_as else {
            drop(pending);
            self.add(&[without_end(&call.record), &ended.members(), b"}\n"], None);
            return;
        };
        drop(pending);
        self.outcome(&call.record, number, ended);
    }

    /// Adds the record that says how a call ended whose `allow` record is written.
    fn outcome(&self, allowed: &[u8], call: u64, ended: &Ending) {
        if let Ok(allowed) = serde_json::from_slice::<Record<'_>>(allowed) {
            self.record(&Record { call: Some(call_name(call).into()), ..ended.of(&allowed) });
        }
    }

    /// Adds the record that says that a call did not run although its `allow` record is written,
    /// because its caller had stopped waiting.
    pub(super) fn did_not_run(&self, line: &[u8]) {
        if let Ok(allowed) = serde_json::from_slice::<Record<'_>>(line.trim_ascii_end()) {
            let ended = Ending { outcome: Outcome::NotRun, ended: None, took: Duration::ZERO };
            self.record(&Record { call: allowed.call.clone(), ..ended.of(&allowed) });
        }
    }

    /// Ends the queue: no more records will be added.
    pub(super) fn finish(&self) {
        self.pending().is_over = true;
        self.0.arrived.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.pending().is_over
    }

    /// Waits up to `longest` for records, and moves all that there are into `lines`. Returns whether
    /// the queue is over.
    pub(super) fn take(&self, lines: &mut Lines, longest: Duration) -> bool {
        let mut pending = self.pending();
        let until = Instant::now() + longest;
        while pending.lines.text.is_empty() && !pending.is_over {
            if self.0.arrived.wait_until(&mut pending, until).timed_out() {
                break;
            }
        }
        let is_over = pending.is_over;
        // While older lines cannot be written, newer ones wait here, where there is a bound.
        if lines.text.is_empty() || is_over {
            if pending.lost > 0 {
                let gap = gap(mem::take(&mut pending.lost));
                pending.lines.text.extend_from_slice(gap.as_bytes());
            }
            lines.append(&mut pending.lines);
            pending.write_running(&mut lines.text, is_over);
        }
        is_over
    }

    /// Waits for `longest`, or until a call waits for its record, or until the queue is over.
    pub(super) fn pause(&self, longest: Duration) {
        let until = Instant::now() + longest;
        let mut pending = self.pending();
        while pending.lines.waiting.is_empty() && !pending.is_over {
            if self.0.arrived.wait_until(&mut pending, until).timed_out() {
                return;
            }
        }
    }

    /// Waits for `longest`, or until the queue is over.
    pub(super) fn rest(&self, longest: Duration) {
        let until = Instant::now() + longest;
        let mut pending = self.pending();
        while !pending.is_over {
            if self.0.arrived.wait_until(&mut pending, until).timed_out() {
                return;
            }
        }
    }

    /// Notes that the writer had its turn, the last record that is written, and how many bytes the
    /// writer could not write yet.
    pub(super) fn beat(&self, head: ChainHead, unwritten: usize) {
        let mut state = self.0.state.lock();
        state.beat = Some(Instant::now());
        state.head = head;
        state.unwritten = unwritten;
    }

    /// Tells the calls that wait for their records that these are not written.
    pub(super) fn refuse_waiting(&self) {
        self.pending().lines.take_back(|_| true);
    }

    /// Notes that records cannot be written, and why. Returns whether that is new.
    pub(super) fn fail(&self, reason: &str) -> bool {
        let mut state = self.0.state.lock();
        let is_new = state.reason.as_deref() != Some(reason);
        if is_new {
            state.reason = Some(reason.to_owned());
        }
        self.0.is_failing.store(true, Ordering::Relaxed);
        is_new
    }

    /// Notes that a write failed.
    pub(super) fn count_failure(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that records are lost for good.
    pub(super) fn count_lost(&self, records: u64) {
        self.0.lost.fetch_add(records, Ordering::Relaxed);
    }

    /// Notes that records are written again.
    pub(super) fn recover(&self) {
        let mut state = self.0.state.lock();
        state.reason = None;
        self.0.is_failing.store(false, Ordering::Relaxed);
    }

    /// Notes that somebody else took away or changed the file.
    pub(super) fn interrupt(&self, reason: &'static str) {
        let mut state = self.0.state.lock();
        state.interruptions += 1;
        let interruption = FileInterruption { at: Timestamp::now(), reason };
        state.interrupted = Some((Instant::now(), interruption));
    }

    /// Notes that the writer has ended: nobody's record will be written, and nobody waits for one.
    pub(super) fn writer_ended(&self) {
        self.0.state.lock().beat = None;
        self.0.is_failing.store(true, Ordering::Relaxed);
        self.refuse_waiting();
    }
}

impl Pending {
    /// Adds one line. Returns `false` if there is no room for it.
    fn add(&mut self, parts: &[&[u8]], told: Option<oneshot::Sender<()>>) -> bool {
        let Lines { text, waiting } = &mut self.lines;
        let start = text.len();
        if start + parts.iter().map(|part| part.len()).sum::<usize>() > MOST_PENDING {
            self.lost += 1;
            return false;
        }
        for part in parts {
            text.extend_from_slice(part);
        }
        if let Some(told) = told {
            waiting.push(WaitingCall { line: start..text.len(), told });
        }
        true
    }

    fn begin(&mut self, call: RunningCall) -> usize {
        if let Some(place) = self.free.pop() {
            self.running[place] = Some(call);
            return place;
        }
        self.running.push(Some(call));
        self.running.len() - 1
    }

    fn end(&mut self, place: usize) -> Option<RunningCall> {
        let call = self.running.get_mut(place)?.take()?;
        self.free.push(place);
        Some(call)
    }

    /// The number of a call that has two records. The first one is random, so that the calls of two
    /// processes have different numbers.
    fn number_a_call(&mut self) -> u64 {
        let first = || {
            let mut bytes = [0; 8];
            // Without random numbers the calls are numbered from 0, which confuses nobody for long.
            let _ = rand::fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        let number = self.next_call.unwrap_or_else(first);
        self.next_call = Some(number.wrapping_add(1));
        number
    }

    /// Writes the records of calls that have run for long; of all calls, if the queue is over.
    fn write_running(&mut self, out: &mut Vec<u8>, are_all: bool) {
        for place in 0..self.running.len() {
            let is_due = |call: &RunningCall| {
                call.written_as.is_none() && (are_all || call.begun.elapsed() >= LONGEST_UNWRITTEN)
            };
            if self.running[place].as_ref().is_some_and(is_due) {
                let number = self.number_a_call();
                if let Some(call) = &mut self.running[place] {
                    call.written_as = Some(number);
                    out.extend_from_slice(without_end(&call.record));
                    out.extend_from_slice(named(number).as_bytes());
                    out.extend_from_slice(b"}\n");
                }
            }
        }
        // A burst of calls must not make every later turn look through its empty places.
        if self.free.len() == self.running.len() {
            self.running.clear();
            self.free.clear();
        }
    }
}

impl Lines {
    /// Moves all lines of `other` to the end of these.
    fn append(&mut self, other: &mut Self) {
        if self.text.is_empty() {
            mem::swap(&mut self.text, &mut other.text);
            mem::swap(&mut self.waiting, &mut other.waiting);
            return;
        }
        let by = self.text.len();
        self.text.append(&mut other.text);
        let moved = other.waiting.drain(..).map(|WaitingCall { line, told }| WaitingCall {
            line: line.start + by..line.end + by,
            told,
        });
        self.waiting.extend(moved);
    }

    /// Removes the first `written` bytes, whose calls have been told.
    pub(super) fn forget(&mut self, written: usize) {
        self.text.drain(..written);
        for WaitingCall { line, .. } in &mut self.waiting {
            *line = line.start - written..line.end - written;
        }
    }

    /// Takes back the lines of the calls that `is_given_up` names. Dropping a call's sender tells the
    /// call that its record is not written.
    pub(super) fn take_back(&mut self, is_given_up: impl Fn(&WaitingCall) -> bool) {
        if !self.waiting.iter().any(&is_given_up) {
            return;
        }
        let mut kept = Lines::default();
        let mut end = 0;
        for WaitingCall { line, told } in mem::take(&mut self.waiting) {
            kept.text.extend_from_slice(&self.text[end..line.start]);
            end = line.end;
            let call = WaitingCall { line: line.clone(), told };
            if !is_given_up(&call) {
                let start = kept.text.len();
                kept.text.extend_from_slice(&self.text[line]);
                kept.waiting.push(WaitingCall { line: start..kept.text.len(), told: call.told });
            }
        }
        kept.text.extend_from_slice(&self.text[end..]);
        *self = kept;
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With an answer.
    Ok,
    /// With a tool's result that says that it is an error.
    ToolError,
    /// With a protocol error, or because the tool panicked.
    Error,
    /// Its caller went away before the answer.
    Abandoned,
    /// It never ran.
    NotRun,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::Error => "error",
            Self::Abandoned => "abandoned",
            Self::NotRun => "not_run",
        }
    }
}

/// The end of a call, as records say it.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    /// How an abandoned call ended, if it ran to its end.
    pub(super) ended: Option<Outcome>,
    pub(super) took: Duration,
}

impl Ending {
    fn micros(&self) -> u64 {
        u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX)
    }

    /// The members that complete an `allow` record. Written by hand, because every call needs them.
    fn members(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.extend_from_slice(br#","outcome":""#);
        out.extend_from_slice(self.outcome.as_str().as_bytes());
        if let Some(ended) = self.ended {
            out.extend_from_slice(br#"","ended":""#);
            out.extend_from_slice(ended.as_str().as_bytes());
        }
        out.extend_from_slice(br#"","took_micros":"#);
        // The digits of the largest number.
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        let mut rest = self.micros();
        while first == digits.len() || rest > 0 {
            first -= 1;
            digits[first] = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
        }
        out.extend_from_slice(&digits[first..]);
        out
    }

    /// The record of the end of a call with this `allow` record.
    pub(super) fn of<'a>(&self, allowed: &Record<'a>) -> Record<'a> {
        Record {
            timestamp: now().into(),
            level: "INFO",
            decision: "outcome".into(),
            tool: allowed.tool.clone(),
            resource: allowed.resource.clone(),
            prompt: allowed.prompt.clone(),
            subject: allowed.subject.clone(),
            client: allowed.client.clone(),
            outcome: Some(self.outcome.as_str().into()),
            ended: self.ended.map(|ended| ended.as_str().into()),
            took_micros: Some(self.micros()),
            ..Record::default()
        }
    }
}

/// A record without its last brace, so that members can be added.
fn without_end(record: &[u8]) -> &[u8] {
    record.strip_suffix(b"}").unwrap_or(record)
}

/// The member that names a call.
fn named(call: u64) -> String {
    format!(r#","call":"{}""#, call_name(call))
}

fn call_name(call: u64) -> String {
    format!("{call:016x}")
}

/// The time of a record.
pub(super) fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// The line that stands where records were lost.
fn gap(lost: u64) -> String {
    line(&Record {
        timestamp: now().into(),
        level: "ERROR",
        decision: "lost".into(),
        lost: Some(lost),
        ..Record::default()
    })
}

/// A record of the file itself, as a line with its end.
pub(super) fn line(record: &Record<'_>) -> String {
    serde_json::to_string(record).map_or_else(|_| String::new(), |line| line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_call_completes_its_record() {
        let members = |outcome, ended, micros| {
            let ending = Ending { outcome, ended, took: Duration::from_micros(micros) };
            String::from_utf8(ending.members()).unwrap()
        };
        assert_eq!(members(Outcome::Ok, None, 0), r#","outcome":"ok","took_micros":0"#);
        assert_eq!(
            members(Outcome::Abandoned, Some(Outcome::ToolError), 1_020),
            r#","outcome":"abandoned","ended":"tool_error","took_micros":1020"#
        );
        assert!(members(Outcome::Ok, None, u64::MAX).ends_with(":18446744073709551615"));
    }

    fn lines(all: &[(&str, bool)]) -> (Lines, Vec<oneshot::Receiver<()>>) {
        let (mut lines, mut told) = (Lines::default(), vec![]);
        for (text, waits) in all {
            let start = lines.text.len();
            lines.text.extend_from_slice(text.as_bytes());
            if *waits {
                let (tell, receiver) = oneshot::channel();
                lines.waiting.push(WaitingCall { line: start..lines.text.len(), told: tell });
                told.push(receiver);
            }
        }
        (lines, told)
    }

    #[test]
    fn a_line_that_is_taken_back_leaves_the_others() {
        let (mut all, mut told) =
            lines(&[("a\n", false), ("b\n", true), ("c\n", false), ("d\n", true)]);
        let (mut more, _kept) = lines(&[("e\n", true), ("f\n", false)]);
        all.append(&mut more);
        drop(told.remove(0));
        all.take_back(|call| call.told.is_closed());
        assert_eq!(all.text, b"a\nc\nd\ne\nf\n");
        let line = |call: &WaitingCall| all.text[call.line.clone()].to_vec();
        assert_eq!(all.waiting.iter().map(line).collect::<Vec<_>>(), [b"d\n", b"e\n"]);
        all.forget(4);
        assert_eq!(all.text[all.waiting[0].line.clone()], *b"d\n");
        all.take_back(|_| true);
        assert_eq!((&*all.text, all.waiting.len()), (&b"f\n"[..], 0));
        assert!(told[0].try_recv().is_err(), "the call is told that it is not recorded");
    }

    /// A writer that has died: nobody waits for it, and nothing that must be recorded begins.
    #[tokio::test]
    async fn a_writer_that_has_ended_refuses() {
        let sink = AuditSink::default();
        sink.beat(ChainHead::default(), 0);
        assert!(sink.is_keeping() && !sink.health().is_failing);
        let waiting = tokio::spawn({
            let sink = sink.clone();
            async move { sink.begin_written(b"{}".to_vec()).await }
        });
        while sink.health().pending == 0 {
            tokio::task::yield_now().await;
        }
        sink.writer_ended();
        assert_eq!(waiting.await.unwrap(), Err(NotRecorded));
        assert_eq!(sink.begin_written(b"{}".to_vec()).await, Err(NotRecorded));
        let health = sink.health();
        assert!(health.is_failing && health.reason.unwrap().contains("has ended"));
        assert_eq!(health.pending, 0, "what did not run has no record");
    }
}
