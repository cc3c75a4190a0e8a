//! The audit file: one JSON object on each line.
//!
//! A decision adds its line to what is pending, which is all that a request ever waits for; a thread of
//! its own writes what has come together, a few hundred times a second at most.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Write},
    path::Path,
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, registry::LookupSpan};

use super::{
    TARGET,
    journal::{Journal, Rotation},
    queue::Sink,
};

/// Writes each record to the file. What is still on its way is written when the writer is dropped.
pub(crate) fn layer<S>(data: &Path, rotation: Rotation) -> io::Result<(impl Layer<S>, Writer)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let mut journal = Journal::open(data, rotation)?;
    let sink = Sink::default();
    let records = Records(sink.clone());
    let written = sink.clone();
    let thread = thread::Builder::new().name("audit".to_owned());
    let thread = thread.spawn(move || written.write_to(&mut journal))?;
    let only_audit = Targets::new().with_target(TARGET, tracing::Level::TRACE);
    Ok((records.with_filter(only_audit), Writer { sink, thread: Some(thread) }))
}

/// The thread that writes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    sink: Sink,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Where the records go.
    pub(crate) fn sink(&self) -> &Sink {
        &self.sink
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.sink.finish();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes a line of each event.
struct Records(Sink);

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
