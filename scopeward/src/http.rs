//! Leaves of HTTP: who is at the other end, and bodies that nobody reads.

pub(crate) mod drain;
mod peer;

pub(crate) use peer::Peer;
