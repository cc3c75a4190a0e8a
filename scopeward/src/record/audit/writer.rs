//! The thread that writes the audit file.
//!
//! A decision adds its line to those that are pending, which is all that a request ever waits for; the
//! thread writes them together, a few hundred times a second at most.

use std::{
    io,
    path::Path,
    thread::{self, JoinHandle},
};

use super::{
    journal::{Journal, Rotation},
    queue::AuditSink,
};

/// Writes records to the file of a data folder, until it is dropped. The records that are pending then
/// are written first.
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

    /// Where records go to be written.
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
