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
    policy::{Decision, Feature, MetConditions, Operation},
    record::audit::{DecisionContext, Recorder, grant::Grants},
};

/// An admitted request, as it is passed on to the service behind the gate.
pub(super) enum AdmittedRequest {
    One(Request<Body>, Grants),
    /// The messages of a batch, each by itself with its grants and in the batch's order (revision
    /// 2025-03-26).
    Batch(Parts, Vec<(Bytes, Grants)>),
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
        let request = Request::from_parts(parts, Body::empty());
        return Ok(AdmittedRequest::One(request, Grants::None));
    }
    let (parts, body) = request.into_parts();
    let body = body::read(body, limits).await?;
    if let Some(call) = plainly_allowed(&body, caller, state.recorder, started) {
        let mut request = Request::from_parts(parts, Body::from(body));
        let grants = call.grant().cloned().map_or(Grants::None, Grants::One);
        request.extensions_mut().insert(call);
        return Ok(AdmittedRequest::One(request, grants));
    }
    if is_batch(&body) {
        let messages = batch(&parts, &body, state.membership == Membership::Own)?;
        // All messages are decided before one is executed, because one refusal refuses the batch.
        // Nothing is recorded as allowed until then.
        let mut decided = Vec::with_capacity(messages.len());
        for bytes in messages {
            let message = parse(&bytes)?;
            if let ClientJsonRpcMessage::Request(request) = &message
                && matches!(request.request, ClientRequest::InitializeRequest(_))
            {
                return Err(not_accepted("`initialize` is not part of a batch"));
            }
            let grants = decide(&message, caller, state, started)?;
            decided.push((bytes, grants));
        }
        return Ok(AdmittedRequest::Batch(parts, decided));
    }
    let grants = decide(&parse(&body)?, caller, state, started)?;
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(grants.clone());
    Ok(AdmittedRequest::One(request, grants))
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
            let met = MetConditions::default();
            let grant = recorder.allowed(caller, Feature::Tool, rule, &met, context);
            Some(call.share(body).with_grant(grant))
        }
        // A call that is refused, or whose rule has conditions, is parsed in full with rmcp's type.
        _ => None,
    }
}
