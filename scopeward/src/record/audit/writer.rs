//! The thread that writes the audit file.
//!
//! A decision adds its line to the queue, and no request waits for more than that. The thread
//! writes the lines together, at most 200 times a second.

use std::{
    io,
    path::Path,
    thread::{self, JoinHandle},
};

use super::{
    journal::{Journal, Rotation},
    queue::AuditSink,
};

/// Writes records to the audit file of a data folder until it is dropped. Dropping it first writes
/// the pending records.
#[derive(Debug)]
pub(crate) struct AuditWriter {
    sink: AuditSink,
    thread: Option<JoinHandle<()>>,
}

impl AuditWriter {
    /// Opens the file and starts the thread.
    pub(crate) fn start(data: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut journal = Journal::open(data, rotation)?;
        let sink = AuditSink::default();
        let written = sink.clone();
        let thread = thread::Builder::new().name("audit".to_owned());
        let thread = thread.spawn(move || written.write_to(&mut journal))?;
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
