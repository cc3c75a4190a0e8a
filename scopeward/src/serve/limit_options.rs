//! The limits as options of the command line and as variables of the environment.

use crate::limits::Limits;

/// The options of [`Limits`].
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// The largest body of a request, in bytes
    #[arg(long, env = "MAX_BODY", value_name = "BYTES", default_value_t = Limits::default().max_body)]
    max_body: usize,
    /// The largest head of a request (its first line and headers), in bytes
    #[arg(long, env = "MAX_HEAD", value_name = "BYTES", default_value_t = Limits::default().max_head)]
    max_head: usize,
    /// Connections at a time
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "COUNT", default_value_t = Limits::default().max_connections)]
    max_connections: usize,
    /// Connections at a time of one address
    #[arg(
        long,
        env = "MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "COUNT",
        default_value_t = Limits::default().max_connections_per_address
    )]
    max_connections_per_address: usize,
    /// Requests at a time
    #[arg(long, env = "MAX_REQUESTS", value_name = "COUNT", default_value_t = Limits::default().max_requests)]
    max_requests: usize,
    /// Requests a second of one caller, ten seconds' worth of them at once; 0 for no limit
    #[arg(long, env = "RATE_PER_CALLER", value_name = "PER_SECOND", default_value_t = Limits::default().rate_per_caller)]
    rate_per_caller: u32,
    /// Requests a second of one address, ten seconds' worth of them at once; 0 for no limit. Behind
    /// a proxy, its address is that of everybody
    #[arg(long, env = "RATE_PER_ADDRESS", value_name = "PER_SECOND", default_value_t = Limits::default().rate_per_address)]
    rate_per_address: u32,
    /// How long the head of a request may take, and a connection may be idle, in seconds
    #[arg(long, env = "HEAD_TIMEOUT", value_name = "SECONDS", default_value_t = Limits::default().head_timeout)]
    head_timeout: u64,
    /// How long the body of a request may take, in seconds
    #[arg(long, env = "BODY_TIMEOUT", value_name = "SECONDS", default_value_t = Limits::default().body_timeout)]
    body_timeout: u64,
    /// How long a client may take nothing of its answer, in seconds
    #[arg(long, env = "WRITE_TIMEOUT", value_name = "SECONDS", default_value_t = Limits::default().write_timeout)]
    write_timeout: u64,
    /// How long calls in flight have to finish when the server stops, in seconds
    #[arg(long, env = "GRACE", value_name = "SECONDS", default_value_t = Limits::default().grace)]
    grace: u64,
}

impl From<LimitOptions> for Limits {
    fn from(options: LimitOptions) -> Self {
        let mut limits = Self::default();
        limits.max_body = options.max_body;
        limits.max_head = options.max_head;
        limits.max_connections = options.max_connections;
        limits.max_connections_per_address = options.max_connections_per_address;
        limits.max_requests = options.max_requests;
        limits.rate_per_caller = options.rate_per_caller;
        limits.rate_per_address = options.rate_per_address;
        limits.head_timeout = options.head_timeout;
        limits.body_timeout = options.body_timeout;
        limits.write_timeout = options.write_timeout;
        limits.grace = options.grace;
        limits
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    #[test]
    fn the_default_matches_the_command_line() {
        let command = LimitOptions::augment_args(clap::Command::new("test"));
        let parsed = LimitOptions::from_arg_matches(&command.get_matches_from(["test"])).unwrap();
        assert_eq!(Limits::from(parsed), Limits::default());
    }
}
