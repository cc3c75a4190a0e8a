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

mod admit;
mod batch;
mod body;
mod challenge;
mod challenged;
mod decide;
mod messages;
pub mod metadata;
pub mod origin;
mod sessions;

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, Request, header};

use crate::{
    http::{Peer, drain},
    identity::{
        Principal, expiry,
        token::{Validator, bearer},
    },
    limits::{Limit, Limits, RateLimiter},
    live::LivePolicy,
    mcp::TaskOwners,
    record::{
        audit::{Recorder, Unauthenticated},
        metrics::metrics,
    },
};
use admit::AdmittedRequest;
use challenge::Challenge;
use challenged::ChallengeMemory;
use decide::GateState;
use sessions::{Membership, Sessions};

/// A layer that passes on the requests that the policy allows, and refuses all others.
///
/// Every request needs a valid token. An MCP method passes only if the gate knows it. A method
/// about one tool, resource or prompt (such as `tools/call`, `resources/read` and `prompts/get`)
/// passes only if [`CompiledPolicy::decide`](crate::policy::CompiledPolicy::decide) allows it. A
/// request that passes carries its [`Principal`] in its extensions. A session (in the revisions
/// that have sessions) can be used only by the caller that began it.
#[derive(Debug, Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    policy: LivePolicy,
    validator: Arc<Validator>,
    challenged: ChallengeMemory,
    sessions: Sessions,
    tasks: Option<TaskOwners>,
    limits: Limits,
    rate: Arc<RateLimiter<u64>>,
    recorder: Recorder,
    /// Whether the service behind the gate is the handler of this crate, which begins and ends the
    /// grants itself.
    has_handler: bool,
}

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
                sessions: Sessions::default(),
                tasks: None,
                rate: Arc::new(RateLimiter::per_second(limits.rate_per_caller)),
                limits,
                recorder: Recorder::default(),
                has_handler: false,
            }),
        }
    }

    /// Replaces the [default limits](Limits::default). The gate applies three of them: the size of
    /// a body in bytes, the time that a body may take, and the requests per second of one caller.
    ///
    /// Clones that were made before keep their limits, and count the requests of a caller apart.
    #[must_use]
    pub fn with_limits(self, limits: &Limits) -> Self {
        self.with(|inner| {
            inner.rate = Arc::new(RateLimiter::per_second(limits.rate_per_caller));
            inner.limits = limits.clone();
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
    pub(crate) fn with_tasks(self, tasks: Option<TaskOwners>) -> Self {
        self.with(|inner| inner.tasks = tasks)
    }

    /// Finds the caller of a request, or the answer that refuses it (RFC 6750, section 3.1): no
    /// token is 401 without an error code, an unreadable request is 400, an invalid token is 401
    /// `invalid_token`.
    async fn authenticate(
        &self,
        headers: &http::HeaderMap,
        peer: Option<Peer>,
    ) -> Result<Principal, Response> {
        let Inner { policy, validator, recorder, .. } = &*self.inner;
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
            challenge.into_response(&policy)
        };
        if let Some(Ok(token)) = validator.recall(headers) {
            return Ok(Principal::new(token, policy));
        }
        match bearer(headers) {
            Ok(Some(token)) => match validator.authenticate(token).await {
                Ok(token) => Ok(Principal::new(token, Arc::clone(&policy))),
                Err(rejected) => Err(refuse(Challenge::InvalidToken(rejected))),
            },
            Ok(None) => Err(refuse(Challenge::NoToken)),
            Err(error) => Err(refuse(Challenge::UnreadableRequest(error))),
        }
    }
}

impl Inner {
    /// Checks that a request of this caller can be accepted now: the caller is within its rate
    /// limit, and the decision would be recorded.
    fn check_admission(&self, caller: &Principal) -> Result<(), Response> {
        if let Err(wait) = self.rate.admit(&caller.number()) {
            metrics().limited(Limit::Caller);
            return Err(challenge::too_often(wait));
        }
        if self.recorder.refuses(caller.policy()) {
            return Err(challenge::unrecorded());
        }
        Ok(())
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was polled ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let gate = self.gate.clone();
        Box::pin(async move {
            let peer = request.extensions().get::<Peer>().copied();
            let admitted = match gate.authenticate(request.headers(), peer).await {
                Ok(caller) => gate.inner.check_admission(&caller).map(|()| caller),
                Err(challenge) => Err(challenge),
            };
            let caller = match admitted {
                Ok(caller) => caller,
                Err(refusal) => {
                    Box::pin(drain::discard(request.into_body())).await;
                    return Ok(refusal);
                }
            };
            let Inner { challenged, sessions, tasks, limits, recorder, .. } = &*gate.inner;
            let membership = sessions.membership(request.headers(), &caller);
            if membership == Membership::Foreign {
                Box::pin(drain::discard(request.into_body())).await;
                return Ok(sessions::no_such_session());
            }
            let state = GateState { challenged, tasks: tasks.as_ref(), recorder, membership };
            let (mut request, grants) = match admit::admit(request, &caller, &state, limits).await {
                Ok(AdmittedRequest::One(request, grants)) => (request, grants),
                Ok(AdmittedRequest::Batch(parts, messages)) => {
                    let each = batch::requests(&parts, messages, &caller);
                    return Ok(Box::pin(batch::answer(inner, each)).await);
                }
                Err(refusal) => return Ok(refusal),
            };
            let method = request.method().clone();
            let asked = match membership {
                Membership::None => None,
                _ => request.headers().get(sessions::HEADER).cloned(),
            };
            request.extensions_mut().insert(caller.clone());
            let answer = {
                let mut answer = pin!(inner.call(request));
                // Made after the call, so that it is dropped before the call if the client goes away.
                let awaited = grants.awaited();
                let answer = answer.as_mut().await.map(IntoResponse::into_response)?;
                let grants = awaited.answered();
                if grants.are_unrecorded() {
                    return Ok(challenge::unrecorded());
                }
                if !gate.inner.has_handler && answer.status().is_success() {
                    grants.pass().await;
                }
                answer
            };
            sessions.follow(&method, asked.as_ref(), (answer.status(), answer.headers()), &caller);
            if method == Method::GET && is_event_stream(&answer) {
                let (parts, body) = answer.into_parts();
                return Ok(Response::from_parts(
                    parts,
                    expiry::until_access_ends(body, caller, gate.inner.validator.revocations()),
                ));
            }
            Ok(answer)
        })
    }
}

fn is_event_stream(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
