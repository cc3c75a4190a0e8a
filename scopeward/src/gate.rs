//! The gate in front of an MCP service over HTTP: authenticates each request, decides, and either
//! passes the request on or answers with a challenge.
//!
//! ```text
//! request ─ Host, Origin ─ bearer token → principal ─ body → MCP method → decision ─ rmcp
//!               403              401                     4xx        403
//! ```
//!
//! [`Gate`] is a [`tower::Layer`] around rmcp's `StreamableHttpService`, or around any service that
//! speaks MCP's Streamable HTTP. A resource server also needs [`metadata`], so that clients find
//! the issuers, and [`origin`], so that pages of other sites cannot reach the server.

mod accept;
mod admit;
mod anonymous;
mod batch;
mod challenge;
mod challenged;
mod decide;
mod messages;
pub mod metadata;
pub(crate) mod misdirected;
pub mod origin;
mod sessions;
mod told;

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, Request, StatusCode, header};

use crate::{
    http::{Peer, drain},
    identity::{
        Caller, Principal, expiry,
        token::{Validator, bearer},
    },
    limits::{Capacity, Holder, Limit, Limits, RateLimiter, SHORT, SharedPermit, held},
    live::LivePolicy,
    mcp::{NoStream, RefusedByTool, Revision, SESSION_HEADER, ServerTasks, Updates},
    policy::CompiledPolicy,
    record::audit::{Recorder, Unauthenticated},
};
use accept::{Accepted, has_usual_accept};
use admit::{AdmittedRequest, Bounds};
use challenge::Challenge;
use challenged::ChallengeMemory;
use decide::GateState;
pub(crate) use sessions::EndSession;
use sessions::{BeginsSession, Membership, Sessions};
use told::Told;

/// A layer that passes on the requests that the policy allows, and refuses all others.
///
/// Every request needs a valid token, unless a rule says `anonymous = true`: then what needs no token
/// is listed and used without one. An MCP method passes only if the gate knows it. A method
/// about one tool, resource or prompt (such as `tools/call`, `resources/read` and `prompts/get`)
/// passes only if [`CompiledPolicy::decide`](crate::policy::CompiledPolicy::decide) allows it. A
/// request that passes carries its [`Principal`] in its extensions, if it has a token. A session (in
/// the revisions that have sessions) can be used only by the caller that began it.
///
/// ```
/// use axum::Router;
/// use scopeward::{
///     Limits, LivePolicy,
///     gate::{Gate, Gated, metadata, origin::AllowedOrigins},
///     identity::token::Validator,
///     policy::CheckedPolicy,
/// };
/// use tower::Layer;
///
/// /// Serves any MCP service over Streamable HTTP behind the policy.
/// fn guarded<S>(policy: CheckedPolicy, validator: Validator, service: S) -> Router
/// where
///     Gated<S>: tower::Service<http::Request<axum::body::Body>, Error = std::convert::Infallible>
///         + Clone + Send + Sync + 'static,
///     <Gated<S> as tower::Service<http::Request<axum::body::Body>>>::Response: axum::response::IntoResponse,
///     <Gated<S> as tower::Service<http::Request<axum::body::Body>>>::Future: Send,
/// {
///     let live = LivePolicy::from(policy);
///     let gate = Gate::new(&live, validator).with_limits(&Limits::default());
///     let gated: Gated<S> = gate.layer(service);
///     // The gate checks neither Host and Origin, nor does it serve the metadata.
///     let allowed = AllowedOrigins::new(&live);
///     let known = metadata::router(&live, "notes", &["https://login.example.com"]);
///     known.route_service("/mcp", gated).layer(allowed)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    policy: LivePolicy,
    validator: Arc<Validator>,
    challenged: ChallengeMemory,
    told: Told,
    sessions: Sessions,
    tasks: Option<ServerTasks>,
    updates: Option<Updates>,
    limits: Limits,
    capacity: Capacity,
    rate: Arc<RateLimiter<u64>>,
    recorder: Recorder,
    /// Whether the service behind the gate is the handler of this crate, which begins and ends the
    /// grants itself.
    has_handler: bool,
}

/// An answer of at most this many bytes is not counted until its client has taken it: a connection
/// has room for it.
const SMALL_ANSWER: u64 = 8 * 1024;

impl Gate {
    /// Makes a gate that guards the policy's resource and accepts the tokens that `validator`
    /// accepts. The policy is a [`CheckedPolicy`](crate::policy::CheckedPolicy), or a [`LivePolicy`],
    /// which can be replaced while the gate serves.
    pub fn new(policy: impl Into<LivePolicy>, validator: Validator) -> Self {
        let limits = Limits::default();
        Self {
            inner: Arc::new(Inner {
                policy: policy.into(),
                validator: Arc::new(validator),
                challenged: ChallengeMemory::default(),
                told: Told::default(),
                sessions: Sessions::default(),
                tasks: None,
                updates: None,
                rate: Arc::new(RateLimiter::per_second(limits.rate_per_caller)),
                capacity: Capacity::new(&limits),
                limits,
                recorder: Recorder::default(),
                has_handler: false,
            }),
        }
    }

    /// Replaces the [default limits](Limits::default). The gate applies those of bodies, of requests,
    /// of callers, of subscriptions and of sessions. It knows the address of a request if the request
    /// has axum's [`ConnectInfo`](axum::extract::ConnectInfo) among its extensions.
    ///
    /// Clones that were made before keep their limits, and count the requests of a caller apart.
    #[must_use]
    pub fn with_limits(self, limits: &Limits) -> Self {
        let limits = &limits.within_ranges();
        self.with_capacity(limits, &Capacity::new(limits))
    }

    /// Replaces the limits, and shares what the server has to give with its other endpoints.
    #[must_use]
    pub(crate) fn with_capacity(self, limits: &Limits, capacity: &Capacity) -> Self {
        self.with(|inner| {
            inner.rate = Arc::new(RateLimiter::per_second(limits.rate_per_caller));
            inner.limits = limits.clone();
            inner.capacity = capacity.clone();
        })
    }

    /// The gate with a change. Sessions and challenges are shared with the clones made before.
    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// Records the decisions with `recorder`, as the gate of a handler with the same recorder. If the
    /// recorder has no audit file, a policy that says `audit = "required"` lets nobody in.
    #[must_use]
    pub(crate) fn with_recorder(self, recorder: Recorder) -> Self {
        self.with(|inner| {
            inner.recorder = recorder;
            inner.has_handler = true;
        })
    }

    /// Also lets callers ask for their own tasks, if the handler behind the gate makes tasks.
    #[must_use]
    pub(crate) fn with_tasks(self, tasks: Option<ServerTasks>) -> Self {
        self.with(|inner| inner.tasks = tasks)
    }

    /// Also ends sessions in the service behind the gate, with this function.
    #[must_use]
    pub(crate) fn with_session_end(self, end: EndSession) -> Self {
        self.with(|inner| inner.sessions = inner.sessions.clone().ended_by(end))
    }

    /// Also refuses subscriptions beyond a caller's limit, which the handler behind the gate counts.
    #[must_use]
    pub(crate) fn with_updates(self, updates: Updates) -> Self {
        self.with(|inner| inner.updates = Some(updates))
    }

    /// Finds the caller of a request, or the answer that refuses it (RFC 6750, section 3.1): no
    /// token is 401 without an error code, an unreadable request is 400, an invalid token is 401
    /// `invalid_token`.
    async fn authenticate(
        &self,
        headers: &http::HeaderMap,
        peer: Option<Peer>,
    ) -> Result<Principal, Response> {
        let Inner { policy, validator, recorder, capacity, .. } = &*self.inner;
        // Taken once, so that one policy holds for the whole request.
        let policy = policy.current();
        let refuse = |challenge: Challenge| {
            let request = Unauthenticated {
                code: challenge.code(),
                reason: &challenge.message(),
                client: challenge.client(),
                peer,
            };
            recorder.unauthenticated(request, &policy);
            challenge.into_response(&policy, &[])
        };
        if let Some(Ok(token)) = validator.recall(headers) {
            return Ok(Principal::new(token, policy));
        }
        match bearer(headers) {
            Ok(Some(token)) => {
                let mut validated = pin!(validator.authenticate(token));
                // A token that can be checked here is checked at the first poll. Every other one waits
                // for its issuer, and only so many may wait.
                let at_once =
                    poll_fn(|context| Poll::Ready(validated.as_mut().poll(context))).await;
                let validated = match at_once {
                    Poll::Ready(validated) => validated,
                    Poll::Pending => {
                        let waiting = capacity.waiting.take(1, Holder::at(peer));
                        let _waiting = waiting.map_err(|exceeded| {
                            challenge::limited(Limit::Waiting.or_share(exceeded), SHORT)
                        })?;
                        validated.await
                    }
                };
                match validated {
                    Ok(token) => Ok(Principal::new(token, Arc::clone(&policy))),
                    Err(rejected) => Err(refuse(Challenge::InvalidToken(rejected))),
                }
            }
            Ok(None) => Err(self.inner.ask_for_token(&policy, peer)),
            Err(error) => Err(refuse(Challenge::UnreadableRequest(error))),
        }
    }
}

impl Inner {
    /// The answer to a request without a token that needs one. The challenge also asks for what was
    /// missing at this address lately.
    fn ask_for_token(&self, policy: &CompiledPolicy, peer: Option<Peer>) -> Response {
        let challenge = Challenge::NoToken;
        let (code, reason) = (challenge.code(), &*challenge.message());
        let request = Unauthenticated { code, reason, client: None, peer };
        self.recorder.without_token(request, policy);
        challenge.into_response(policy, &self.told.missing(peer, policy, Instant::now()))
    }

    /// Admits a request of this caller, before its body is read: the caller is within its rate limit
    /// and its share of connections, and the decision would be recorded. The permit is for the
    /// request's connection.
    fn check_admission(&self, caller: &Principal) -> Result<SharedPermit, Response> {
        let number = caller.number();
        if let Err(wait) = self.rate.admit(&number) {
            return Err(challenge::limited(Limit::Caller, wait));
        }
        if self.recorder.refuses(caller.policy()) {
            return Err(challenge::unrecorded());
        }
        let holder = Holder { caller: Some(number), address: None };
        self.capacity
            .connections
            .take(1, holder)
            .map_err(|exceeded| challenge::limited(Limit::Connections.or_share(exceeded), SHORT))
    }

    /// Checks that the client accepts the media type of its answer, and says to the service that it
    /// does, because rmcp wants every client to accept both. In front of another service the header
    /// stays as it is, because only that service knows its answers.
    fn accepted(
        &self,
        request: &mut Request<Body>,
        revision: Revision,
    ) -> Result<Accepted, Response> {
        if has_usual_accept(request.headers()) {
            return Ok(Accepted::BOTH);
        }
        let accepted = Accepted::of(request.headers());
        if !self.has_handler && accepted != Accepted::BOTH {
            return Ok(accepted);
        }
        let has_streams = self.sessions.are_kept() && !revision.is_newest();
        // Without sessions there is no stream to GET, which the service says in its own way.
        let is_acceptable = match *request.method() {
            Method::POST if !has_streams => accepted.json,
            Method::POST | Method::GET if has_streams => accepted.stream,
            _ => true,
        };
        if is_acceptable {
            Accepted::say_usual(request.headers_mut());
            if !accepted.stream {
                request.extensions_mut().insert(NoStream);
            }
            return Ok(accepted);
        }
        Err(accept::not_acceptable(if has_streams {
            "text/event-stream"
        } else {
            "application/json"
        }))
    }

    /// The refusal of a request whose body was not read. One that comes again and again is held back.
    async fn refuse_unread(
        &self,
        request: Request<Body>,
        refusal: Response,
        holder: Holder,
    ) -> Response {
        let refusal = drained(request, refusal).await;
        self.hold_back(holder).await;
        refusal
    }

    /// Waits, if this holder is refused again and again.
    async fn hold_back(&self, holder: Holder) {
        if let Some(delay) = self.capacity.patience.delay(holder) {
            tokio::time::sleep(delay).await;
        }
    }

    /// The stream, which ends with its caller's access.
    fn until_access_ends(&self, answer: Response, caller: Principal) -> Response {
        let (parts, body) = answer.into_parts();
        let body = expiry::until_access_ends(body, caller, self.validator.revocations());
        Response::from_parts(parts, body)
    }

    /// The answer, which keeps the connection's permit until its client has taken it. A large answer
    /// is counted among the bytes in flight as well.
    fn until_taken<P>(&self, answer: Response, permit: P, holder: Holder) -> Response
    where
        P: Send + Sync + 'static,
    {
        let size = http_body::Body::size_hint(answer.body()).exact();
        if size.is_some_and(|size| size <= SMALL_ANSWER) {
            return answer;
        }
        let bytes = size.and_then(|size| usize::try_from(size).ok());
        let bytes = bytes.map(|bytes| self.capacity.bytes.take_over(bytes, holder));
        let (parts, body) = answer.into_parts();
        Response::from_parts(parts, held(body, (permit, bytes)))
    }
}

impl<S> tower::Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.clone(), inner }
    }
}

/// A service behind a [`Gate`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> tower::Service<Request<Body>> for Gated<S>
where
    S: tower::Service<Request<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The service that was polled ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let gate = self.gate.clone();
        if let Some(caller) = anonymous::caller_without_token(&gate.inner, request.headers()) {
            return Box::pin(
                async move { Ok(anonymous::answer(gate, caller, inner, request).await) },
            );
        }
        Box::pin(async move {
            let peer = Peer::of(request.extensions());
            let Inner { challenged, told, sessions, tasks, updates, limits, .. } = &*gate.inner;
            let Inner { capacity, rate, recorder, .. } = &*gate.inner;
            let mut holder = Holder::at(peer);
            let admitted = gate.authenticate(request.headers(), peer).await.and_then(|caller| {
                holder.caller = Some(caller.number());
                challenged.see(&caller);
                let permit = gate.inner.check_admission(&caller)?;
                let membership =
                    sessions.membership(request.headers(), Caller::Principal(&caller), limits);
                if membership == Membership::Foreign {
                    return Err(sessions::no_such_session());
                }
                Ok((caller, permit, membership))
            });
            let (caller, permit, membership) = match admitted {
                Ok(admitted) => admitted,
                Err(refusal) => {
                    let refused = gate.inner.refuse_unread(request, refusal, holder);
                    return Ok(Box::pin(refused).await);
                }
            };
            let revision = Revision::of(request.headers());
            let accepted = match gate.inner.accepted(&mut request, revision) {
                Ok(accepted) => accepted,
                Err(refusal) => return Ok(Box::pin(drained(request, refusal)).await),
            };
            let state = GateState {
                challenged,
                told: (told, holder.address),
                tasks: tasks.as_ref(),
                updates: updates.as_ref(),
                limits,
                recorder,
                membership,
                revision,
                accepts_streams: accepted.stream,
            };
            let bounds = Bounds { limits, capacity, rate, holder };
            let (mut request, grants) = match admit::admit(request, &caller, &state, &bounds).await
            {
                Ok(AdmittedRequest::One(request, grants)) => (request, grants),
                Ok(AdmittedRequest::Batch(batch)) => {
                    let answer = Box::pin(batch::answer(inner, batch, &caller)).await;
                    return Ok(gate.inner.until_taken(answer, permit, holder));
                }
                Err(refusal) => return Ok(refusal),
            };
            let method = request.method().clone();
            let asked = match membership {
                Membership::None => None,
                _ => request.headers().get(SESSION_HEADER).cloned(),
            };
            request.extensions_mut().insert(caller.clone());
            if sessions.are_kept() && request.extensions_mut().remove::<BeginsSession>().is_some() {
                return Ok(begin_session(gate.clone(), inner, request, asked, caller).await);
            }
            let answer = {
                let mut answer = pin!(inner.call(request));
                // Made after the call, so that it is dropped before the call if the client goes away.
                let awaited = grants.awaited();
                let mut answer = answer.as_mut().await.map(IntoResponse::into_response)?;
                if let Some(refused) = answer.extensions_mut().remove::<RefusedByTool>() {
                    answer = decide::refuse_for_tool(refused, &caller, &state);
                }
                let grants = awaited.answered();
                if grants.are_unrecorded() {
                    return Ok(challenge::unrecorded());
                }
                if !gate.inner.has_handler && answer.status().is_success() {
                    grants.pass().await;
                }
                answer
            };
            let begun = (answer.status(), answer.headers());
            sessions.follow(&method, asked.as_ref(), begun, Caller::Principal(&caller), limits);
            let answer = gate.inner.until_taken(answer, permit, holder);
            if method == Method::GET && is_event_stream(&answer) {
                return Ok(gate.inner.until_access_ends(answer, caller));
            }
            Ok(answer)
        })
    }
}

/// Calls the service with a request that begins a session of this caller. The call runs to its end even
/// if the client hangs up, because a session that began meanwhile would be nobody's, and would not be
/// counted.
async fn begin_session<S, C>(
    gate: Gate,
    mut service: S,
    request: Request<Body>,
    asked: Option<HeaderValue>,
    caller: C,
) -> Response
where
    S: tower::Service<Request<Body>, Error = Infallible> + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
    C: Send + Sync + 'static,
    for<'c> &'c C: Into<Caller<'c>>,
{
    let method = request.method().clone();
    let call = async move {
        let Ok(answer) = service.call(request).await;
        let answer = answer.into_response();
        let Inner { sessions, limits, .. } = &*gate.inner;
        let begun = (answer.status(), answer.headers());
        sessions.follow(&method, asked.as_ref(), begun, (&caller).into(), limits);
        answer
    };
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR.into_response();
    tokio::spawn(call).await.unwrap_or_else(failed)
}

/// The refusal, after the body of its request was read away.
async fn drained(request: Request<Body>, refusal: Response) -> Response {
    drain::discard(request.into_body()).await;
    refusal
}

fn is_event_stream(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
