//! The names of the limits.

/// The limit that refused a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    Head,
    HeadTime,
    Body,
    BodyTime,
    WriteTime,
    Caller,
    Subscriptions,
    SubscriptionsOfCaller,
    Sessions,
    SessionsOfCaller,
    Tasks,
    Address,
    Requests,
    Connections,
    ConnectionsOfAddress,
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
            Self::Caller => "rate_per_caller",
            Self::Subscriptions => "max_subscriptions",
            Self::SubscriptionsOfCaller => "max_subscriptions_per_caller",
            Self::Sessions => "max_sessions",
            Self::SessionsOfCaller => "max_sessions_per_caller",
            Self::Tasks => "max_tasks_per_caller",
            Self::Address => "rate_per_address",
            Self::Requests => "max_requests",
            Self::Connections => "max_connections",
            Self::ConnectionsOfAddress => "max_connections_per_address",
        }
    }
}
