//! The provider's metadata, forwarded: clients older than RFC 9728 look for it at the resource's
//! own origin.

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

use crate::identity::provider::Connection;
use crate::remote::{Remote, RemoteError};

/// An answer is given again for so long; a failure is not asked about again for so long.
const KEPT: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(5);

/// Forwards `/.well-known/oauth-authorization-server`.
#[derive(Debug, Clone)]
pub(crate) struct Forwarder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    remote: Remote,
    /// One request asks, the others wait for its answer.
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
struct Last {
    at: Instant,
    good: Option<Value>,
    error: Option<RemoteError>,
}

impl Forwarder {
    pub(crate) fn new(connection: Connection, remote: Remote) -> Self {
        Self(Arc::new(Inner { connection, remote, last: Mutex::new(None) }))
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/.well-known/oauth-authorization-server", get(forward))
            .with_state(self)
    }
}

async fn forward(State(Forwarder(forwarder)): State<Forwarder>) -> Response {
    let mut last = forwarder.last.lock().await;
    let kept = |last: &Last| if last.error.is_some() { RETRY } else { KEPT };
    if last.as_ref().is_none_or(|last| last.at.elapsed() >= kept(last)) {
        let good = last.take().and_then(|last| last.good);
        let asked = forwarder.connection.metadata(&forwarder.remote).await;
        let (good, error) = match asked {
            Ok(metadata) => (Some(metadata.answer.json), None),
            // What was good a while ago is better than nothing.
            Err(error) => (good, Some(error)),
        };
        if let Some(error) = &error {
            tracing::warn!("{error}");
        }
        *last = Some(Last { at: Instant::now(), good, error });
    }
    match last.as_ref() {
        Some(Last { good: Some(json), .. }) => Json(json.clone()).into_response(),
        Some(Last { error: Some(error), .. }) => unavailable(error),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// 503 if the provider does not answer, 502 if it answers otherwise than it should.
fn unavailable(error: &RemoteError) -> Response {
    let status = match error {
        RemoteError::Answer { .. } | RemoteError::Status { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({
        "error": "temporarily_unavailable",
        "error_description": "the authorization server's metadata cannot be had now",
    });
    (status, [(header::RETRY_AFTER, "5")], Json(body)).into_response()
}
