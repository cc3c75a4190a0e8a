//! Decides what an authenticated caller's request may do, before rmcp sees it.
//!
//! The body is read once, within a limit, and parsed with rmcp's own message type: what is decided
//! here is what rmcp will execute. Every method is denied unless it is known.

use std::time::Instant;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rmcp::{
    ErrorData,
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, GetMeta, RequestId,
    },
};

use super::{
    challenge::{insufficient_scope, json_rpc_error, tool_error},
    repeated::Challenged,
    unread,
};
use crate::{
    audit::{self, Occasion},
    policy::{Decision, OnDenied},
    principal::Principal,
    refusal::Refusal,
};

/// Of a tool name that nobody knows, this many bytes are shown.
const LONGEST_SHOWN_NAME: usize = 128;

/// The request, to be passed on; or the answer that refuses it.
pub(super) async fn admit(
    request: Request<Body>,
    caller: &Principal,
    challenged: &Challenged,
    largest: usize,
) -> Result<Request<Body>, Response> {
    let started = Instant::now();
    if request.method() != Method::POST {
        // Only a POST carries a message. The others open or close streams, which a stateless
        // server refuses itself; a body has no meaning there and is not passed on.
        let (parts, _) = request.into_parts();
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    let (parts, body) = request.into_parts();
    let body = read(body, largest).await?;
    let message: ClientJsonRpcMessage =
        serde_json::from_slice(&body).map_err(|_| unreadable(&body))?;
    decide(&message, caller, challenged, started)?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

async fn read(mut body: Body, largest: usize) -> Result<Bytes, Response> {
    match Limited::new(&mut body, largest).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            unread::read_away(body).await;
            let message = format!("the request's body is larger than {largest} bytes");
            let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
            Err(json_rpc_error(StatusCode::PAYLOAD_TOO_LARGE, None, error))
        }
        // The client went away or broke off: nobody reads this answer.
        Err(_) => Err(StatusCode::BAD_REQUEST.into_response()),
    }
}

/// Not a message that rmcp would execute: broken JSON, a batch, or no JSON-RPC 2.0.
fn unreadable(body: &[u8]) -> Response {
    let (code, message) = match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Err(_) => (ErrorCode::PARSE_ERROR, "the request's body is not JSON"),
        Ok(_) if body.trim_ascii_start().starts_with(b"[") => (
            ErrorCode::INVALID_REQUEST,
            "batches are not part of MCP since 2025-06-18: send one message for each request",
        ),
        Ok(_) => (ErrorCode::INVALID_REQUEST, "the request's body is not one JSON-RPC 2.0 message"),
    };
    json_rpc_error(StatusCode::BAD_REQUEST, None, ErrorData::new(code, message, None))
}

fn decide(
    message: &ClientJsonRpcMessage,
    caller: &Principal,
    challenged: &Challenged,
    started: Instant,
) -> Result<(), Response> {
    match message {
        ClientJsonRpcMessage::Request(request) => match &request.request {
            // What every authenticated caller may do: open the connection, and see the list,
            // which follows the same decision.
            ClientRequest::InitializeRequest(_)
            | ClientRequest::DiscoverRequest(_)
            | ClientRequest::PingRequest(_)
            | ClientRequest::ListToolsRequest(_)
            | ClientRequest::SubscriptionsListenRequest(_) => Ok(()),
            ClientRequest::CallToolRequest(call) => {
                let occasion = Occasion::new(started, request.request.get_meta().get_traceparent());
                decide_call(&call.params.name, &request.id, caller, challenged, occasion)
            }
            other => Err(unknown_method(other.method(), &request.id)),
        },
        ClientJsonRpcMessage::Notification(notification) => match &notification.notification {
            ClientNotification::CancelledNotification(_)
            | ClientNotification::InitializedNotification(_)
            | ClientNotification::ProgressNotification(_)
            | ClientNotification::RootsListChangedNotification(_) => Ok(()),
            _ => Err(not_accepted("this notification is not known here")),
        },
        ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {
            Err(not_accepted("this server asks its clients nothing, so it takes no responses"))
        }
    }
}

fn decide_call(
    tool: &str,
    id: &RequestId,
    caller: &Principal,
    challenged: &Challenged,
    occasion: Occasion<'_>,
) -> Result<(), Response> {
    match caller.may_call(tool) {
        Decision::Allow(rule) => {
            audit::allowed(caller, tool, rule, occasion);
            Ok(())
        }
        Decision::Deny(denial) => {
            let refusal = Refusal::insufficient_scope(tool, &denial, caller);
            audit::denied(caller, &refusal, Some(denial.rule()), Some(occasion));
            Err(match caller.policy().on_denied() {
                OnDenied::Adaptive if challenged.is_repeated(caller, tool) => {
                    tool_error(id, refusal.in_plain_words(caller.policy()))
                }
                OnDenied::Adaptive | OnDenied::Challenge => {
                    insufficient_scope(id, refusal, caller.policy())
                }
                OnDenied::ToolError => tool_error(id, refusal),
            })
        }
        Decision::UnknownTool => {
            // The name is the caller's own text: enough of it to recognise, not to flood a log.
            let tool = &tool[..tool.floor_char_boundary(LONGEST_SHOWN_NAME)];
            let refusal = Refusal::without_policy(tool, caller);
            audit::denied(caller, &refusal, None, Some(occasion));
            // MCP, "Tools", error handling: an unknown tool is a protocol error.
            let error = ErrorData::invalid_params(format!("Unknown tool: {tool}"), None);
            Err(json_rpc_error(StatusCode::OK, Some(id), error))
        }
    }
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
