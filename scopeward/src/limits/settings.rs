//! The limits as a deployment sets them.

use std::time::Duration;

/// The limits of a server. [`Limits::default`] has the defaults of the command line.
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    #[test]
    fn the_default_matches_the_command_line() {
        let command = Limits::augment_args(clap::Command::new("test"));
        let parsed = Limits::from_arg_matches(&command.get_matches_from(["test"])).unwrap();
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Limits::default()));
    }
}
