//! The router of the whole server: the MCP endpoint behind its gate, the metadata, the embedded
//! issuer.

use std::{convert::Infallible, sync::Arc};

use axum::{Json, Router, body::Body, response::IntoResponse};
use futures_util::future::Either;
use http::{Request, StatusCode};
use rmcp::transport::streamable_http_server::{
    SessionManager, StreamableHttpServerConfig, StreamableHttpService,
    session::{local::LocalSessionManager, never::NeverSessionManager},
};
use tower::Layer;

use crate::{
    gate::{Gate, metadata, origin},
    identity::revocation::Revocations,
    limits::Limits,
    live::LivePolicy,
    mcp::{ScopedTools, direct::DirectCalls, handler::McpHandler},
    policy::ResourceUrl,
    record::audit::Recorder,
    serve::providers::Providers,
};

/// A server as an axum router, to be served by itself or mounted in a larger router.
/// [`main`](crate::main) makes one and listens.
///
/// ```
/// use std::sync::Arc;
///
/// use scopeward::{Providers, Limits, ScopedTools, Server, policy::CompiledPolicy};
///
/// fn routes<S: ScopedTools>(tools: S, policy: Arc<CompiledPolicy>, providers: Providers) -> axum::Router {
///     Server::new(tools, policy, providers).with_limits(&Limits::default()).router()
/// }
/// ```
#[derive(Debug)]
pub struct Server<S> {
    tools: S,
    live: LivePolicy,
    providers: Providers,
    has_sessions: bool,
    limits: Limits,
    revocations: Revocations,
    recorder: Recorder,
}

impl<S: ScopedTools> Server<S> {
    /// Makes a server of tools, a policy and providers. The policy is an `Arc<CompiledPolicy>`, or
    /// a [`LivePolicy`] that can be replaced while the server runs. The providers are
    /// [`Providers`], or the embedded [`Issuer`](crate::issuer::Issuer).
    ///
    /// MCP is served without sessions: each request brings its own token and is decided alone, so
    /// there is no session that somebody could take over.
    pub fn new(tools: S, policy: impl Into<LivePolicy>, providers: impl Into<Providers>) -> Self {
        Self {
            tools,
            live: policy.into(),
            providers: providers.into(),
            has_sessions: false,
            limits: Limits::default(),
            revocations: Revocations::default(),
            recorder: Recorder::default(),
        }
    }

    /// Adds sessions for clients of MCP revisions until 2025-11-25. Tools need sessions to ask the
    /// caller something (elicitation, sampling) or to send log messages, and so does
    /// `resources/subscribe`. A session belongs to the caller that began it: each request of the
    /// session needs a token of that caller, and is decided alone as well.
    #[must_use]
    pub fn with_sessions(mut self) -> Self {
        self.has_sessions = true;
        self
    }

    /// Sets the limits of bodies and callers. The limits of connections have no effect here,
    /// because the program that mounts the router accepts the connections.
    #[must_use]
    pub fn with_limits(mut self, limits: &Limits) -> Self {
        self.limits = limits.clone();
        self
    }

    /// Refuses revoked tokens.
    #[must_use]
    pub fn with_revocations(mut self, revocations: &Revocations) -> Self {
        self.revocations = revocations.clone();
        self
    }

    /// Records the decisions with this recorder.
    #[must_use]
    pub(crate) fn with_recorder(mut self, recorder: &Recorder) -> Self {
        self.recorder = recorder.clone();
        self
    }

    /// The router of the MCP endpoint behind its gate, the metadata, and the embedded issuer.
    pub fn router(self) -> Router {
        let config = StreamableHttpServerConfig::default();
        if self.has_sessions {
            self.serve(config, LocalSessionManager::default())
        } else {
            let config = config.with_legacy_session_mode(false).with_json_response(true);
            self.serve(config, NeverSessionManager::default())
        }
    }

    fn serve(self, config: StreamableHttpServerConfig, sessions: impl SessionManager) -> Router {
        let Self { tools, live, providers, has_sessions, limits, revocations, recorder } = self;
        let policy = live.current();
        let allowed = origin::AllowedOrigins::new(policy.resource().clone());
        let handler = McpHandler::recording(tools, recorder.clone());
        let handler = if has_sessions { handler.with_sessions() } else { handler };
        let handler = handler.watching(live.clone()).with_revocations(revocations.clone());
        let tasks = S::HAS_TASKS.then(|| handler.tasks().owners.clone());
        // Not with sessions, because the messages of a session's calls need rmcp's stream.
        let direct = (!has_sessions).then(|| Arc::new(DirectCalls::new(handler.new_session())));
        let mcp = Arc::new(StreamableHttpService::new(
            move || Ok(handler.new_session()),
            Arc::new(sessions),
            config.with_allowed_hosts(allowed.hosts()).with_max_request_body_bytes(limits.max_body),
        ));
        // Behind an `Arc`, because rmcp's service clones its whole configuration for each request.
        let mcp = tower::service_fn(move |mut request: Request<Body>| {
            if let Some(answer) = direct.as_ref().and_then(|direct| direct.answer(&mut request)) {
                return Either::Left(answer);
            }
            let mcp = Arc::clone(&mcp);
            // Boxed, so that the large future of this path is not moved with each direct call.
            Either::Right(Box::pin(async move {
                Ok::<_, Infallible>(mcp.handle(request).await.map(Body::new))
            }))
        });
        let gate = Gate::new(&live, providers.validator(revocations))
            .with_tasks(tasks)
            .with_limits(&limits)
            .with_recorder(recorder);
        let path = if policy.resource().path().is_empty() { "/" } else { policy.resource().path() };
        // Layered by hand, because each layer of the router would cost every call a boxed future.
        let mcp =
            allowed.layer(origin::BrowserAnswersLayer(allowed.clone()).layer(gate.layer(mcp)));
        Router::new()
            .merge(metadata::router(&live, S::SERVER.0, &providers.urls()))
            .merge(providers.endpoints())
            .layer(allowed.cors())
            .merge(providers.pages())
            .fallback(not_found)
            .layer(allowed)
            .route_service(path, mcp)
    }
}

/// The paths that the server needs for itself, because metadata and the embedded issuer are there.
const OWN: [&str; 2] = ["/.well-known", "/oauth"];

/// The error of a resource whose path the server needs for itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server needs the path {0} for itself: give the MCP endpoint another one, such as /mcp"
)]
pub(crate) struct PathTaken(&'static str);

/// Checks that [`Server::router`] can serve this resource beside the server's own paths.
pub(crate) fn may_serve(resource: &ResourceUrl) -> Result<(), PathTaken> {
    let path = resource.path();
    let is_at = |own: &&str| path == *own || path.starts_with(&format!("{own}/"));
    OWN.iter().find(|own| is_at(own)).map_or(Ok(()), |own| Err(PathTaken(own)))
}

async fn not_found() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, Json(serde_json::json!({ "error": "not_found" })))
}
