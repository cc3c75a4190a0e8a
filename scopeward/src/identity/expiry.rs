//! Ends a stream when the access of its caller ends: when the token expires or is revoked.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

use crate::identity::{Principal, revocation::Revocations, token::LEEWAY};

/// A response body that ends as soon as `end` completes, even in the middle of its content.
struct BodyUntil {
    body: Body,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
}

/// Wraps `body`, so that it ends when the caller's token expires or is revoked.
pub(crate) fn until_access_ends(body: Body, caller: Principal, revocations: Revocations) -> Body {
    Body::new(BodyUntil { body, end: Box::pin(end(caller, revocations)), is_over: false })
}

/// Waits until the caller's token expires or is revoked.
pub(crate) async fn end(caller: Principal, revocations: Revocations) {
    tokio::select! {
        () = tokio::time::sleep(lifetime(&caller)) => {}
        () = revocations.revoked(caller.token()) => {}
    }
}

/// The time until the caller's token is refused, with the leeway of the clocks; zero if it is refused
/// now. A stream that ended before a request would be refused would be opened again at once.
pub(crate) fn lifetime(caller: &Principal) -> Duration {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |now| now.as_secs());
    Duration::from_secs(caller.expires_at().saturating_add(LEEWAY).saturating_sub(now))
}

impl http_body::Body for BodyUntil {
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
