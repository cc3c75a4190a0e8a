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
            Self::Address => "rate_per_address",
            Self::Requests => "max_requests",
            Self::Connections => "max_connections",
            Self::ConnectionsOfAddress => "max_connections_per_address",
        }
    }
}
