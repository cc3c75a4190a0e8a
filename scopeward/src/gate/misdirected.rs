//! The answer, the log line and the count of a request that is meant for another host, comes from a
//! page of another origin, or asks for another path.
//!
//! Such requests are most often a proxy or a setting that is wrong, so the answer and the log say what
//! this server expects. Anybody can send them, so each kind is logged once a minute at most.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde_json::json;

use axum::response::{IntoResponse, Response};

use crate::{record::metrics::metrics, text::quoted};

/// How long a kind is not logged again.
const QUIET: Duration = Duration::from_mins(1);
/// At most this many characters of a header are logged.
const LONGEST_SHOWN: usize = 100;

/// Why a request is not for this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdirected {
    /// The Host header names another server.
    Host,
    /// The request comes from a page that may not use the server.
    Origin,
    /// There is nothing at the path.
    Path,
}

impl Misdirected {
    /// The label in `/metrics`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Path => "path",
        }
    }
}

/// When each kind was last logged. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<[Option<Instant>; 3]>>);

impl Log {
    /// Counts a refusal, and logs it unless one of its kind was logged a moment ago.
    pub(crate) fn refused(&self, kind: Misdirected, was: Option<&HeaderValue>, expected: &str) {
        metrics().misdirected(kind.name());
        let is_due = {
            let mut all = self.0.lock();
            let last = match kind {
                Misdirected::Host => &mut all[0],
                Misdirected::Origin => &mut all[1],
                Misdirected::Path => &mut all[2],
            };
            let is_due = last.is_none_or(|last| last.elapsed() >= QUIET);
            if is_due {
                *last = Some(Instant::now());
            }
            is_due
        };
        if is_due {
            tracing::warn!("a request was refused by its {}{}: {expected}", kind.name(), Was(was));
        }
    }
}

/// A header that somebody else wrote, as the end of a sentence.
struct Was<'r>(Option<&'r HeaderValue>);

impl fmt::Display for Was<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0 else { return Ok(()) };
        let text = String::from_utf8_lossy(value.as_bytes());
        let text: String = text.chars().take(LONGEST_SHOWN).collect();
        write!(f, " {}", quoted(&text))
    }
}

/// The answer to a request that Host or Origin refuses, as a JSON-RPC error.
pub(crate) fn forbidden(message: &str) -> Response {
    let error = json!({ "code": -32600, "message": message });
    (StatusCode::FORBIDDEN, axum::Json(json!({ "jsonrpc": "2.0", "error": error }))).into_response()
}

/// The answer to a request for another path, which says where the MCP endpoint is.
pub(crate) fn not_found(expected: &str) -> Response {
    let body = json!({ "error": "not_found", "error_description": expected });
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}
