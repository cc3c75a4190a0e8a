//! The providers: the facts about each one as data, and how a deployment reaches it.

mod configured;
pub(crate) mod pull;
mod registered;
mod scalekit;

pub(crate) use configured::{
    ConfiguredProvider, ConfiguredProviders, ProviderConfigError, TokenCheck,
};
pub(crate) use registered::{Registered, RegisteredError};
