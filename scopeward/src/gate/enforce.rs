//! Decides what an authenticated caller's request may do, before rmcp sees it.
//!
//! The body is read once, within a limit, and parsed with rmcp's own message type: what is decided
//! here is what rmcp will execute. Every method is denied unless it is known.

use std::time::Instant;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use rmcp::{
    ErrorData,
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, CompleteRequestParams, ErrorCode,
        GetMeta, JsonObject, ProtocolVersion, Reference, RequestId,
    },
};

use super::{
    challenge::{insufficient_scope, json_rpc_error, refusal_as_answer},
    challenged::ChallengeMemory,
    sessions::Membership,
};
use crate::{
    http::drain,
    identity::Principal,
    limits::{Limit, Limits},
    mcp::{
        TaskOwners,
        plain_call::{self, PlainCall},
        refusal::{Refusal, unknown},
    },
    policy::{Decision, Feature, OnDenied, Operation},
    record::{
        audit::{DecisionContext, Denied, Recorder},
        metrics::metrics,
    },
};
use serde_json::value::RawValue;

/// Of a name that nobody knows, this many bytes are shown.
const LONGEST_SHOWN_NAME: usize = 128;
/// A batch has so many messages at most.
const LARGEST_BATCH: usize = 100;

/// What the gate knows beside the policy.
pub(super) struct GateState<'g> {
    pub(super) challenged: &'g ChallengeMemory,
    pub(super) tasks: Option<&'g TaskOwners>,
    pub(super) recorder: &'g Recorder,
    pub(super) membership: Membership,
}

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
    door: &GateState<'_>,
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
    let body = read(body, limits).await?;
    if let Some(call) = plainly_allowed(&body, caller, door.recorder, started) {
        let mut request = Request::from_parts(parts, Body::from(body));
        request.extensions_mut().insert(call);
        return Ok(AdmittedRequest::One(request));
    }
    if is_batch(&body) {
        let messages = batch(&parts, &body, door)?;
        // All are decided before one of them is executed.
        for message in &messages {
            let message = parse(message)?;
            if let ClientJsonRpcMessage::Request(request) = &message
                && matches!(request.request, ClientRequest::InitializeRequest(_))
            {
                return Err(not_accepted("`initialize` is not part of a batch"));
            }
            decide(&message, caller, door, started)?;
        }
        return Ok(AdmittedRequest::Batch(parts, messages));
    }
    decide(&parse(&body)?, caller, door, started)?;
    Ok(AdmittedRequest::One(Request::from_parts(parts, Body::from(body))))
}

/// The whole body. One that came in one piece, as most do, is not copied.
async fn read(mut body: Body, limits: &Limits) -> Result<Bytes, Response> {
    let largest = limits.max_body;
    // Most are there already: no clock is set for these.
    let mut deadline = None;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame = if let Some(frame) = body.frame().now_or_never() {
            frame
        } else {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limits.body_timeout());
            let frame = tokio::time::timeout_at(deadline.into(), body.frame());
            Box::pin(frame).await.map_err(|_| too_slow())?
        };
        let Some(frame) = frame else { break };
        // The client went away or broke off: nobody reads this answer.
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST.into_response())?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > largest {
            metrics().limited(Limit::Body);
            Box::pin(drain::read_away(body)).await;
            let message = format!("the request's body is larger than {largest} bytes");
            let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
            return Err(json_rpc_error(StatusCode::PAYLOAD_TOO_LARGE, None, error));
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// RFC 9110, section 15.5.9.
fn too_slow() -> Response {
    metrics().limited(Limit::BodyTime);
    let error =
        ErrorData::new(ErrorCode::INVALID_REQUEST, "the request's body took too long", None);
    let mut answer = json_rpc_error(StatusCode::REQUEST_TIMEOUT, None, error);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
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

fn is_batch(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

/// The messages of a batch, each as it was written. Only revision 2025-03-26 has batches ("a server
/// MUST support receiving"), and it is what a request without a version is of.
fn batch(parts: &Parts, body: &[u8], door: &GateState<'_>) -> Result<Vec<Bytes>, Response> {
    let of_march = ProtocolVersion::V_2025_03_26.as_str();
    let mut versions = parts.headers.get_all("mcp-protocol-version").iter();
    if !versions.all(|version| version == of_march) {
        return Err(not_accepted(
            "batches are not part of MCP since 2025-06-18: send one message for each request",
        ));
    }
    if door.membership == Membership::Own {
        return Err(not_accepted("within a session send one message for each request"));
    }
    let messages: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| unreadable(body))?;
    if messages.is_empty() || messages.len() > LARGEST_BATCH {
        return Err(not_accepted("a batch has between one and a hundred messages"));
    }
    Ok(messages.into_iter().map(|one| Bytes::copy_from_slice(one.get().as_bytes())).collect())
}

fn parse(body: &[u8]) -> Result<ClientJsonRpcMessage, Response> {
    serde_json::from_slice(body).map_err(|_| unreadable(body))
}

/// Not a message that rmcp would execute: broken JSON, or no JSON-RPC 2.0.
fn unreadable(body: &[u8]) -> Response {
    let (code, message) = match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Err(_) => (ErrorCode::PARSE_ERROR, "the request's body is not JSON"),
        Ok(_) => (ErrorCode::INVALID_REQUEST, "the request's body is not one JSON-RPC 2.0 message"),
    };
    json_rpc_error(StatusCode::BAD_REQUEST, None, ErrorData::new(code, message, None))
}

fn decide(
    message: &ClientJsonRpcMessage,
    caller: &Principal,
    door: &GateState<'_>,
    started: Instant,
) -> Result<(), Response> {
    match message {
        ClientJsonRpcMessage::Request(request) => {
            let context =
                DecisionContext::new(started, request.request.get_meta().get_traceparent());
            RequestDecider { id: &request.id, caller, door, context }.about(&request.request)
        }
        ClientJsonRpcMessage::Notification(notification) => match &notification.notification {
            ClientNotification::CancelledNotification(_)
            | ClientNotification::InitializedNotification(_)
            | ClientNotification::ProgressNotification(_)
            | ClientNotification::RootsListChangedNotification(_) => Ok(()),
            _ => Err(not_accepted("this notification is not known here")),
        },
        // What a server asks its client (elicitation, sampling) belongs to the caller's session.
        ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {
            if door.membership == Membership::Own {
                return Ok(());
            }
            Err(not_accepted("this server asks its clients nothing, so it takes no responses"))
        }
    }
}

/// One request, to be decided.
struct RequestDecider<'q> {
    id: &'q RequestId,
    caller: &'q Principal,
    door: &'q GateState<'q>,
    context: DecisionContext<'q>,
}

impl RequestDecider<'_> {
    /// Every method that is let through stands here.
    fn about(&self, request: &ClientRequest) -> Result<(), Response> {
        match request {
            // What every authenticated caller may do: open the connection, and see the lists,
            // which follow the same decision.
            ClientRequest::InitializeRequest(_)
            | ClientRequest::DiscoverRequest(_)
            | ClientRequest::PingRequest(_)
            | ClientRequest::ListToolsRequest(_) => Ok(()),

            // How much its own session is told.
            ClientRequest::SetLevelRequest(_) if self.door.membership == Membership::Own => Ok(()),
            // Of what the policy names nothing of, no method is known.
            _ if feature(request).is_some_and(|of| !self.caller.policy().names_some(of)) => {
                Err(unknown_method(request.method(), self.id))
            }
            ClientRequest::CallToolRequest(call) => {
                self.one(Feature::Tool, &call.params.name, call.params.arguments.as_ref())
            }
            ClientRequest::GetPromptRequest(get) => {
                self.one(Feature::Prompt, &get.params.name, get.params.arguments.as_ref())
            }
            ClientRequest::ReadResourceRequest(read) => {
                self.one(Feature::Resource, &read.params.uri, None)
            }
            ClientRequest::SubscribeRequest(of) => {
                self.one(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::UnsubscribeRequest(of) => {
                self.one(Feature::Resource, &of.params.uri, None)
            }
            ClientRequest::SubscriptionsListenRequest(listen) => {
                let resources = listen.params.notifications.resource_subscriptions.as_deref();
                let mut resources = resources.unwrap_or_default().iter();
                resources.try_for_each(|uri| self.one(Feature::Resource, uri, None))
            }
            ClientRequest::ListResourcesRequest(_)
            | ClientRequest::ListResourceTemplatesRequest(_)
            | ClientRequest::ListPromptsRequest(_) => Ok(()),
            ClientRequest::CompleteRequest(complete) => self.completion(&complete.params),
            ClientRequest::GetTaskRequest(of) => self.task(request, &of.params.task_id),
            ClientRequest::UpdateTaskRequest(of) => self.task(request, &of.params.task_id),
            ClientRequest::CancelTaskRequest(of) => self.task(request, &of.params.task_id),
            other => Err(unknown_method(other.method(), self.id)),
        }
    }

    /// Completing an argument is part of what has the argument. Which values it will have is not
    /// known yet, so rules about them are left out.
    fn completion(&self, params: &CompleteRequestParams) -> Result<(), Response> {
        match &params.r#ref {
            Reference::Prompt(prompt) => self.decided(Operation::prompt(&prompt.name)),
            Reference::Resource(resource) => self.decided(Operation::resource(&resource.uri)),
            _ => Err(not_accepted("this kind of reference is not known here")),
        }
    }

    /// A task is its caller's own, as long as it may call the tool.
    fn task(&self, request: &ClientRequest, task: &str) -> Result<(), Response> {
        let Some(tasks) = self.door.tasks else {
            return Err(unknown_method(request.method(), self.id));
        };
        match tasks.tool_of(task, self.caller) {
            Some(tool) => self.decided(Operation::tool(&tool)),
            // Nobody's and somebody else's are the same: the handler, which looks again, says so.
            None => Ok(()),
        }
    }

    fn one(
        &self,
        feature: Feature,
        name: &str,
        arguments: Option<&JsonObject>,
    ) -> Result<(), Response> {
        let nothing = JsonObject::new();
        self.decided(Operation::new(feature, name).with_arguments(arguments.unwrap_or(&nothing)))
    }

    fn decided(&self, operation: Operation<'_>) -> Result<(), Response> {
        let Self { id, caller, context, .. } = *self;
        let (feature, name) = (operation.feature(), operation.name());
        let policy = caller.policy();
        match caller.may(operation) {
            Decision::Allow(rule) => {
                self.door.recorder.allowed(caller, feature, rule, context);
                Ok(())
            }
            Decision::Deny(denial) => {
                // A resource is known by the URI template that it is of.
                let known = denial.rule().name();
                let refusal = Refusal::insufficient_scope(feature, known, &denial, caller);
                let denied = Denied {
                    feature,
                    name: known,
                    rule: Some(denial.rule()),
                    missing: &refusal.missing,
                };
                self.door.recorder.denied(caller, denied, Some(context));
                // What a call needs can depend on its arguments: each need is another operation.
                let asked = || refusal.operation();
                Err(match policy.on_denied() {
                    OnDenied::Adaptive if self.door.challenged.is_repeated(caller, &asked()) => {
                        refusal_as_answer(id, refusal.in_plain_words(policy))
                    }
                    OnDenied::Adaptive | OnDenied::Challenge => {
                        insufficient_scope(id, refusal, policy)
                    }
                    OnDenied::ToolError => refusal_as_answer(id, refusal),
                })
            }
            Decision::Unknown => {
                // The name is the caller's own text: enough of it to recognise, not to flood a log.
                let name = &name[..name.floor_char_boundary(LONGEST_SHOWN_NAME)];
                let denied = Denied { feature, name, rule: None, missing: &[] };
                self.door.recorder.denied(caller, denied, Some(context));
                Err(json_rpc_error(StatusCode::OK, Some(id), unknown(feature, name)))
            }
        }
    }
}

/// What a request is about, if that is neither a tool nor something of its own.
fn feature(request: &ClientRequest) -> Option<Feature> {
    match request {
        ClientRequest::ListPromptsRequest(_) | ClientRequest::GetPromptRequest(_) => {
            Some(Feature::Prompt)
        }
        ClientRequest::ListResourcesRequest(_)
        | ClientRequest::ListResourceTemplatesRequest(_)
        | ClientRequest::ReadResourceRequest(_)
        | ClientRequest::SubscribeRequest(_)
        | ClientRequest::UnsubscribeRequest(_) => Some(Feature::Resource),
        ClientRequest::CompleteRequest(complete) => match &complete.params.r#ref {
            Reference::Prompt(_) => Some(Feature::Prompt),
            _ => Some(Feature::Resource),
        },
        _ => None,
    }
}

/// MCP, "Session Management": 404, upon which the client begins a new session.
pub(super) fn no_such_session() -> Response {
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, "Session not found", None);
    json_rpc_error(StatusCode::NOT_FOUND, None, error)
}

/// MCP 2026-07-28, "Protocol Version Header": 404 with -32601.
fn unknown_method(method: &str, id: &RequestId) -> Response {
    let error =
        ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Method not found: {method}"), None);
    json_rpc_error(StatusCode::NOT_FOUND, Some(id), error)
}

fn not_accepted(message: &'static str) -> Response {
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
    json_rpc_error(StatusCode::BAD_REQUEST, None, error)
}
