//! Admits an authenticated caller's request, or answers it with a refusal, before rmcp sees it.
//!
//! The body is read once, within the limits, and parsed with rmcp's own message type, so that the
//! message that is decided is the message that rmcp executes.

use std::time::Instant;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{Method, Request, request::Parts};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest};

use super::{
    body,
    decide::{GateState, decide},
    messages::{batch, is_batch, not_accepted, parse},
    sessions::{BeginsSession, Membership},
};
use crate::{
    identity::Principal,
    limits::Limits,
    mcp::plain_call::{self, PlainCall},
    policy::{Decision, Feature, Operation},
    record::audit::{DecisionContext, Recorder},
};

/// An admitted request, as it is passed on to the service behind the gate.
pub(super) enum AdmittedRequest {
    One(Request<Body>),
    /// The messages of a batch, each by itself and in the batch's order (revision 2025-03-26).
    Batch(Parts, Vec<Bytes>),
}

/// Decides a request: returns the request to be passed on, or the answer that refuses it.
pub(super) async fn admit(
    request: Request<Body>,
    caller: &Principal,
    state: &GateState<'_>,
    limits: &Limits,
) -> Result<AdmittedRequest, Response> {
    let started = Instant::now();
    if request.method() != Method::POST {
        // Only a POST carries a message. The other methods open or close streams, and a stateless
        // server refuses them itself. Their body has no meaning, so it is not passed on.
        let (parts, _) = request.into_parts();
        return Ok(AdmittedRequest::One(Request::from_parts(parts, Body::empty())));
    }
    let (parts, body) = request.into_parts();
    let body = body::read(body, limits).await?;
    if let Some(call) = plainly_allowed(&body, caller, state.recorder, started) {
        let mut request = Request::from_parts(parts, Body::from(body));
        request.extensions_mut().insert(call);
        return Ok(AdmittedRequest::One(request));
    }
    if is_batch(&body) {
        let messages = batch(&parts, &body, state.membership == Membership::Own)?;
        // All messages are decided before one is executed, because one refusal refuses the batch.
        for message in &messages {
            let message = parse(message)?;
            if let ClientJsonRpcMessage::Request(request) = &message
                && matches!(request.request, ClientRequest::InitializeRequest(_))
            {
                return Err(not_accepted("`initialize` is not part of a batch"));
            }
            decide(&message, caller, state, started)?;
        }
        return Ok(AdmittedRequest::Batch(parts, messages));
    }
    let message = parse(&body)?;
    decide(&message, caller, state, started)?;
    let mut request = Request::from_parts(parts, Body::from(body));
    if let ClientJsonRpcMessage::Request(message) = &message
        && matches!(message.request, ClientRequest::InitializeRequest(_))
    {
        request.extensions_mut().insert(BeginsSession);
    }
    Ok(AdmittedRequest::One(request))
}

/// Returns the [plain call](plain_call) in a body, if the policy allows it whatever its arguments.
fn plainly_allowed(
    body: &Bytes,
    caller: &Principal,
    recorder: &Recorder,
    started: Instant,
) -> Option<PlainCall> {
    let call = plain_call::read(body)?;
    match caller.may(Operation::tool(call.tool)) {
        Decision::Allow(rule) if !rule.has_conditions() => {
            let context = DecisionContext::new(started, call.traceparent);
            recorder.allowed(caller, Feature::Tool, rule, context);
            Some(call.share(body))
        }
        // A call that is refused, or whose rule has conditions, is parsed in full with rmcp's type.
        _ => None,
    }
}
