//! The limits of the endpoints beside the MCP endpoint: metadata, the embedded issuer, its pages, and
//! the routes of the program itself.
//!
//! Nobody is authenticated there, so their requests have the room of those who wait, and no place
//! that a call needs.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use crate::{
    http::{Peer, drain},
    limits::{
        BodyError, Capacity, Holder, Limit, Limits, Patience, SHORT, SharedPermit, read_body,
        refused,
    },
    record::metrics::metrics,
};

/// The largest body at an endpoint of OAuth: 64 KiB, because forms and client metadata are small.
const LARGEST_FORM: usize = 64 * 1024;

/// The limits of the endpoints beside the MCP endpoint.
#[derive(Debug, Clone)]
pub(crate) struct SideDoor {
    limits: Limits,
    capacity: Capacity,
}

impl SideDoor {
    pub(crate) fn new(limits: &Limits, capacity: &Capacity) -> Self {
        let limits = Limits { max_body: limits.max_body.min(LARGEST_FORM), ..limits.clone() };
        Self { limits, capacity: capacity.clone() }
    }

    /// The routes of this server, whose bodies are read before a handler runs.
    pub(crate) fn guard(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), own_route))
    }

    /// Takes room for a request of another route of the program, which reads its body itself. The
    /// body ends with an error when it takes longer than the limit.
    pub(crate) fn enter(
        &self,
        request: Request,
        peer: Peer,
    ) -> Result<(Request, SharedPermit), (Request, Limit)> {
        match self.take(Some(peer)) {
            Ok(permit) => {
                let deadline = self.limits.body_timeout();
                Ok((request.map(|body| Body::new(TimedBody::new(body, deadline))), permit))
            }
            Err(limit) => Err((request, limit)),
        }
    }

    fn take(&self, peer: Option<Peer>) -> Result<SharedPermit, Limit> {
        self.capacity
            .waiting
            .take(1, Holder::at(peer))
            .map_err(|exceeded| Limit::Waiting.or_share(exceeded))
    }
}

async fn own_route(State(door): State<SideDoor>, request: Request, next: Next) -> Response {
    let peer = Peer::of(request.extensions());
    let holder = Holder::at(peer);
    let (parts, body) = request.into_parts();
    let body = match read_body(body, &door.limits, &door.capacity, holder).await {
        Ok(read) => read,
        Err(BodyError::Limited(limit)) => return answer(limit),
        Err(BodyError::Broken) => return StatusCode::BAD_REQUEST.into_response(),
    };
    match door.take(peer) {
        Ok(_permit) => next.run(Request::from_parts(parts, Body::from(body.bytes))).await,
        Err(limit) => answer(limit),
    }
}

/// The answer to a request that a limit refused, which is counted.
fn answer(limit: Limit) -> Response {
    metrics().limited(limit);
    let mut answer = refused(limit, SHORT);
    if limit == Limit::BodyTime {
        // The rest of the body would be read as the next request (RFC 9110, section 15.5.9).
        let close = http::HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

/// The answer to a request that a limit refused by its address, after its body was read away.
pub(crate) async fn refuse(
    request: Request,
    peer: Peer,
    limit: Limit,
    wait: Duration,
    patience: &Patience,
) -> Response {
    metrics().limited(limit);
    drain::discard(request.into_body()).await;
    if let Some(delay) = patience.delay(Holder::at(Some(peer))) {
        tokio::time::sleep(delay).await;
    }
    refused(limit, wait)
}

/// A body that ends with an error when it takes too long.
struct TimedBody {
    body: Body,
    limit: Duration,
    /// Set when the body is waited for, because most bodies have arrived already.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    fn new(body: Body, limit: Duration) -> Self {
        Self { body, limit, deadline: None }
    }
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if deadline.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        metrics().limited(Limit::BodyTime);
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, Limit::BodyTime.message());
        Poll::Ready(Some(Err(axum::Error::new(late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
