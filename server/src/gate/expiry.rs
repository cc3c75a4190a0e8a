//! A stream ends when the token that opened it expires.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;

use crate::principal::Principal;

/// A body that ends at a time, wherever it is.
struct Until {
    body: Body,
    end: Pin<Box<Sleep>>,
    is_over: bool,
}

/// The body, as long as the caller's token is valid.
pub(super) fn limit(body: Body, caller: &Principal) -> Body {
    let end = Box::pin(tokio::time::sleep(lifetime(caller)));
    Body::new(Until { body, end, is_over: false })
}

/// How long the caller's token is still valid.
pub(crate) fn lifetime(caller: &Principal) -> Duration {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |now| now.as_secs());
    Duration::from_secs(caller.expires_at().saturating_sub(now))
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_over = self.is_over || self.end.as_mut().poll(context).is_ready();
        if self.is_over {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }
}
