//! The whole HTTP server: the MCP endpoint behind its gate, the metadata, the issuer.

use std::{convert::Infallible, sync::Arc};

use axum::{Json, Router, body::Body, response::IntoResponse};
use http::{Request, StatusCode};
use rmcp::transport::streamable_http_server::{
    SessionManager, StreamableHttpServerConfig, StreamableHttpService,
    session::{local::LocalSessionManager, never::NeverSessionManager},
};
use tower::Layer;

use crate::{
    authority::Authority,
    gate::{Gate, metadata, origin},
    handler::Guarded,
    live::{self, LivePolicy},
    registry::ScopedTools,
    resource::ResourceUrl,
};

/// Everything that `serve` serves, as an axum router of its own or part of a larger one. The policy
/// is an `Arc<CompiledPolicy>`, or a [`LivePolicy`] that can be replaced while the server runs.
///
/// The authority is the embedded [`Issuer`](crate::issuer::Issuer), or a provider elsewhere.
///
/// MCP is served stateless: each request brings its own token and is decided alone, so there is no
/// session for anyone to take over.
pub fn router<S: ScopedTools>(
    server: S,
    policy: impl Into<LivePolicy>,
    authority: impl Into<Authority>,
) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    serve(
        Guarded::new(server),
        &policy.into(),
        &authority.into(),
        config,
        NeverSessionManager::default(),
    )
}

/// The same with sessions for callers of revisions until 2025-11-25, as tools need them that ask
/// their callers something (elicitation, sampling) or write to their log, and for
/// `resources/subscribe`. A session is the caller's that began it: each request of it brings that
/// caller's token, and is decided alone all the same.
pub fn router_with_sessions<S: ScopedTools>(
    server: S,
    policy: impl Into<LivePolicy>,
    authority: impl Into<Authority>,
) -> Router {
    let config = StreamableHttpServerConfig::default();
    let handler = Guarded::new(server).with_sessions();
    serve(handler, &policy.into(), &authority.into(), config, LocalSessionManager::default())
}

fn serve<S: ScopedTools>(
    handler: Guarded<S>,
    live: &LivePolicy,
    authority: &Authority,
    config: StreamableHttpServerConfig,
    sessions: impl SessionManager,
) -> Router {
    let policy = live.current();
    let allowed = origin::AllowedOrigins::new(policy.resource().clone());
    let handler = handler.watching(live.clone());
    let tasks = S::HAS_TASKS.then(|| handler.tasks().owners.clone());
    let mcp = Arc::new(StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::new(sessions),
        config.with_allowed_hosts(allowed.hosts()),
    ));
    // Shared: rmcp's own service copies its whole configuration for each request.
    let mcp = tower::service_fn(move |request: Request<Body>| {
        let mcp = Arc::clone(&mcp);
        async move { Ok::<_, Infallible>(mcp.handle(request).await) }
    });
    let gate = Gate::new(live, authority.validator()).with_tasks(tasks);
    let path = if policy.resource().path().is_empty() { "/" } else { policy.resource().path() };
    // In one piece: as layers of the router, each would cost every call a box of its own.
    let mcp = allowed.layer(origin::ForPages(allowed.clone()).layer(gate.layer(mcp)));
    Router::new()
        .merge(metadata::router(live, S::SERVER.0, &authority.urls()))
        .merge(live::health(live.clone()))
        .merge(authority.endpoints())
        .layer(allowed.cors())
        .merge(authority.pages())
        .fallback(not_found)
        .layer(allowed)
        .route_service(path, mcp)
}

/// Paths that the server needs for itself.
const OWN: [&str; 4] = ["/.well-known", "/health", "/metrics", "/oauth"];

/// The resource's path is one that the server needs for itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server needs the path {0} for itself: give the MCP endpoint another one, such as /mcp"
)]
pub(crate) struct PathTaken(&'static str);

/// Whether [`router`] can serve this resource beside its own paths.
pub(crate) fn may_serve(resource: &ResourceUrl) -> Result<(), PathTaken> {
    let path = resource.path();
    let is_at = |own: &&str| path == *own || path.starts_with(&format!("{own}/"));
    OWN.iter().find(|own| is_at(own)).map_or(Ok(()), |own| Err(PathTaken(own)))
}

async fn not_found() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, Json(serde_json::json!({ "error": "not_found" })))
}
