//! Challenges: a refusal in the terms of RFC 6750, with status, `WWW-Authenticate` and a JSON body.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use rmcp::{
    ErrorData,
    model::{CallToolResult, ErrorCode, RequestId},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    identity::token::{BearerError, Rejected, TokenError},
    limits::{Limit, retry_after},
    mcp::{
        Revision,
        bearer_challenge::bearer_challenge,
        refusal::{Refusal, UNAUTHENTICATED, UNAVAILABLE},
    },
    policy::{CompiledPolicy, Feature, Scope},
    record::metrics::metrics,
};

/// The reason why a request is not authenticated.
#[derive(Debug, Clone)]
pub(super) enum Challenge {
    NoToken,
    UnreadableRequest(BearerError),
    InvalidToken(Rejected),
}

impl Challenge {
    /// The reason as one sentence, without quotation marks because `error_description` does not
    /// allow them (RFC 6750, section 3).
    pub(super) fn message(&self) -> String {
        match self {
            Self::NoToken => "sign in: this server needs an access token".to_owned(),
            Self::UnreadableRequest(error) => error.to_string(),
            Self::InvalidToken(rejected) => rejected.to_string(),
        }
    }

    /// The reason as one word, for metrics.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::UnreadableRequest(_) => "unreadable_header",
            Self::InvalidToken(rejected) => rejected.error.reason(),
        }
    }

    /// The client to which the token was issued, if the client is known.
    pub(super) fn client(&self) -> Option<&str> {
        match self {
            Self::InvalidToken(rejected) => rejected.client.as_deref(),
            Self::NoToken | Self::UnreadableRequest(_) => None,
        }
    }

    /// The RFC 6750 error code. A request without any token gets none (section 3.1).
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::NoToken => None,
            Self::UnreadableRequest(_) => Some("invalid_request"),
            Self::InvalidToken(_) => Some("invalid_token"),
        }
    }

    /// The answer, whose challenge asks for the scopes of the first sign-in, and for `further` ones.
    pub(super) fn into_response(self, policy: &CompiledPolicy, further: &[Scope]) -> Response {
        let status = match self {
            Self::UnreadableRequest(_) => StatusCode::BAD_REQUEST,
            // The token cannot be checked now and may be valid, so the client should try it again.
            Self::InvalidToken(Rejected { error: TokenError::Unavailable, .. }) => {
                let error = ErrorData::new(UNAVAILABLE, self.message(), None);
                let answer = json_rpc_error(StatusCode::SERVICE_UNAVAILABLE, None, error);
                return ([(header::RETRY_AFTER, "5")], answer).into_response();
            }
            Self::InvalidToken(Rejected { error: TokenError::TooLong(_), .. }) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::NoToken | Self::InvalidToken(_) => StatusCode::UNAUTHORIZED,
        };
        let metadata = policy.resource().metadata_url();
        let is_new = |scope: &&Scope| !policy.sign_in_scopes().any(|asked| asked == *scope);
        let further = further.iter().filter(is_new);
        let scope = join(policy, policy.sign_in_scopes().chain(further));
        let message = self.message();
        let error = self.error().map(|error| (error, &*message));
        let header = bearer_challenge(error, &scope, Some(&metadata));
        let data = json!({
            "error": self.error().unwrap_or("invalid_token"),
            "message": message,
            "resource_metadata": metadata,
        });
        let error = ErrorData::new(UNAUTHENTICATED, message, Some(data));
        with_challenge(json_rpc_error(status, None, error), &header)
    }
}

/// The 403 answer that names every scope that the call needs, at once (MCP 2026-07-28, "Runtime
/// Insufficient Scope Errors").
pub(super) fn insufficient_scope(id: &RequestId, refusal: Refusal) -> Response {
    let challenge = refusal.challenge.clone();
    let answer = json_rpc_error(StatusCode::FORBIDDEN, Some(id), refusal.into_error_data());
    match challenge {
        Some(challenge) => with_challenge(answer, &challenge),
        None => answer,
    }
}

/// The answer to a request that a limit refused, which says when to come back. The refusal is
/// counted.
pub(super) fn limited(limit: Limit, wait: Duration) -> Response {
    metrics().limited(limit);
    let after = retry_after(wait);
    let status = limit.status();
    let is_for_now =
        matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let (code, message) = if is_for_now {
        (UNAVAILABLE, format!("{}: try again in {after} s", limit.message()))
    } else {
        (ErrorCode::INVALID_REQUEST, limit.message().to_owned())
    };
    let mut answer = json_rpc_error(status, None, ErrorData::new(code, message, None));
    if is_for_now && let Ok(after) = HeaderValue::try_from(after) {
        answer.headers_mut().insert(header::RETRY_AFTER, after);
    }
    if status == StatusCode::REQUEST_TIMEOUT {
        // The rest of the body would be read as the next request (RFC 9110, section 15.5.9).
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// The answer to a caller that has subscribed to as many resources as it may: 429.
pub(super) fn too_many_subscriptions(id: &RequestId, most: usize) -> Response {
    let message =
        format!("a caller may subscribe to at most {most} resources: end a stream, or a session");
    let error = ErrorData::new(UNAVAILABLE, message, None);
    let answer = json_rpc_error(StatusCode::TOO_MANY_REQUESTS, Some(id), error);
    ([(header::RETRY_AFTER, "5")], answer).into_response()
}

/// The answer while the policy requires an audit record of each decision and none can be kept: 503.
pub(super) fn unrecorded() -> Response {
    let message = "no call is accepted now, because decisions cannot be recorded and the policy \
                   requires it";
    let error = ErrorData::new(UNAVAILABLE, message, None);
    let answer = json_rpc_error(StatusCode::SERVICE_UNAVAILABLE, None, error);
    ([(header::RETRY_AFTER, "5")], answer).into_response()
}

/// The refusal as the tool's own result. A resource or a prompt has no result that can say no, so
/// its refusal is a JSON-RPC error.
pub(super) fn refusal_as_answer(id: &RequestId, refusal: Refusal, revision: Revision) -> Response {
    let answer = match refusal.feature {
        Feature::Tool => {
            let mut result = refusal.into_tool_result();
            if !revision.is_newest() {
                result.result_type = None;
            }
            JsonRpcAnswer::Result(result)
        }
        Feature::Resource | Feature::Prompt => {
            JsonRpcAnswer::Error(refusal.into_error_with_challenge())
        }
    };
    json_response(StatusCode::OK, &JsonRpcResponse { jsonrpc: "2.0", id: Some(id), answer })
}

/// A JSON-RPC error as an HTTP answer; `id` is `None` if the request's id could not be read.
pub(super) fn json_rpc_error(
    status: StatusCode,
    id: Option<&RequestId>,
    error: ErrorData,
) -> Response {
    json_response(
        status,
        &JsonRpcResponse { jsonrpc: "2.0", id, answer: JsonRpcAnswer::Error(error) },
    )
}

/// A JSON-RPC 2.0 answer.
#[derive(Serialize)]
struct JsonRpcResponse<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RequestId>,
    #[serde(flatten)]
    answer: JsonRpcAnswer,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum JsonRpcAnswer {
    Error(ErrorData),
    Result(CallToolResult),
}

fn json_response(status: StatusCode, message: &JsonRpcResponse<'_>) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(message)).into_response()
}

fn with_challenge(mut response: Response, challenge: &str) -> Response {
    let challenge = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"));
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn join<'a>(policy: &CompiledPolicy, scopes: impl Iterator<Item = &'a Scope>) -> String {
    scopes.map(|scope| policy.asked_as(scope)).collect::<Vec<_>>().join(" ")
}
