//! The limits as a deployment sets them.

use std::time::Duration;

use super::Shares;

/// The limits of a server. [`Limits::default`] has the defaults of the command line.
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
            max_in_flight_bytes: 256 * 1024 * 1024,
            max_elements: 100_000,
            share_per_caller: 25,
            share_per_address: 25,
            rate_per_caller: 100,
            rate_per_address: 1_000,
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
