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
    sessions::Membership,
};
use crate::{
    identity::Principal,
    limits::Limits,
    mcp::plain_call::{self, PlainCall},
    policy::{Decision, Feature, Operation},
    record::audit::{DecisionContext, Recorder},
};

/// What is passed on.
pub(super) enum AdmittedRequest {
    One(Request<Body>),
    /// Each message by itself, in the order of the batch (revision 2025-03-26).
    Batch(Parts, Vec<Bytes>),
}

/// The request, to be passed on; or the answer that refuses it.
pub(super) async fn admit(
    request: Request<Body>,
    caller: &Principal,
    state: &GateState<'_>,
    limits: &Limits,
) -> Result<AdmittedRequest, Response> {
    let started = Instant::now();
    if request.method() != Method::POST {
        // Only a POST carries a message. The others open or close streams, which a stateless
        // server refuses itself; a body has no meaning there and is not passed on.
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
        // All are decided before one of them is executed.
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
    decide(&parse(&body)?, caller, state, started)?;
    Ok(AdmittedRequest::One(Request::from_parts(parts, Body::from(body))))
}

/// The [plain call](plain_call), if it is one that the policy allows, whatever its arguments are.
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
            Some(call.of(body))
        }
        // What is refused, or depends on more, is read to the end.
        _ => None,
    }
}
