//! One process that serves: the listener, TLS, the router behind it, the monitor.

pub(crate) mod listen;
pub(crate) mod metadata_forward;
pub(crate) mod monitor;
pub(crate) mod providers;
pub(crate) mod server;

pub use providers::Providers;
pub use server::Server;
