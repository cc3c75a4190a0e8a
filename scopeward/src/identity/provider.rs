//! The providers: the facts about each one as data, and how a deployment reaches it.

mod configured;
mod custom;
pub(crate) mod pull;
mod registered;
mod scalekit;

pub(crate) use configured::{
    ConfiguredProvider, ConfiguredProviders, ProviderConfigError, TokenCheck, fault,
};
pub use custom::CustomProvider;
pub(crate) use registered::{Registered, RegisteredError};
