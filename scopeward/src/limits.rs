//! What a server takes at most, from all callers and from one.
//!
//! A limit refuses early and says when to come back: 429 or 503 with `Retry-After` (RFC 6585,
//! section 4; RFC 9110, section 10.2.3). Each refusal is counted in
//! `scopeward_refused_by_limit_total`.

mod concurrency;
mod rate;

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

pub(crate) use concurrency::{ConcurrencyLimit, ConcurrencyPermit};
pub(crate) use rate::RateLimiter;

/// How much of everything. [`Limits::default`] has what the command line has.
///
/// ```
/// use scopeward::Limits;
///
/// let mut limits = Limits::default();
/// limits.rate_per_caller = 20;
/// ```
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
#[non_exhaustive]
pub struct Limits {
    /// The largest body of a request, in bytes
    #[arg(long, env = "MAX_BODY", value_name = "BYTES", default_value_t = Limits::default().max_body)]
    pub max_body: usize,
    /// The largest head of a request (its first line and headers), in bytes
    #[arg(long, env = "MAX_HEAD", value_name = "BYTES", default_value_t = Limits::default().max_head)]
    pub max_head: usize,
    /// Connections at a time
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "COUNT", default_value_t = Limits::default().max_connections)]
    pub max_connections: usize,
    /// Connections at a time of one address
    #[arg(
        long,
        env = "MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "COUNT",
        default_value_t = Limits::default().max_connections_per_address
    )]
    pub max_connections_per_address: usize,
    /// Requests at a time
    #[arg(long, env = "MAX_REQUESTS", value_name = "COUNT", default_value_t = Limits::default().max_requests)]
    pub max_requests: usize,
    /// Requests a second of one caller, ten seconds' worth of them at once; 0 for no limit
    #[arg(long, env = "RATE_PER_CALLER", value_name = "PER_SECOND", default_value_t = Limits::default().rate_per_caller)]
    pub rate_per_caller: u32,
    /// Requests a second of one address, ten seconds' worth of them at once; 0 for no limit. Behind
    /// a proxy, its address is that of everybody
    #[arg(long, env = "RATE_PER_ADDRESS", value_name = "PER_SECOND", default_value_t = Limits::default().rate_per_address)]
    pub rate_per_address: u32,
    /// How long the head of a request may take, and a connection may be idle, in seconds
    #[arg(long, env = "HEAD_TIMEOUT", value_name = "SECONDS", default_value_t = Limits::default().head_timeout)]
    pub head_timeout: u64,
    /// How long the body of a request may take, in seconds
    #[arg(long, env = "BODY_TIMEOUT", value_name = "SECONDS", default_value_t = Limits::default().body_timeout)]
    pub body_timeout: u64,
    /// How long a client may take nothing of its answer, in seconds
    #[arg(long, env = "WRITE_TIMEOUT", value_name = "SECONDS", default_value_t = Limits::default().write_timeout)]
    pub write_timeout: u64,
    /// How long calls in flight have to finish when the server stops, in seconds
    #[arg(long, env = "GRACE", value_name = "SECONDS", default_value_t = Limits::default().grace)]
    pub grace: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 4 * 1024 * 1024,
            max_head: 64 * 1024,
            max_connections: 10_000,
            max_connections_per_address: 5_000,
            max_requests: 1_000,
            rate_per_caller: 100,
            rate_per_address: 1_000,
            head_timeout: 15,
            body_timeout: 30,
            write_timeout: 30,
            grace: 10,
        }
    }
}

impl Limits {
    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout)
    }
}

/// Which limit refused something.
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
    /// Its name in metrics.
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

/// The answer to a request that is not even looked at.
pub(crate) fn refused(limit: Limit, wait: Duration) -> Response {
    let (status, error, message) = match limit {
        Limit::Address => (
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "too many requests from this address",
        ),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "the server has as many requests as it takes",
        ),
    };
    let body = Json(serde_json::json!({ "error": error, "message": message }));
    (status, [(header::RETRY_AFTER, retry_after(wait))], body).into_response()
}

/// Whole seconds, rounded up: a client that comes back then is not too early.
pub(crate) fn retry_after(wait: Duration) -> String {
    let up = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + up).max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    #[test]
    fn the_default_is_that_of_the_command_line() {
        let command = Limits::augment_args(clap::Command::new("test"));
        let parsed = Limits::from_arg_matches(&command.get_matches_from(["test"])).unwrap();
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Limits::default()));
    }

    #[test]
    fn nobody_is_told_to_come_back_too_early() {
        let after = |millis| retry_after(Duration::from_millis(millis));
        assert_eq!([after(0), after(1), after(1_000), after(1_001)], ["1", "1", "1", "2"]);
    }
}
