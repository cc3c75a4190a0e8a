//! Batches of revision 2025-03-26: each message is answered by itself, in turn, and the answers are
//! one list (JSON-RPC 2.0, section 6).

use std::convert::Infallible;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Request, StatusCode, header, request::Parts};
use serde_json::value::RawValue;

use crate::{identity::Principal, record::audit::grant::Grants};

/// The most bytes of one answer in a batch: 16 MiB, so that the list of answers stays small enough
/// for memory. A larger answer fails the whole batch with 500.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Makes one request for each message of a batch, with the batch's method, URI and headers.
pub(super) fn requests(
    parts: &Parts,
    messages: Vec<(Bytes, Grants)>,
    caller: &Principal,
) -> Vec<Request<Body>> {
    let each = messages.into_iter().map(|(message, grants)| {
        let mut request = Request::new(Body::from(message));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = parts.version;
        *request.headers_mut() = parts.headers.clone();
        request.headers_mut().remove(header::CONTENT_LENGTH);
        request.extensions_mut().insert(caller.clone());
        request.extensions_mut().insert(grants);
        request
    });
    each.collect()
}

/// Calls the service with each request in turn, and returns the answers as one list; 202 if no
/// message has an answer.
pub(super) async fn answer<S>(mut service: S, requests: Vec<Request<Body>>) -> Response
where
    S: tower::Service<Request<Body>, Error = Infallible> + Send,
    S::Response: IntoResponse,
    S::Future: Send,
{
    let mut answers: Vec<Bytes> = vec![];
    for request in requests {
        let Ok(()) = std::future::poll_fn(|context| service.poll_ready(context)).await;
        let Ok(answer) = service.call(request).await;
        let answer = answer.into_response();
        if answer.status() == StatusCode::ACCEPTED {
            continue;
        }
        let Ok(body) = axum::body::to_bytes(answer.into_body(), LARGEST_ANSWER).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        answers.push(body);
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
