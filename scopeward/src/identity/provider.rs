//! The providers: the facts about each one as data, and how a deployment reaches it.

mod configured;
mod preset;
pub(crate) mod pull;
mod registered;
mod scalekit;

pub(crate) use configured::{
    ConfiguredProvider, ConfiguredProviders, ProviderConfigError, TokenCheck,
};
pub use preset::{PRESETS, PrefixIn, Preset, RegisteredIn, Tokens};
pub(crate) use registered::{Registered, RegisteredError};
