//! Forwards the provider's metadata, because clients older than RFC 9728 look for it at the
//! resource's own origin.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    identity::provider::ConfiguredProvider,
    remote::{Remote, RemoteError},
};

/// How long the provider's metadata is cached.
const KEPT: Duration = Duration::from_mins(5);
/// How long the provider is not asked again after a failure, so that it is not flooded while it is
/// down.
const RETRY: Duration = Duration::from_secs(5);

/// How long a request waits for the first metadata. After that it is answered 503.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Forwards `/.well-known/oauth-authorization-server`.
#[derive(Debug, Clone)]
pub(crate) struct MetadataForwarder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    configured: ConfiguredProvider,
    remote: Remote,
    known: Mutex<Known>,
    /// The number of times that the provider was asked, with or without success.
    asked: watch::Sender<u64>,
}

/// What is known of the provider's metadata.
#[derive(Debug, Default)]
struct Known {
    /// The last good metadata. It is served while the provider is silent, because old metadata is
    /// better than none.
    good: Option<Arc<Value>>,
    error: Option<Arc<RemoteError>>,
    /// When the provider was last asked.
    at: Option<Instant>,
    is_being_asked: bool,
}

impl MetadataForwarder {
    pub(crate) fn new(configured: ConfiguredProvider, remote: Remote) -> Self {
        Self(Arc::new(Inner {
            configured,
            remote,
            known: Mutex::default(),
            asked: watch::Sender::new(0),
        }))
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/.well-known/oauth-authorization-server", get(forward))
            .with_state(self)
    }

    /// Asks the provider in the background, if that is due and nobody asks already.
    fn ask_if_due(&self) {
        let mut known = self.0.known.lock();
        let kept = if known.error.is_some() { RETRY } else { KEPT };
        if known.is_being_asked || known.at.is_some_and(|at| at.elapsed() < kept) {
            return;
        }
        known.is_being_asked = true;
        drop(known);
        tokio::spawn(self.clone().ask());
    }

    async fn ask(self) {
        let asked = self.0.configured.metadata(&self.0.remote).await;
        let mut known = self.0.known.lock();
        match asked {
            Ok(metadata) => {
                known.good = Some(Arc::new(metadata.answer.json));
                known.error = None;
            }
            Err(error) => {
                tracing::warn!("{error}");
                known.error = Some(Arc::new(error));
            }
        }
        known.at = Some(Instant::now());
        known.is_being_asked = false;
        drop(known);
        self.0.asked.send_modify(|asked| *asked += 1);
    }

    /// The answer from what is known; `None` while nothing is known and the provider is being asked.
    fn known(&self) -> Option<Response> {
        let known = self.0.known.lock();
        match (&known.good, &known.error) {
            (Some(good), _) => Some(Json(good.clone()).into_response()),
            (None, Some(error)) if !known.is_being_asked => Some(unavailable(error)),
            (None, _) => None,
        }
    }
}

async fn forward(State(forwarder): State<MetadataForwarder>) -> Response {
    let mut asked = forwarder.0.asked.subscribe();
    forwarder.ask_if_due();
    if let Some(answer) = forwarder.known() {
        return answer;
    }
    let _ = tokio::time::timeout(MAX_WAIT, asked.changed()).await;
    forwarder.known().unwrap_or_else(|| refused(StatusCode::SERVICE_UNAVAILABLE))
}

/// The answer without metadata: 503 if the provider does not answer, 502 if its answer is wrong.
fn unavailable(error: &RemoteError) -> Response {
    let status = match error {
        RemoteError::Answer { .. } | RemoteError::Status { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    refused(status)
}

fn refused(status: StatusCode) -> Response {
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": "the authorization server's metadata is not available now",
    });
    (status, [(header::RETRY_AFTER, "5")], Json(body)).into_response()
}
