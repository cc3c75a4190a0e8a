//! The answers to requests that a limit refused, which say when to come back.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

use super::Limit;

/// How long a client is told to wait when the server, or its own share of it, is used up.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// The answer to a request that a limit refused outside of the MCP endpoint.
pub(crate) fn refused(limit: Limit, wait: Duration) -> Response {
    let status = limit.status();
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded",
        _ => "invalid_request",
    };
    let body = Json(serde_json::json!({ "error": error, "message": limit.message() }));
    (status, [(header::RETRY_AFTER, retry_after(wait))], body).into_response()
}

/// The value of `Retry-After`: whole seconds, rounded up, so that a client that waits this long is
/// not too early.
pub(crate) fn retry_after(wait: Duration) -> String {
    let up = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + up).max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up() {
        let after = |millis| retry_after(Duration::from_millis(millis));
        assert_eq!([after(0), after(1), after(1_000), after(1_001)], ["1", "1", "1", "2"]);
    }
}
