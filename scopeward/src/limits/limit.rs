//! The names of the limits.

use http::StatusCode;

use super::Exceeded;

/// The limit that refused a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    Head,
    HeadTime,
    Body,
    BodyTime,
    Elements,
    Nesting,
    WriteTime,
    Caller,
    Subscriptions,
    SubscriptionsOfCaller,
    Sessions,
    SessionsOfCaller,
    Tasks,
    Address,
    AnonymousRate,
    Anonymous,
    Requests,
    Connections,
    ConnectionsOfAddress,
    Waiting,
    Bytes,
    ShareOfCaller,
    ShareOfAddress,
}

impl Limit {
    /// The limit's name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Head => "max_head",
            Self::HeadTime => "head_timeout",
            Self::WriteTime => "write_timeout",
            Self::Body => "max_body",
            Self::BodyTime => "body_timeout",
            Self::Elements => "max_elements",
            Self::Nesting => "nesting",
            Self::Caller => "rate_per_caller",
            Self::Subscriptions => "max_subscriptions",
            Self::SubscriptionsOfCaller => "max_subscriptions_per_caller",
            Self::Sessions => "max_sessions",
            Self::SessionsOfCaller => "max_sessions_per_caller",
            Self::Tasks => "max_tasks_per_caller",
            Self::Address => "rate_per_address",
            Self::AnonymousRate => "rate_anonymous",
            Self::Anonymous => "max_anonymous",
            Self::Requests => "max_requests",
            Self::Connections => "max_connections",
            Self::ConnectionsOfAddress => "max_connections_per_address",
            Self::Waiting => "max_waiting",
            Self::Bytes => "max_in_flight_bytes",
            Self::ShareOfCaller => "share_per_caller",
            Self::ShareOfAddress => "share_per_address",
        }
    }

    /// The limit that was exceeded: this one as a whole, or a holder's share of it.
    pub(crate) fn or_share(self, exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Whole => self,
            Exceeded::ShareOfCaller => Self::ShareOfCaller,
            Exceeded::ShareOfAddress => Self::ShareOfAddress,
        }
    }

    /// The status of a request that the limit refused: 429 if its caller or its address has had its
    /// share (RFC 6585, section 4), and 503 if the server has no more to give.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Caller
            | Self::Address
            | Self::ShareOfCaller
            | Self::ShareOfAddress
            | Self::ConnectionsOfAddress => StatusCode::TOO_MANY_REQUESTS,
            Self::Body | Self::Elements => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Nesting => StatusCode::BAD_REQUEST,
            Self::BodyTime => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What a refused client is told.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Caller => "too many requests from this caller",
            Self::Address => "too many requests from this address",
            Self::ShareOfCaller => {
                "this caller has its share of the server: wait for an answer before sending more"
            }
            Self::ShareOfAddress | Self::ConnectionsOfAddress => {
                "this address has its share of the server: wait for an answer before sending more"
            }
            Self::AnonymousRate | Self::Anonymous => {
                "too many requests without a token: sign in, and you wait for nobody of them"
            }
            Self::Waiting => "too many requests wait to be authenticated",
            Self::Bytes => "the server has reached its limit of bytes in flight",
            Self::Body => "the request's body is too large",
            Self::Elements => "the request's body has too many elements",
            Self::Nesting => "the request's body is nested too deeply",
            Self::BodyTime => "the request's body took too long",
            _ => "the server has reached its limit of requests",
        }
    }
}
