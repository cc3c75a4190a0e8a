//! The router of the whole server: the MCP endpoint behind its gate, the metadata, the embedded
//! issuer.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, body::Body};
use futures_util::future::Either;
use http::Request;
use rmcp::transport::streamable_http_server::{
    SessionManager, StreamableHttpServerConfig, StreamableHttpService,
    session::{local::LocalSessionManager, never::NeverSessionManager},
};
use tower::Layer;

use crate::{
    gate::{EndSession, Gate, metadata, origin},
    http::{Peer, TrustedProxies},
    identity::{revocation::Revocations, token::Validator},
    limits::{Capacity, Limits},
    live::{LivePolicy, OtherTools},
    mcp::{
        ScopedTools, ServerDetails,
        direct::DirectCalls,
        handler::McpHandler,
        security_schemes::{ListsTools, lift},
    },
    policy::ResourceUrl,
    record::audit::Recorder,
    serve::{behind::Behind, providers::Providers, side_door::SideDoor},
};

/// The routes of a server, made of parts that the program has opened itself: tools, a checked policy,
/// and providers. [`Mount`](crate::Mount) opens the parts as well.
///
/// ```
/// use scopeward::{Limits, LivePolicy, Providers, ScopedTools, Server, ServerError};
///
/// fn routes<S: ScopedTools>(
///     tools: S,
///     policy: &LivePolicy,
///     providers: Providers,
/// ) -> Result<axum::Router, ServerError> {
///     Ok(Server::new(tools, policy, providers)?.with_limits(&Limits::default()).router())
/// }
/// ```
///
/// ```
/// use scopeward::{ScopedTools, Server, identity::revocation::Revocations};
///
/// fn with_sessions<S: ScopedTools>(server: Server<S>, revoked: &Revocations) -> axum::Router {
///     server.with_sessions().with_revocations(revoked).router()
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
    details: ServerDetails,
    behind: Behind,
    /// Checks tokens in place of the providers' own validator.
    validator: Option<Validator>,
}

/// The reason why tools, a policy and providers do not make a server.
///
/// ```
/// use scopeward::{Providers, ScopedTools, Server, ServerError, policy::CheckedPolicy};
///
/// fn serve<S: ScopedTools>(tools: S, policy: CheckedPolicy, providers: Providers) -> axum::Router {
///     match Server::new(tools, policy, providers) {
///         Ok(server) => server.router(),
///         Err(error @ ServerError::OtherProvider { .. }) => panic!("{error}"),
///         Err(error) => panic!("checked against other tools: {error}"),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The policy was checked against other tools.
    #[error(transparent)]
    OtherTools(#[from] OtherTools),
    /// The policy names another provider than the one that is given, so clients would be sent to a
    /// sign-in that the policy does not know of.
    #[error(
        "the policy says `provider = \"{named}\"`, and the server is given {given}\n  = help: give it \
         the provider that the policy names, or change the policy"
    )]
    #[non_exhaustive]
    OtherProvider {
        /// The provider that the policy names.
        named: &'static str,
        /// The provider that was given.
        given: &'static str,
    },
}

impl<S: ScopedTools> Server<S> {
    /// Makes a server of tools, a policy and providers. The policy is a
    /// [`CheckedPolicy`](crate::policy::CheckedPolicy), or a [`LivePolicy`] that can be replaced while
    /// the server runs. The providers are [`Providers`], or the embedded
    /// [`Issuer`](crate::issuer::Issuer).
    ///
    /// MCP is served without sessions: each request brings its own token and is decided alone, so
    /// there is no session that somebody could take over.
    ///
    /// # Errors
    ///
    /// [`ServerError`] if the policy was checked against other tools, or names another provider.
    pub fn new(
        tools: S,
        policy: impl Into<LivePolicy>,
        providers: impl Into<Providers>,
    ) -> Result<Self, ServerError> {
        let (live, providers) = (policy.into(), providers.into());
        OtherTools::check(&live.registry(), &S::REGISTRY)?;
        let (named, given) = (live.current().provider().as_str(), providers.main());
        if named != given {
            return Err(ServerError::OtherProvider { named, given });
        }
        Ok(Self {
            tools,
            live,
            providers,
            has_sessions: false,
            limits: Limits::default(),
            revocations: Revocations::default(),
            recorder: Recorder::default(),
            details: ServerDetails::default(),
            behind: Behind::default(),
            validator: None,
        })
    }

    /// Makes a server for tests, whose tokens this validator checks, whatever provider the policy
    /// names.
    #[cfg(feature = "testing")]
    pub(crate) fn with_validator(tools: S, live: LivePolicy, validator: Validator) -> Self {
        Self {
            tools,
            live,
            providers: Providers::none(),
            has_sessions: false,
            limits: Limits::default(),
            revocations: Revocations::default(),
            recorder: Recorder::default(),
            details: ServerDetails::default(),
            behind: Behind::default(),
            validator: Some(validator),
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

    /// Sets the limits of bodies, requests and callers. The limits of connections have no effect
    /// here, because the program that mounts the router accepts the connections. An address has its
    /// share if the program serves the router with axum's
    /// [`ConnectInfo`](axum::extract::ConnectInfo).
    #[must_use]
    pub fn with_limits(mut self, limits: &Limits) -> Self {
        self.limits = limits.within_ranges();
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

    /// Adds what the server says of itself.
    #[must_use]
    pub(crate) fn with_details(mut self, details: ServerDetails) -> Self {
        self.details = details;
        self
    }

    /// Serves behind a proxy that changes requests.
    #[must_use]
    pub(crate) fn behind(mut self, proxy: Behind) -> Self {
        self.behind = proxy;
        self
    }

    /// The router of the MCP endpoint behind its gate, the metadata, and the embedded issuer. It has
    /// no fallback, so that it can be merged into a router that has one.
    pub fn router(self) -> Router {
        self.routes(Arc::new(())).own
    }

    /// The routes, which keep `alive` for as long as they are served.
    pub(crate) fn routes<T: Send + Sync + 'static>(self, alive: Arc<T>) -> Routes {
        // Of requests outside of sessions alone: within a session rmcp answers with streams.
        let config = StreamableHttpServerConfig::default().with_json_response(true);
        if self.has_sessions {
            self.serve(config, LocalSessionManager::default(), alive)
        } else {
            let config = config.with_legacy_session_mode(false);
            self.serve(config, NeverSessionManager::default(), alive)
        }
    }

    fn serve<T: Send + Sync + 'static>(
        self,
        config: StreamableHttpServerConfig,
        sessions: impl SessionManager,
        alive: Arc<T>,
    ) -> Routes {
        let Self { tools, live, providers, has_sessions, limits, revocations, .. } = self;
        let Self { recorder, details, validator, behind, .. } = self;
        let policy = live.current();
        let allowed = origin::AllowedOrigins::with_hosts(&live, &behind.allowed_hosts);
        let handler = McpHandler::recording(tools, recorder.clone()).with_details(details);
        let handler = if has_sessions { handler.with_sessions() } else { handler };
        let handler = handler.watching(live.clone()).with_revocations(revocations.clone());
        let handler = handler.with_limits(&limits);
        let capacity = Capacity::new(&limits);
        let door = SideDoor::new(&limits, &capacity);
        let tasks = S::HAS_TASKS.then(|| handler.tasks().clone());
        let updates = handler.updates().clone();
        // Not with sessions, because the messages of a session's calls need rmcp's stream.
        let direct = (!has_sessions).then(|| Arc::new(DirectCalls::new(handler.new_session())));
        let sessions = Arc::new(sessions);
        let open = Arc::clone(&sessions);
        let end_session: EndSession = Arc::new(move |session| {
            let (open, session) = (Arc::clone(&open), session.into());
            tokio::spawn(async move {
                if let Err(error) = open.close_session(&session).await {
                    tracing::debug!(%error, "a session had ended before");
                }
            });
        });
        let mcp = Arc::new(StreamableHttpService::new(
            move || Ok(handler.new_session()),
            sessions,
            // `allowed`, in front, has checked the host: rmcp's own check would refuse a host without the
            // port that its scheme implies.
            config.disable_allowed_hosts().with_max_request_body_bytes(limits.max_body),
        ));
        // Behind an `Arc`, because rmcp's service clones its whole configuration for each request.
        let mcp = tower::service_fn(move |mut request: Request<Body>| {
            let _ = &alive;
            if let Some(answer) = direct.as_ref().and_then(|direct| direct.answer(&mut request)) {
                return Either::Left(answer);
            }
            let mcp = Arc::clone(&mcp);
            // Boxed, so that the large future of this path is not moved with each direct call.
            let lists_tools = request.extensions().get::<ListsTools>().is_some();
            Either::Right(Box::pin(async move {
                let answer = mcp.handle(request).await.map(Body::new);
                Ok::<_, Infallible>(if lists_tools { lift(answer).await } else { answer })
            }))
        });
        let validator = validator.unwrap_or_else(|| providers.validator(revocations));
        let gate = Gate::new(&live, validator)
            .with_tasks(tasks)
            .with_updates(updates)
            .with_capacity(&limits, &capacity)
            .with_recorder(recorder);
        let gate = if has_sessions { gate.with_session_end(end_session) } else { gate };
        let path = behind.inner_path.as_deref().unwrap_or_else(|| policy.resource().path());
        let path = if path.is_empty() { "/" } else { path };
        // Layered by hand, because each layer of the router would cost every call a boxed future.
        let mcp =
            allowed.layer(origin::BrowserAnswersLayer(allowed.clone()).layer(gate.layer(mcp)));
        let known = providers.clone();
        let authorization_servers =
            move || known.urls().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let beside = Router::new()
            .merge(metadata::router_at(&live, path, S::SERVER.0, authorization_servers))
            .merge(providers.endpoints())
            .layer(allowed.cors())
            .merge(providers.pages());
        let own = door.guard(beside).layer(allowed.clone()).route_service(path, mcp);
        let paths = OwnPaths(path.into());
        Routes { own, paths, capacity, door, allowed, proxies: behind.proxies() }
    }
}

/// The routes of a server, and what bounds them.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(crate) own: Router,
    pub(crate) paths: OwnPaths,
    /// What the server has to give at a time.
    pub(crate) capacity: Capacity,
    /// Bounds the routes that are not the server's own.
    pub(crate) door: SideDoor,
    allowed: origin::AllowedOrigins,
    /// The proxies that are believed where a request came from.
    pub(crate) proxies: TrustedProxies,
}

/// The paths of a server's own routes, which have their limits in themselves.
#[derive(Debug, Clone)]
pub(crate) struct OwnPaths(Arc<str>);

impl OwnPaths {
    pub(crate) fn has(&self, path: &str) -> bool {
        path == &*self.0 || OWN.iter().any(|own| is_at(path, own))
    }
}

impl Routes {
    /// The routes for a program that accepts the connections itself, which tells the address of each
    /// by axum's [`ConnectInfo`](axum::extract::ConnectInfo).
    pub(crate) fn mounted(&self) -> Router {
        if self.proxies.is_empty() {
            return self.own.clone();
        }
        let proxies = self.proxies.clone();
        self.own.clone().layer(axum::middleware::map_request(move |mut request: Request<Body>| {
            if let Some(peer) = Peer::of(request.extensions()) {
                let client = proxies.client(peer, request.headers());
                request.extensions_mut().insert(client);
            }
            std::future::ready(request)
        }))
    }

    /// The routes of a program that has no others.
    pub(crate) fn whole(&self) -> Router {
        let allowed = self.allowed.clone();
        let not_found = tower::service_fn(move |_: Request<Body>| {
            let allowed = allowed.clone();
            async move { Ok::<_, Infallible>(allowed.not_found()) }
        });
        self.own.clone().fallback_service(self.allowed.layer(not_found))
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
    OWN.iter().find(|own| is_at(path, own)).map_or(Ok(()), |own| Err(PathTaken(own)))
}

/// Returns whether a path is `folder`, or below it.
fn is_at(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
