//! The HTTP door: authenticates each request, decides, and lets through or challenges.
//!
//! ```text
//! request ─ Host, Origin ─ bearer token → principal ─ body → MCP method → decision ─ rmcp
//!               403              401                     4xx        403
//! ```
//!
//! [`Gate`] is a [`tower::Layer`] around rmcp's `StreamableHttpService`, or any service that
//! speaks MCP's Streamable HTTP; [`metadata`] and [`origin`] are what else the resource server
//! needs in front of it.

mod challenge;
mod enforce;
pub mod metadata;
pub mod origin;
mod repeated;
mod unread;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::Request;

use crate::{
    audit,
    live::LivePolicy,
    principal::Principal,
    token::{Validator, bearer},
};
use challenge::Challenge;
use repeated::Challenged;

/// The largest body that is read: rmcp's own default, 4 MiB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// A layer that lets through what the policy allows, and nothing else.
///
/// Every request needs a valid token. Of the MCP methods only those that the gate knows pass;
/// `tools/call` passes when
/// [`CompiledPolicy::decide`](crate::policy::CompiledPolicy::decide) allows it. What passes carries its
/// [`Principal`] in the request's extensions.
#[derive(Debug, Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    policy: LivePolicy,
    validator: Validator,
    challenged: Challenged,
}

impl Gate {
    /// Guards the policy's resource with the tokens that `validator` accepts. The policy is an
    /// `Arc<CompiledPolicy>`, or a [`LivePolicy`] that can be replaced while the gate stands.
    pub fn new(policy: impl Into<LivePolicy>, validator: Validator) -> Self {
        Self {
            inner: Arc::new(Inner {
                policy: policy.into(),
                validator,
                challenged: Challenged::default(),
            }),
        }
    }

    /// RFC 6750, section 3.1: no token is 401 without an error, an unreadable request is 400, a
    /// token that fails is 401 `invalid_token`.
    async fn authenticate(&self, headers: &http::HeaderMap) -> Result<Principal, Response> {
        let Inner { policy, validator, .. } = &*self.inner;
        // Taken once: the whole request sees this policy.
        let policy = policy.current();
        let refuse = |challenge: Challenge| {
            audit::unauthenticated(&challenge.message(), &policy);
            challenge.into_response(&policy)
        };
        match bearer(headers) {
            Ok(Some(token)) => match validator.authenticate(token).await {
                Ok(token) => Ok(Principal::new(token, Arc::clone(&policy))),
                Err(error) => Err(refuse(Challenge::InvalidToken(error))),
            },
            Ok(None) => Err(refuse(Challenge::NoToken)),
            Err(error) => Err(refuse(Challenge::UnreadableRequest(error))),
        }
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
            let caller = match gate.authenticate(request.headers()).await {
                Ok(caller) => caller,
                Err(challenge) => {
                    unread::read_away(request.into_body()).await;
                    return Ok(challenge);
                }
            };
            match enforce::admit(request, &caller, &gate.inner.challenged, LARGEST_BODY).await {
                Ok(mut request) => {
                    request.extensions_mut().insert(caller);
                    inner.call(request).await.map(IntoResponse::into_response)
                }
                Err(refusal) => Ok(refusal),
            }
        })
    }
}
