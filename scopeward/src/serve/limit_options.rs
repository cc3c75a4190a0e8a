//! The limits as options of the command line and as variables of the environment.

use std::ops::RangeInclusive;

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};

use crate::limits::{HIGHEST_RATE, LONGEST, Limits, MOST_AT_A_TIME, MOST_BYTES};

fn counts(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

fn rate() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(0..=i64::from(HIGHEST_RATE))
}

fn seconds(least: u64) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(least..=LONGEST)
}

/// The options of [`Limits`].
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// The largest body of a request, in bytes
    #[arg(long, env = "MAX_BODY", value_parser = counts(1..=MOST_BYTES), value_name = "BYTES", default_value_t = Limits::default().max_body)]
    max_body: usize,
    /// The largest head of a request (its first line and headers), in bytes
    #[arg(long, env = "MAX_HEAD", value_parser = counts(1..=MOST_BYTES), value_name = "BYTES", default_value_t = Limits::default().max_head)]
    max_head: usize,
    /// Connections at a time
    #[arg(long, env = "MAX_CONNECTIONS", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT", default_value_t = Limits::default().max_connections)]
    max_connections: usize,
    /// Connections at a time of one address, if not its share of all connections
    #[arg(long, env = "MAX_CONNECTIONS_PER_ADDRESS", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT")]
    max_connections_per_address: Option<usize>,
    /// Requests that are executed at a time
    #[arg(long, env = "MAX_REQUESTS", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT", default_value_t = Limits::default().max_requests)]
    max_requests: usize,
    /// Requests at a time that wait for an issuer or a key, or that are at an endpoint beside the MCP
    /// endpoint
    #[arg(long, env = "MAX_WAITING", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT", default_value_t = Limits::default().max_waiting)]
    max_waiting: usize,
    /// Requests without a token that are executed at a time, where a rule lets them in
    #[arg(long, env = "MAX_ANONYMOUS", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT", default_value_t = Limits::default().max_anonymous)]
    max_anonymous: usize,
    /// Bytes at a time of bodies that are being read, and of large answers that are not taken yet
    #[arg(long, env = "MAX_IN_FLIGHT_BYTES", value_parser = counts(1..=MOST_BYTES), value_name = "BYTES", default_value_t = Limits::default().max_in_flight_bytes)]
    max_in_flight_bytes: usize,
    /// Elements of one body: members of objects and items of lists, on all levels
    #[arg(long, env = "MAX_ELEMENTS", value_parser = counts(1..=MOST_BYTES), value_name = "COUNT", default_value_t = Limits::default().max_elements)]
    max_elements: usize,
    /// The share that one caller may have of requests, connections and bytes
    #[arg(
        long,
        env = "SHARE_PER_CALLER",
        value_name = "PERCENT",
        default_value_t = Limits::default().share_per_caller,
        value_parser = clap::value_parser!(u8).range(1..=100)
    )]
    share_per_caller: u8,
    /// The share that one address may have of requests, connections and bytes. Behind a proxy, its
    /// address is that of everybody: set 100
    #[arg(
        long,
        env = "SHARE_PER_ADDRESS",
        value_name = "PERCENT",
        default_value_t = Limits::default().share_per_address,
        value_parser = clap::value_parser!(u8).range(1..=100)
    )]
    share_per_address: u8,
    /// Requests a second of one caller, ten seconds' worth of them at once; 0 for no limit
    #[arg(long, env = "RATE_PER_CALLER", value_parser = rate(), value_name = "PER_SECOND", default_value_t = Limits::default().rate_per_caller)]
    rate_per_caller: u32,
    /// Requests a second of one address, ten seconds' worth of them at once; 0 for no limit. Behind
    /// a proxy, its address is that of everybody
    #[arg(long, env = "RATE_PER_ADDRESS", value_parser = rate(), value_name = "PER_SECOND", default_value_t = Limits::default().rate_per_address)]
    rate_per_address: u32,
    /// Requests a second without a token, of all addresses together, ten seconds' worth of them at
    /// once; 0 for no limit. One address has its share of them
    #[arg(long, env = "RATE_ANONYMOUS", value_parser = rate(), value_name = "PER_SECOND", default_value_t = Limits::default().rate_anonymous)]
    rate_anonymous: u32,
    /// Resources that one stream or session is subscribed to
    #[arg(long, env = "MAX_SUBSCRIPTIONS", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT", default_value_t = Limits::default().max_subscriptions)]
    max_subscriptions: usize,
    /// Resources that one caller is subscribed to, in all of its streams and sessions
    #[arg(
        long,
        env = "MAX_SUBSCRIPTIONS_PER_CALLER", value_parser = counts(1..=MOST_AT_A_TIME),
        value_name = "COUNT",
        default_value_t = Limits::default().max_subscriptions_per_caller
    )]
    max_subscriptions_per_caller: usize,
    /// Sessions at a time, if sessions are on. Beyond it the caller that has the most loses its session
    /// that was unused for longest
    #[arg(long, env = "MAX_SESSIONS", value_parser = counts(1..=MOST_AT_A_TIME), value_name = "COUNT", default_value_t = Limits::default().max_sessions)]
    max_sessions: usize,
    /// Sessions at a time of one caller. Beyond it the caller's session that was unused for longest
    /// ends
    #[arg(
        long,
        env = "MAX_SESSIONS_PER_CALLER", value_parser = counts(1..=MOST_AT_A_TIME),
        value_name = "COUNT",
        default_value_t = Limits::default().max_sessions_per_caller
    )]
    max_sessions_per_caller: usize,
    /// Tasks of one caller: those that run, and those whose result is kept. Beyond it the caller's
    /// oldest result is forgotten, and a further task is refused while all of them run
    #[arg(
        long,
        env = "MAX_TASKS_PER_CALLER", value_parser = counts(1..=MOST_AT_A_TIME),
        value_name = "COUNT",
        default_value_t = Limits::default().max_tasks_per_caller
    )]
    max_tasks_per_caller: usize,
    /// How long the head of a request may take, and a connection may be idle, in seconds
    #[arg(long, env = "HEAD_TIMEOUT", value_parser = seconds(1), value_name = "SECONDS", default_value_t = Limits::default().head_timeout)]
    head_timeout: u64,
    /// How long the body of a request may take, in seconds
    #[arg(long, env = "BODY_TIMEOUT", value_parser = seconds(1), value_name = "SECONDS", default_value_t = Limits::default().body_timeout)]
    body_timeout: u64,
    /// How long a client may take nothing of its answer, in seconds
    #[arg(long, env = "WRITE_TIMEOUT", value_parser = seconds(1), value_name = "SECONDS", default_value_t = Limits::default().write_timeout)]
    write_timeout: u64,
    /// How long calls in flight have to finish when the server stops, in seconds
    #[arg(long, env = "GRACE", value_parser = seconds(0), value_name = "SECONDS", default_value_t = Limits::default().grace)]
    grace: u64,
}

impl LimitOptions {
    /// The id of each option.
    pub(super) fn ids() -> Vec<String> {
        let command = <Self as clap::Args>::augment_args(clap::Command::new("limits"));
        command.get_arguments().map(|option| option.get_id().to_string()).collect()
    }
}

impl From<LimitOptions> for Limits {
    fn from(options: LimitOptions) -> Self {
        Self {
            max_body: options.max_body,
            max_head: options.max_head,
            max_connections: options.max_connections,
            max_connections_per_address: options.max_connections_per_address,
            max_requests: options.max_requests,
            max_waiting: options.max_waiting,
            max_anonymous: options.max_anonymous,
            max_in_flight_bytes: options.max_in_flight_bytes,
            max_elements: options.max_elements,
            share_per_caller: options.share_per_caller,
            share_per_address: options.share_per_address,
            rate_per_caller: options.rate_per_caller,
            rate_per_address: options.rate_per_address,
            rate_anonymous: options.rate_anonymous,
            max_subscriptions: options.max_subscriptions,
            max_subscriptions_per_caller: options.max_subscriptions_per_caller,
            max_sessions: options.max_sessions,
            max_sessions_per_caller: options.max_sessions_per_caller,
            max_tasks_per_caller: options.max_tasks_per_caller,
            head_timeout: options.head_timeout,
            body_timeout: options.body_timeout,
            write_timeout: options.write_timeout,
            grace: options.grace,
        }
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

    /// Every limit has a range: `never`, written as a large number, is refused with the range.
    #[test]
    fn every_limit_has_a_range() {
        let command = LimitOptions::augment_args(clap::Command::new("test"));
        for argument in command.get_arguments().filter(|one| one.get_long().is_some()) {
            let name = argument.get_long().unwrap_or_default();
            let parsed = |value: &str| {
                let option = format!("--{name}={value}");
                let matches = command.clone().try_get_matches_from(["test", &option])?;
                LimitOptions::from_arg_matches(&matches)
            };
            for wrong in ["18446744073709551615", "18446744073709551616", "-1", "", "never", "1e3"]
            {
                let error = parsed(wrong).unwrap_err().to_string();
                assert!(error.contains(name), "{name}={wrong}: {error}");
            }
            let zero = parsed("0").is_ok();
            assert_eq!(
                zero,
                ["grace", "rate-per-caller", "rate-per-address", "rate-anonymous"].contains(&name),
                "{name}"
            );
            let large = if name.starts_with("share-") { "100" } else { "86400" };
            assert!(parsed("1").is_ok() && parsed(large).is_ok(), "{name}");
        }
    }
}
