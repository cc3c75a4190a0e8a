//! Small parts of HTTP: the address of a peer, also behind a proxy, and bodies that are not used.

pub(crate) mod drain;
mod forwarded;
mod peer;

pub(crate) use forwarded::{Network, TrustedProxies};
pub(crate) use peer::Peer;
