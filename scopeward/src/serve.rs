//! The parts of one process that serves: what a server is made of, its listeners, its router and its
//! monitor.

mod behind;
pub(crate) mod deployment;
mod environment;
mod error;
mod given;
mod guarded;
mod limit_options;
pub(crate) mod listen;
mod listeners;
pub(crate) mod lock;
pub(crate) mod metadata_forward;
pub(crate) mod monitor;
mod mount;
mod opened;
pub(crate) mod options;
pub(crate) mod providers;
pub(crate) mod server;
pub(crate) mod server_settings;
mod side_door;
pub(crate) mod startup;
mod stop;

pub use environment::Environment;
pub use error::StartError;
pub use guarded::Guarded;
pub use mount::Mount;
pub(crate) use mount::Report;
pub use opened::Opened;
pub use providers::Providers;
pub use server::{Server, ServerError};
