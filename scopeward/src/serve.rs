//! One process that serves: the listener, TLS, the router behind it, the monitor.

pub(crate) mod authority;
pub(crate) mod forward;
pub(crate) mod listen;
pub(crate) mod monitor;
pub(crate) mod server;

pub use authority::Authority;
pub use server::Server;
