//! Batches of revision 2025-03-26: each message is answered by itself, in turn, and the answers are
//! one list (JSON-RPC 2.0, section 6).

use std::convert::Infallible;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use rmcp::{
    ErrorData,
    model::{ClientJsonRpcMessage, ErrorCode, ServerJsonRpcMessage},
};
use serde_json::value::RawValue;

use super::admit::AdmittedBatch;
use crate::{identity::Principal, record::audit::grant::Grants};

/// The most bytes of all answers of a batch together: 16 MiB, so that a small request cannot take a
/// large part of the memory. Once they are used up, each further request is answered with an error
/// and not executed.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Calls the service with each message in turn, and returns the answers as one list; 202 if no
/// message has an answer.
pub(super) async fn answer<S>(mut service: S, batch: AdmittedBatch, caller: &Principal) -> Response
where
    S: tower::Service<Request<Body>, Error = Infallible> + Send,
    S::Response: IntoResponse,
    S::Future: Send,
{
    let mut answers: Vec<Bytes> = vec![];
    let mut room = LARGEST_ANSWER;
    for (message, grants) in &batch.messages {
        let mut body = None;
        if room > 0 {
            let Ok(()) = std::future::poll_fn(|context| service.poll_ready(context)).await;
            let Ok(answer) = service.call(request(&batch, (message, grants), caller)).await;
            let answer = answer.into_response();
            if answer.status() == StatusCode::ACCEPTED {
                continue;
            }
            body = axum::body::to_bytes(answer.into_body(), room).await.ok();
        }
        room = body.as_ref().map_or(0, |body| room - body.len());
        answers.extend(body.or_else(|| too_large(message)));
    }
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    // An answer that is not JSON (a stream, a plain text) cannot be an item of the list.
    let list: Option<Vec<&RawValue>> =
        answers.iter().map(|answer| serde_json::from_slice(answer).ok()).collect();
    match list {
        Some(list) => axum::Json(list).into_response(),
        None => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// One request for one message of a batch, with the batch's method, URI, headers and place.
fn request(
    batch: &AdmittedBatch,
    (message, grants): (&Bytes, &Grants),
    caller: &Principal,
) -> Request<Body> {
    let parts = &batch.parts;
    let mut request = Request::new(Body::from(message.clone()));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.version_mut() = parts.version;
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request.extensions_mut().insert(batch.place.clone());
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(grants.clone());
    request
}

/// The answer to a request for which the batch has no more room; `None` for a message that has no
/// answer.
fn too_large(message: &[u8]) -> Option<Bytes> {
    let Ok(ClientJsonRpcMessage::Request(request)) = serde_json::from_slice(message) else {
        return None;
    };
    let reason = format!(
        "the answers of this batch are larger than {LARGEST_ANSWER} bytes: send this message alone"
    );
    let error = ErrorData::new(ErrorCode::INTERNAL_ERROR, reason, None);
    let answer = ServerJsonRpcMessage::error(error, Some(request.id));
    serde_json::to_vec(&answer).ok().map(Bytes::from)
}
