//! What one server has to give at a time: places, room to wait, bytes and connections.

use std::sync::Arc;

use super::{AnonymousPool, Limits, Patience, SharedLimit, Shares};

/// What a server has to give at a time. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Capacity {
    /// The calls that are being executed. A place is held by work that was let in, and never while
    /// a body, an issuer or a key is waited for.
    pub(crate) places: SharedLimit,
    /// The requests of which no caller is known yet: those whose token waits for an issuer or a key,
    /// and those at the endpoints beside the MCP endpoint.
    pub(crate) waiting: SharedLimit,
    /// The requests without a token that are being executed, where a rule lets them in. They take no
    /// place from authenticated callers.
    pub(crate) anonymous: AnonymousPool,
    /// The bytes of bodies that are being read, and of large answers that are not taken yet.
    pub(crate) bytes: SharedLimit,
    /// The requests and streams of authenticated callers, in every state. Each occupies a
    /// connection.
    pub(crate) connections: SharedLimit,
    /// Holds refusals back that come again and again.
    pub(crate) patience: Arc<Patience>,
}

impl Capacity {
    pub(crate) fn new(limits: &Limits) -> Self {
        let shared = |most: usize| SharedLimit::new(most, limits.shares_of(most));
        let bytes = limits.shares_of(limits.max_in_flight_bytes);
        // A share that is smaller than one body would refuse that body for ever.
        let bytes = Shares {
            caller: bytes.caller.max(limits.max_body),
            address: bytes.address.max(limits.max_body),
        };
        // The addresses' share of connections is held where connections are accepted.
        let connections =
            Shares { address: usize::MAX, ..limits.shares_of(limits.max_connections) };
        Self {
            places: shared(limits.max_requests),
            waiting: shared(limits.max_waiting),
            anonymous: AnonymousPool::new(limits),
            bytes: SharedLimit::new(limits.max_in_flight_bytes.max(limits.max_body), bytes),
            connections: SharedLimit::new(usize::MAX, connections),
            patience: Arc::default(),
        }
    }
}
