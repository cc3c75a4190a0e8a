//! The body of an answer that keeps something until the client has taken it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Keeps `kept` until the last byte of the body was handed to the operating system, or its client has
/// gone away.
pub(crate) fn held<T: Send + Sync + 'static>(body: Body, kept: T) -> Body {
    Body::new(HeldBody { body, kept: Arc::new(kept) })
}

struct HeldBody<T> {
    body: Body,
    kept: Arc<T>,
}

/// Bytes of the body. hyper takes them out of the body at once, and drops them when they are written.
struct HeldBytes<T> {
    bytes: Bytes,
    #[expect(dead_code, reason = "held until the bytes are dropped")]
    kept: Arc<T>,
}

impl<T> AsRef<[u8]> for HeldBytes<T> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: Send + Sync + 'static> http_body::Body for HeldBody<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let kept = &self.kept;
        let hold = |bytes| Bytes::from_owner(HeldBytes { bytes, kept: Arc::clone(kept) });
        frame.map_ok(|frame| frame.map_data(hold))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_lives_as_long_as_the_bytes() {
        let kept = Arc::new(());
        let mut body = held(Body::from("bytes"), Arc::clone(&kept));
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!((&*bytes, Arc::strong_count(&kept)), (&b"bytes"[..], 2));
        drop(bytes);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
