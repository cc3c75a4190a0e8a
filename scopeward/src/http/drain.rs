//! Bodies that nobody reads, because the request is refused by its headers.
//!
//! A connection is closed when its request was not read to the end, and a client that is still
//! sending then sees a broken connection instead of the answer, which it has to see: it says where
//! to sign in.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;

/// So much is read away, and for so long: whoever sends more, or slower, is not waited for.
const MOST: usize = 4 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads on and throws away.
pub(crate) async fn read_away(mut body: Body) {
    let reading = async {
        let mut read = 0;
        while read < MOST
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = tokio::time::timeout(PATIENCE, reading).await;
}
