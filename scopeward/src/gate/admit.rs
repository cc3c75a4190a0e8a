//! Admits an authenticated caller's request, or answers it with a refusal, before rmcp sees it.
//!
//! The body is read once, within the limits, and parsed with rmcp's own message type, so that the
//! message that is decided is the message that rmcp executes.

use std::time::Instant;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode, request::Parts};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest};

use super::{
    accept::not_acceptable,
    challenge::limited,
    decide::{GateState, decide, refuse_by_name},
    messages::{batch, is_batch, not_accepted, parse},
    sessions::{BeginsSession, Membership},
};
use crate::{
    identity::Principal,
    limits::{
        BodyError, Capacity, Holder, Limit, Limits, Place, RateLimiter, SHORT, SharedPermit,
        read_body,
    },
    mcp::{
        plain_call::{self, BorrowedCall},
        security_schemes::ListsTools,
    },
    policy::{Decision, Feature, MetConditions, Operation},
    record::audit::{
        DecisionContext,
        grant::{Grant, Grants},
    },
};

/// What bounds one request: the limits, what the server has to give, and who asks.
pub(super) struct Bounds<'g> {
    pub(super) limits: &'g Limits,
    pub(super) capacity: &'g Capacity,
    pub(super) rate: &'g RateLimiter<u64>,
    pub(super) holder: Holder,
}

/// An admitted request, as it is passed on to the service behind the gate.
pub(super) enum AdmittedRequest {
    One(Request<Body>, Grants),
    Batch(AdmittedBatch),
}

/// The messages of a batch, each by itself with its grants and in the batch's order (revision
/// 2025-03-26), and the place that they have together.
pub(super) struct AdmittedBatch {
    pub(super) parts: Parts,
    pub(super) messages: Vec<(Bytes, Grants)>,
    pub(super) place: Place,
}

/// Decides a request: returns the request to be passed on, or the answer that refuses it.
pub(super) async fn admit(
    request: Request<Body>,
    caller: &Principal,
    state: &GateState<'_>,
    bounds: &Bounds<'_>,
) -> Result<AdmittedRequest, Response> {
    let started = Instant::now();
    if request.method() != Method::POST {
        // Only a POST carries a message. The other methods open or close streams, and a stateless
        // server refuses them itself. Their body has no meaning, so it is not passed on.
        let (parts, _) = request.into_parts();
        let request = Request::from_parts(parts, Body::empty());
        return Ok(AdmittedRequest::One(request, Grants::None));
    }
    let (mut parts, body) = request.into_parts();
    // Counted until the message was decided; what works on it then has a place.
    let (body, _counted) = read(body, bounds.limits, bounds.capacity, bounds.holder).await?;
    let place = bounds.place()?;
    if let Some(call) = plain_call::read(&body)
        && let Some(grant) = plainly_allowed(&call, caller, state, started)?
    {
        let call = call.share(&body).with_grant(grant.clone());
        parts.extensions.insert(place);
        parts.extensions.insert(call);
        let request = Request::from_parts(parts, Body::from(body));
        return Ok(AdmittedRequest::One(request, Grants::One(grant)));
    }
    if is_batch(&body) {
        let messages = batch(&parts, &body, state.membership == Membership::Own)?;
        bounds.charge(messages.len())?;
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
        return Ok(AdmittedRequest::Batch(AdmittedBatch { parts, messages: decided, place }));
    }
    let message = parse(&body)?;
    let grants = decide(&message, caller, state, started)?;
    if opens_stream(&message) {
        if !state.accepts_streams {
            return Err(not_acceptable("text/event-stream"));
        }
    } else {
        parts.extensions.insert(place);
    }
    if let ClientJsonRpcMessage::Request(message) = &message
        && matches!(message.request, ClientRequest::ListToolsRequest(_))
    {
        parts.extensions.insert(ListsTools);
    }
    if let ClientJsonRpcMessage::Request(message) = &message
        && matches!(message.request, ClientRequest::InitializeRequest(_))
    {
        parts.extensions.insert(BeginsSession);
    }
    parts.extensions.insert(grants.clone());
    Ok(AdmittedRequest::One(Request::from_parts(parts, Body::from(body)), grants))
}

/// Reads a body, or returns the answer that refuses it. The body is counted among the bytes in flight
/// as long as the permit is kept.
pub(super) async fn read(
    body: Body,
    limits: &Limits,
    capacity: &Capacity,
    holder: Holder,
) -> Result<(Bytes, Option<SharedPermit>), Response> {
    let body = read_body(body, limits, capacity, holder).await;
    let read = body.map_err(|error| match error {
        BodyError::Limited(limit) => limited(limit, SHORT),
        BodyError::Broken => StatusCode::BAD_REQUEST.into_response(),
    })?;
    Ok((read.bytes, read.counted))
}

impl Bounds<'_> {
    /// Takes a place for a call.
    fn place(&self) -> Result<Place, Response> {
        let permit = self.capacity.places.take(1, self.holder);
        let permit =
            permit.map_err(|exceeded| limited(Limit::Requests.or_share(exceeded), SHORT))?;
        Ok(Place::new(permit))
    }

    /// Charges the caller's rate for each message of a batch. The request itself was charged as one.
    fn charge(&self, messages: usize) -> Result<(), Response> {
        let Some(caller) = self.holder.caller else { return Ok(()) };
        let more = u32::try_from(messages).unwrap_or(u32::MAX).saturating_sub(1);
        self.rate.admit_all(&caller, more).map_err(|wait| limited(Limit::Caller, wait))
    }
}

/// Returns whether a message opens a stream that stays open. Such a stream occupies a connection and
/// no place, because nothing is executed for it.
fn opens_stream(message: &ClientJsonRpcMessage) -> bool {
    matches!(
        message,
        ClientJsonRpcMessage::Request(request)
            if matches!(request.request, ClientRequest::SubscriptionsListenRequest(_))
    )
}

/// The grant of a plain call that the policy allows whatever its arguments; `None` for a call that is
/// parsed in full, with rmcp's type. A call that is refused whatever its arguments is answered with
/// its refusal at once, so that nothing is built from arguments that are not used.
fn plainly_allowed(
    call: &BorrowedCall<'_>,
    caller: &Principal,
    state: &GateState<'_>,
    started: Instant,
) -> Result<Option<Grant>, Response> {
    let context = DecisionContext::new(started, call.traceparent);
    match caller.may(Operation::tool(call.tool)) {
        Decision::Allow(rule) if !rule.has_conditions() => {
            let met = MetConditions::default();
            Ok(Some(state.recorder.allowed(caller, Feature::Tool, rule, &met, context)))
        }
        Decision::Deny(denial) if denial.rule().has_conditions() => Ok(None),
        Decision::Deny(_) | Decision::Unknown => match call.id() {
            Some(id) => refuse_by_name(&id, call.tool, caller, state, context).map(|()| None),
            None => Ok(None),
        },
        Decision::Allow(_) => Ok(None),
    }
}
