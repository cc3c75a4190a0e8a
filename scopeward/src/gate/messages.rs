//! Reads the JSON-RPC messages of a body as rmcp would read them.

use axum::response::Response;
use bytes::Bytes;
use http::{StatusCode, request::Parts};
use rmcp::{
    ErrorData,
    model::{
        ClientJsonRpcMessage, ClientRequest, CustomRequest, ErrorCode, ProtocolVersion, RequestId,
    },
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use super::challenge::json_rpc_error;

/// The most messages of one batch, because all of them are decided before one is executed.
const LARGEST_BATCH: usize = 100;

pub(super) fn is_batch(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

/// Reads the messages of a batch, each as it was written. Only revision 2025-03-26 has batches, so
/// the client has to name that revision.
pub(super) fn batch(parts: &Parts, body: &[u8], has_session: bool) -> Result<Vec<Bytes>, Response> {
    let batch_version = ProtocolVersion::V_2025_03_26.as_str();
    let mut versions = parts.headers.get_all("mcp-protocol-version").iter();
    let is_named = versions.next().is_some_and(|version| version == batch_version);
    if !is_named || versions.next().is_some() {
        return Err(not_accepted(
            "batches are part of MCP 2025-03-26 only: send one message for each request, or name \
             that revision in the header MCP-Protocol-Version",
        ));
    }
    if has_session {
        return Err(not_accepted("within a session send one message for each request"));
    }
    let messages: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| unreadable(body))?;
    if messages.is_empty() || messages.len() > LARGEST_BATCH {
        return Err(not_accepted("a batch has between one and a hundred messages"));
    }
    Ok(messages.into_iter().map(|one| Bytes::copy_from_slice(one.get().as_bytes())).collect())
}

pub(super) fn parse(body: &[u8]) -> Result<ClientJsonRpcMessage, Response> {
    match serde_json::from_slice(body) {
        Ok(message) if !leaves_params_out(&message, body) => Ok(message),
        _ => with_odd_params(body).ok_or_else(|| unreadable(body)),
    }
}

/// Returns whether rmcp read a request as one without parameters although it has some, which are not
/// those of the method. Only the parameters of these requests may be left out.
fn leaves_params_out(message: &ClientJsonRpcMessage, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Sent {
        #[serde(rename = "params")]
        _params: Option<Page>,
    }
    #[derive(Deserialize)]
    struct Page {
        #[serde(rename = "cursor")]
        _cursor: Option<String>,
    }
    let ClientJsonRpcMessage::Request(request) = message else { return false };
    let has_none = match &request.request {
        ClientRequest::PingRequest(_) => true,
        ClientRequest::ListToolsRequest(list) => list.params.is_none(),
        ClientRequest::ListPromptsRequest(list) => list.params.is_none(),
        ClientRequest::ListResourcesRequest(list) => list.params.is_none(),
        ClientRequest::ListResourceTemplatesRequest(list) => list.params.is_none(),
        _ => false,
    };
    has_none && serde_json::from_slice::<Sent>(body).is_err()
}

/// A request that only its `params` keep from being read, such as a list, as a request without any. Its
/// type is that of unknown methods, so that it is answered by its method and never executed.
fn with_odd_params(body: &[u8]) -> Option<ClientJsonRpcMessage> {
    #[derive(Deserialize)]
    struct Envelope {
        jsonrpc: String,
        id: RequestId,
        method: String,
        #[serde(rename = "params")]
        _params: Value,
    }
    let request: Envelope = serde_json::from_slice(body).ok()?;
    let odd = CustomRequest::new(request.method, None);
    (request.jsonrpc == "2.0")
        .then(|| ClientJsonRpcMessage::request(ClientRequest::CustomRequest(odd), request.id))
}

/// The answer to a body that rmcp would not execute: broken JSON, or not one JSON-RPC 2.0 message.
fn unreadable(body: &[u8]) -> Response {
    let (code, message) = match serde_json::from_slice::<IgnoredAny>(body) {
        Err(_) => (ErrorCode::PARSE_ERROR, "the request's body is not JSON"),
        Ok(_) => (ErrorCode::INVALID_REQUEST, "the request's body is not one JSON-RPC 2.0 message"),
    };
    json_rpc_error(StatusCode::BAD_REQUEST, None, ErrorData::new(code, message, None))
}

/// The answer to a message that the gate does not accept: 400 with -32600.
pub(super) fn not_accepted(message: &'static str) -> Response {
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
    json_rpc_error(StatusCode::BAD_REQUEST, None, error)
}
