//! The limits as a deployment sets them.

use std::time::Duration;

use super::Shares;

/// The most bytes of a body or a head: 1 GiB, because it is held in memory.
pub(crate) const MOST_BYTES: u64 = 1024 * 1024 * 1024;
/// The most connections or requests at a time, which is more than an operating system has files for.
pub(crate) const MOST_AT_A_TIME: u64 = 10_000_000;
/// The highest rate: a million a second, whose ten seconds' worth fits into the counters.
pub(crate) const HIGHEST_RATE: u32 = 1_000_000;
/// The longest time: a day. Who waits longer than that waits for nothing, and a time without a bound
/// cannot be added to a clock.
pub(crate) const LONGEST: u64 = 24 * 60 * 60;

/// The limits of a server. [`Limits::default`] has the defaults of the command line.
///
/// The values have the ranges of the command line: a value beyond its range counts as the nearest one
/// within it.
///
/// ```
/// use scopeward::Limits;
///
/// let mut limits = Limits::default();
/// limits.rate_per_caller = 20;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub max_body: usize,
    /// The largest head of a request (its first line and headers), in bytes.
    pub max_head: usize,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time of one address; `None` for the share of an address.
    pub max_connections_per_address: Option<usize>,
    /// Requests that are executed at a time. A request whose body or token is waited for is not one
    /// of them.
    pub max_requests: usize,
    /// Requests at a time that wait for an issuer or a key, or that are at an endpoint beside the MCP
    /// endpoint.
    pub max_waiting: usize,
    /// Requests without a token that are executed at a time, where a rule lets them in.
    pub max_anonymous: usize,
    /// Bytes at a time of bodies that are being read, and of large answers that are not taken yet.
    pub max_in_flight_bytes: usize,
    /// Elements of one body: the members of its objects and the items of its lists, on all levels.
    pub max_elements: usize,
    /// The share that one caller may have of requests, connections and bytes, in percent.
    pub share_per_caller: u8,
    /// The share that one address may have of requests, connections and bytes, in percent. Behind a
    /// proxy, its address is that of everybody: set 100.
    pub share_per_address: u8,
    /// Requests a second of one caller, ten seconds' worth of them at once; 0 for no limit.
    pub rate_per_caller: u32,
    /// Requests a second of one address, ten seconds' worth of them at once; 0 for no limit. Behind
    /// a proxy, its address is that of everybody.
    pub rate_per_address: u32,
    /// Requests a second without a token, of all addresses together, ten seconds' worth of them at
    /// once; 0 for no limit. One address has its share of them.
    pub rate_anonymous: u32,
    /// Resources that one stream of `subscriptions/listen`, or one session, is subscribed to.
    pub max_subscriptions: usize,
    /// Resources that one caller is subscribed to, in all of its streams and sessions.
    pub max_subscriptions_per_caller: usize,
    /// Sessions at a time, if the server has sessions. Beyond it the caller that has the most loses
    /// its session that was unused for longest.
    pub max_sessions: usize,
    /// Sessions at a time of one caller. Beyond it the caller's session that was unused for longest
    /// ends.
    pub max_sessions_per_caller: usize,
    /// Tasks of one caller: those that run, and those whose result is kept. Beyond it the caller's
    /// oldest result is forgotten, and a further task is refused while all of them run.
    pub max_tasks_per_caller: usize,
    /// How long the head of a request may take, and a connection may be idle, in seconds.
    pub head_timeout: u64,
    /// How long the body of a request may take, in seconds.
    pub body_timeout: u64,
    /// How long a client may take nothing of its answer, in seconds.
    pub write_timeout: u64,
    /// How long calls in flight have to finish when the server stops, in seconds.
    pub grace: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 4 * 1024 * 1024,
            max_head: 64 * 1024,
            max_connections: 10_000,
            max_connections_per_address: None,
            max_requests: 1_000,
            max_waiting: 1_000,
            max_anonymous: 100,
            max_in_flight_bytes: 256 * 1024 * 1024,
            max_elements: 100_000,
            share_per_caller: 25,
            share_per_address: 25,
            rate_per_caller: 100,
            rate_per_address: 1_000,
            rate_anonymous: 200,
            max_subscriptions: 500,
            max_subscriptions_per_caller: 2_000,
            max_sessions: 5_000,
            max_sessions_per_caller: 100,
            max_tasks_per_caller: 100,
            head_timeout: 15,
            body_timeout: 30,
            write_timeout: 30,
            grace: 10,
        }
    }
}

impl Limits {
    /// The same limits, each within its range.
    pub(crate) fn within_ranges(&self) -> Self {
        let count =
            |value: usize, most: u64| value.clamp(1, usize::try_from(most).unwrap_or(usize::MAX));
        let bytes = |value: usize| count(value, MOST_BYTES);
        let at_a_time = |value: usize| count(value, MOST_AT_A_TIME);
        let seconds = |value: u64| value.clamp(1, LONGEST);
        Self {
            max_body: bytes(self.max_body),
            max_head: bytes(self.max_head),
            max_connections: at_a_time(self.max_connections),
            max_connections_per_address: self.max_connections_per_address.map(at_a_time),
            max_requests: at_a_time(self.max_requests),
            max_waiting: at_a_time(self.max_waiting),
            max_anonymous: at_a_time(self.max_anonymous),
            max_in_flight_bytes: bytes(self.max_in_flight_bytes),
            max_elements: bytes(self.max_elements),
            share_per_caller: self.share_per_caller.clamp(1, 100),
            share_per_address: self.share_per_address.clamp(1, 100),
            rate_per_caller: self.rate_per_caller.min(HIGHEST_RATE),
            rate_per_address: self.rate_per_address.min(HIGHEST_RATE),
            rate_anonymous: self.rate_anonymous.min(HIGHEST_RATE),
            max_subscriptions: at_a_time(self.max_subscriptions),
            max_subscriptions_per_caller: at_a_time(self.max_subscriptions_per_caller),
            max_sessions: at_a_time(self.max_sessions),
            max_sessions_per_caller: at_a_time(self.max_sessions_per_caller),
            max_tasks_per_caller: at_a_time(self.max_tasks_per_caller),
            head_timeout: seconds(self.head_timeout),
            body_timeout: seconds(self.body_timeout),
            write_timeout: seconds(self.write_timeout),
            grace: self.grace.min(LONGEST),
        }
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout)
    }

    /// The most that one caller and one address may have of `most`: at least one.
    pub(super) fn shares_of(&self, most: usize) -> Shares {
        let share = |percent: u8| {
            // Divided first where the product would be too large.
            let exact = most.checked_mul(percent.into()).map(|product| product / 100);
            exact.unwrap_or_else(|| most / 100 * usize::from(percent)).clamp(1, most.max(1))
        };
        Shares { caller: share(self.share_per_caller), address: share(self.share_per_address) }
    }

    /// Connections at a time of one address.
    pub(crate) fn connections_per_address(&self) -> usize {
        let share = self.shares_of(self.max_connections).address;
        self.max_connections_per_address.unwrap_or(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_set_in_code_have_the_ranges_of_the_command_line() {
        assert_eq!(Limits::default().within_ranges(), Limits::default());
        let endless = Limits {
            max_body: usize::MAX,
            max_requests: usize::MAX,
            body_timeout: u64::MAX,
            grace: u64::MAX,
            rate_per_caller: u32::MAX,
            share_per_caller: u8::MAX,
            ..Limits::default()
        };
        let bounded = endless.within_ranges();
        assert_eq!((bounded.body_timeout, bounded.grace), (LONGEST, LONGEST));
        assert_eq!((bounded.rate_per_caller, bounded.share_per_caller), (HIGHEST_RATE, 100));
        assert_eq!(bounded.max_body as u64, MOST_BYTES);
        let none = Limits { max_requests: 0, share_per_address: 0, ..Limits::default() };
        let least = none.within_ranges();
        assert_eq!((least.max_requests, least.share_per_address), (1, 1));
    }
}
