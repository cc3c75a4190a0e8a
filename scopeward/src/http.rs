//! Small parts of HTTP: the address of a peer, and bodies that are not used.

pub(crate) mod drain;
mod peer;

pub(crate) use peer::Peer;
