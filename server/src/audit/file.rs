//! The audit file: one JSON object on each line, written by a thread of its own.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use tracing::Subscriber;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::TARGET;

/// Where it is, in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("audit.jsonl")
}

/// Writes each record to the file. What is still on its way is written when the guard is dropped.
pub(crate) fn layer<S>(data: &Path) -> io::Result<(impl Layer<S>, WorkerGuard)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let (writer, guard) = tracing_appender::non_blocking(open(&path(data))?);
    let records = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer)
        .with_filter(Targets::new().with_target(TARGET, tracing::Level::TRACE));
    Ok((records, guard))
}

/// For appending, and for nobody else to read: it says who did what.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
