//! The parts of one process that serves: listener, TLS, router and monitor.

pub(crate) mod listen;
pub(crate) mod metadata_forward;
pub(crate) mod monitor;
pub(crate) mod providers;
pub(crate) mod server;

pub use providers::Providers;
pub use server::Server;
