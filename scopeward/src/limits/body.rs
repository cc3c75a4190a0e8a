//! Reads the body of a request, within the limits of size, elements, time, and bytes in flight.

use std::time::Instant;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body_util::BodyExt;

use super::{Capacity, Exceeded, Holder, Limit, Limits, SharedPermit, elements};
use crate::http::drain;

/// A body of at most this many bytes is not counted among the bytes in flight: a connection has room
/// for it.
const SMALL: usize = 8 * 1024;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// A limit refuses the body.
    Limited(Limit),
    /// The client has gone away or broken off, so nobody reads the answer.
    Broken,
}

/// A body that was read, and its part of the bytes in flight, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    pub(crate) counted: Option<SharedPermit>,
}

/// Reads the whole body of a request of this holder. A body that arrives in one piece, as most do, is
/// not copied.
///
/// # Errors
///
/// [`BodyError`] if a limit refuses the body. Its rest was read away, so that the client sees the
/// answer.
pub(crate) async fn read_body(
    mut body: Body,
    limits: &Limits,
    capacity: &Capacity,
    holder: Holder,
) -> Result<ReadBody, BodyError> {
    // Most bodies have arrived already, so a deadline is set only when a frame has to be awaited.
    let mut deadline = None;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut counted: Option<SharedPermit> = None;
    loop {
        let frame = if let Some(frame) = body.frame().now_or_never() {
            frame
        } else {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limits.body_timeout());
            let frame = tokio::time::timeout_at(deadline.into(), body.frame());
            Box::pin(frame).await.map_err(|_| BodyError::Limited(Limit::BodyTime))?
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        let refusal = if length > limits.max_body {
            Some(Limit::Body)
        } else if length > SMALL {
            count(&mut counted, length, data.len(), capacity, holder)
                .err()
                .map(|exceeded| Limit::Bytes.or_share(exceeded))
        } else {
            None
        };
        if let Some(limit) = refusal {
            drop((data, first, rest, counted));
            Box::pin(drain::discard(body)).await;
            return Err(BodyError::Limited(limit));
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    let bytes = if rest.is_empty() {
        first
    } else {
        let mut whole = BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        whole.freeze()
    };
    elements::check(limits.max_elements, &bytes).map_err(BodyError::Limited)?;
    Ok(ReadBody { bytes, counted })
}

/// Counts a body that has grown by `more` to `length` bytes.
fn count(
    counted: &mut Option<SharedPermit>,
    length: usize,
    more: usize,
    capacity: &Capacity,
    holder: Holder,
) -> Result<(), Exceeded> {
    if let Some(counted) = counted {
        return counted.grow(more);
    }
    *counted = Some(capacity.bytes.take(length, holder)?);
    Ok(())
}
