//! Reads bodies that are not used, because their request was refused by its headers.
//!
//! A server that does not read a request to its end closes the connection. A client that is still
//! sending then sees a broken connection instead of the answer. The client needs the answer,
//! because it says where to sign in.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;

/// At most this many bytes are read, so that a client cannot keep the server busy with a body that
/// is not used.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long the body is read, so that a slow client does not hold its connection open.
const MAX_TIME: Duration = Duration::from_secs(1);

/// Reads the rest of a body, and drops it.
pub(crate) async fn discard(mut body: Body) {
    let reading = async {
        let mut read = 0;
        while read < MAX_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = tokio::time::timeout(MAX_TIME, reading).await;
}
