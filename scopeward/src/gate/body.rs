//! Reads the body of a request, within the limits of size and time.

use std::time::Instant;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use rmcp::{ErrorData, model::ErrorCode};

use super::challenge::json_rpc_error;
use crate::{
    http::drain,
    limits::{Limit, Limits},
    record::metrics::metrics,
};

/// Reads the whole body. A body that arrives in one piece, as most do, is not copied.
pub(super) async fn read(mut body: Body, limits: &Limits) -> Result<Bytes, Response> {
    let largest = limits.max_body;
    // Most bodies have arrived already, so a deadline is set only when a frame has to be awaited.
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
        // The client has gone away or broken off, so nobody reads this answer.
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST.into_response())?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > largest {
            metrics().limited(Limit::Body);
            Box::pin(drain::discard(body)).await;
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

/// The answer to a body that took too long: 408 (RFC 9110, section 15.5.9).
fn too_slow() -> Response {
    metrics().limited(Limit::BodyTime);
    let error =
        ErrorData::new(ErrorCode::INVALID_REQUEST, "the request's body took too long", None);
    let mut answer = json_rpc_error(StatusCode::REQUEST_TIMEOUT, None, error);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}
