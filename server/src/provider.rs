//! Who issues the tokens: what is known of each provider as data, and how a deployment of it is
//! reached.

mod connection;
mod forward;
mod metadata;
mod preset;
mod registered;
mod scalekit;

pub(crate) use connection::{Check, Connection, ConnectionError, Connections};
pub(crate) use forward::Forwarder;
pub(crate) use metadata::Metadata;
pub use preset::{PRESETS, PrefixIn, Preset, RegisteredIn, Tokens};
pub(crate) use registered::{Registered, RegisteredError};
