//! Requests without a token, where a rule of the policy lets everybody in (`anonymous = true`).
//!
//! They open the connection, list what needs no token, and use it. Everything else is answered as a
//! request without a token always is: 401 with the challenge, upon which a client signs in. They take
//! from a [pool](crate::limits::AnonymousPool) of their own, and their records stand in the file of
//! requests without a valid token.

use std::{convert::Infallible, time::Instant};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, ClientRequest, GetMeta, JsonObject};

use super::{
    Gate, Inner,
    admit::read,
    challenge,
    messages::{is_batch, parse},
    sessions::{self, BeginsSession, Membership},
};
use crate::{
    http::Peer,
    identity::{AnonymousCaller, Caller},
    limits::Holder,
    mcp::{Revision, SESSION_HEADER, security_schemes::ListsTools},
    policy::{Decision, Feature, Operation},
    record::audit::{DecisionContext, grant::Grants},
};

/// The caller of a request that names no token, if the policy has a rule that lets it in.
pub(super) fn caller_without_token(inner: &Inner, headers: &HeaderMap) -> Option<AnonymousCaller> {
    if headers.contains_key(header::AUTHORIZATION) {
        return None;
    }
    AnonymousCaller::admitted_by(inner.policy.current())
}

/// Answers the request of a caller without a token.
pub(super) async fn answer<S>(
    gate: Gate,
    caller: AnonymousCaller,
    mut service: S,
    mut request: Request<Body>,
) -> Response
where
    S: tower::Service<Request<Body>, Error = Infallible> + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    let inner = &*gate.inner;
    let peer = Peer::of(request.extensions());
    let holder = Holder::at(peer);
    let visit = Visit { inner, caller: &caller, peer, holder };
    let membership = match visit.enter(&request) {
        Ok(membership) => membership,
        Err(refusal) => return inner.refuse_unread(request, refusal, holder).await,
    };
    let revision = Revision::of(request.headers());
    if let Err(refusal) = inner.accepted(&mut request, revision) {
        return inner.refuse_unread(request, refusal, holder).await;
    }
    let (mut request, grants) = match visit.admit(request, membership).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            inner.hold_back(holder).await;
            return refusal;
        }
    };
    let asked = match membership {
        Membership::None => None,
        _ => request.headers().get(SESSION_HEADER).cloned(),
    };
    request.extensions_mut().insert(caller.clone());
    let begins =
        inner.sessions.are_kept() && request.extensions_mut().remove::<BeginsSession>().is_some();
    if begins {
        let begun = super::begin_session(gate.clone(), service, request, asked, caller.clone());
        return inner.until_taken(begun.await, (), holder);
    }
    let awaited = grants.awaited();
    let Ok(answer) = service.call(request).await;
    let answer = answer.into_response();
    let grants = awaited.answered();
    if grants.are_unrecorded() {
        return challenge::unrecorded();
    }
    if !inner.has_handler && answer.status().is_success() {
        grants.pass().await;
    }
    // The connection is counted by its address, where it was accepted.
    inner.until_taken(answer, (), holder)
}

/// One request without a token.
struct Visit<'g> {
    inner: &'g Inner,
    caller: &'g AnonymousCaller,
    peer: Option<Peer>,
    holder: Holder,
}

impl Visit<'_> {
    /// Admits the request before its body is read.
    fn enter(&self, request: &Request<Body>) -> Result<Membership, Response> {
        let Inner { capacity, recorder, sessions, limits, .. } = self.inner;
        capacity
            .anonymous
            .admit(self.holder)
            .map_err(|(limit, wait)| challenge::limited(limit, wait))?;
        if recorder.refuses_anonymous(self.caller.policy()) {
            return Err(challenge::unrecorded());
        }
        // A stream stays open, so it is for callers that can be told apart. A client takes this answer
        // for a server without streams (MCP, "Listening for Messages from the Server").
        if request.method() != Method::POST {
            let allowed = [(header::ALLOW, HeaderValue::from_static("POST"))];
            return Err((StatusCode::METHOD_NOT_ALLOWED, allowed).into_response());
        }
        let caller = Caller::Anonymous(self.caller);
        match sessions.membership(request.headers(), caller, limits) {
            Membership::Foreign => Err(sessions::no_such_session()),
            membership => Ok(membership),
        }
    }

    /// Reads the body, and decides it.
    async fn admit(
        &self,
        request: Request<Body>,
        membership: Membership,
    ) -> Result<(Request<Body>, Grants), Response> {
        let started = Instant::now();
        let Inner { capacity, limits, .. } = self.inner;
        let (mut parts, body) = request.into_parts();
        let (body, _counted) = read(body, limits, capacity, self.holder).await?;
        if is_batch(&body) {
            return Err(self.sign_in());
        }
        let message = parse(&body)?;
        let grants = self.decide(&message, membership, started)?;
        let place = capacity.anonymous.place(self.holder);
        parts.extensions.insert(place.map_err(|(limit, wait)| challenge::limited(limit, wait))?);
        if let ClientJsonRpcMessage::Request(message) = &message {
            match message.request {
                ClientRequest::ListToolsRequest(_) => {
                    parts.extensions.insert(ListsTools);
                }
                ClientRequest::InitializeRequest(_) => {
                    parts.extensions.insert(BeginsSession);
                }
                _ => {}
            }
        }
        parts.extensions.insert(grants.clone());
        Ok((Request::from_parts(parts, Body::from(body)), grants))
    }

    /// Decides one message. Every method that can pass is named here; all others need a token.
    fn decide(
        &self,
        message: &ClientJsonRpcMessage,
        membership: Membership,
        started: Instant,
    ) -> Result<Grants, Response> {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                let trace = request.request.get_meta().get_traceparent();
                let context = DecisionContext::new(started, trace);
                self.decide_request(&request.request, context)
            }
            ClientJsonRpcMessage::Notification(notification) => match &notification.notification {
                ClientNotification::CancelledNotification(_)
                | ClientNotification::InitializedNotification(_)
                | ClientNotification::ProgressNotification(_)
                | ClientNotification::RootsListChangedNotification(_) => Ok(Grants::None),
                _ => Err(self.sign_in()),
            },
            ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_)
                if membership == Membership::Own =>
            {
                Ok(Grants::None)
            }
            ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {
                Err(self.sign_in())
            }
        }
    }

    fn decide_request(
        &self,
        request: &ClientRequest,
        context: DecisionContext<'_>,
    ) -> Result<Grants, Response> {
        match request {
            ClientRequest::InitializeRequest(_)
            | ClientRequest::DiscoverRequest(_)
            | ClientRequest::PingRequest(_) => Ok(Grants::None),
            // Our own handler filters each list by the same decision. Another service may list to
            // anybody what exists.
            ClientRequest::ListToolsRequest(_)
            | ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_)
                if self.inner.has_handler =>
            {
                Ok(Grants::None)
            }
            ClientRequest::CallToolRequest(call) => {
                let arguments = call.params.arguments.as_ref();
                self.decide_use((Feature::Tool, &call.params.name), arguments, context)
            }
            ClientRequest::GetPromptRequest(get) => {
                let arguments = get.params.arguments.as_ref();
                self.decide_use((Feature::Prompt, &get.params.name), arguments, context)
            }
            ClientRequest::ReadResourceRequest(read) => {
                self.decide_use((Feature::Resource, &read.params.uri), None, context)
            }
            _ => Err(self.sign_in()),
        }
    }

    /// Decides a use. What is refused, and what does not exist, get the same answer.
    fn decide_use(
        &self,
        (feature, name): (Feature, &str),
        arguments: Option<&JsonObject>,
        context: DecisionContext<'_>,
    ) -> Result<Grants, Response> {
        let nothing = JsonObject::new();
        let operation = Operation::new(feature, name).with_arguments(arguments.unwrap_or(&nothing));
        let (decision, met) = self.caller.decide(operation);
        let Decision::Allow(rule) = decision else { return Err(self.sign_in()) };
        let (policy, recorder) = (self.caller.policy(), &self.inner.recorder);
        let grant =
            recorder.allowed_anonymously((feature, rule), (policy, &met), self.peer, context);
        Ok(grant.into())
    }

    /// The answer to what needs a token.
    fn sign_in(&self) -> Response {
        self.inner.ask_for_token(self.caller.policy(), self.peer)
    }
}
