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
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::identity::provider::ConfiguredProvider;
use crate::remote::{Remote, RemoteError};

/// How long the provider's metadata is cached.
const KEPT: Duration = Duration::from_mins(5);
/// How long the provider is not asked again after a failure, so that it is not flooded while it is
/// down.
const RETRY: Duration = Duration::from_secs(5);

/// Forwards `/.well-known/oauth-authorization-server`.
#[derive(Debug, Clone)]
pub(crate) struct MetadataForwarder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    configured: ConfiguredProvider,
    remote: Remote,
    /// The last answer. The lock is held while the provider is asked, so that one request asks and
    /// the others wait for its answer.
    last: Mutex<Option<LastAnswer>>,
}

#[derive(Debug)]
struct LastAnswer {
    at: Instant,
    good: Option<Value>,
    error: Option<RemoteError>,
}

impl MetadataForwarder {
    pub(crate) fn new(configured: ConfiguredProvider, remote: Remote) -> Self {
        Self(Arc::new(Inner { configured, remote, last: Mutex::new(None) }))
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/.well-known/oauth-authorization-server", get(forward))
            .with_state(self)
    }
}

async fn forward(State(MetadataForwarder(forwarder)): State<MetadataForwarder>) -> Response {
    let mut last = forwarder.last.lock().await;
    let kept = |last: &LastAnswer| if last.error.is_some() { RETRY } else { KEPT };
    if last.as_ref().is_none_or(|last| last.at.elapsed() >= kept(last)) {
        let good = last.take().and_then(|last| last.good);
        let asked = forwarder.configured.metadata(&forwarder.remote).await;
        let (good, error) = match asked {
            Ok(metadata) => (Some(metadata.answer.json), None),
            // The last good metadata is served, because old metadata is better than none.
            Err(error) => (good, Some(error)),
        };
        if let Some(error) = &error {
            tracing::warn!("{error}");
        }
        *last = Some(LastAnswer { at: Instant::now(), good, error });
    }
    match last.as_ref() {
        Some(LastAnswer { good: Some(json), .. }) => Json(json.clone()).into_response(),
        Some(LastAnswer { error: Some(error), .. }) => unavailable(error),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The answer without metadata: 503 if the provider does not answer, 502 if its answer is wrong.
fn unavailable(error: &RemoteError) -> Response {
    let status = match error {
        RemoteError::Answer { .. } | RemoteError::Status { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": "the authorization server's metadata is not available now",
    });
    (status, [(header::RETRY_AFTER, "5")], Json(body)).into_response()
}
