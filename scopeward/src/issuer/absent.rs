//! The embedded issuer of a program that is built without it: there is none, and a policy that asks
//! for it is refused.
//!
//! The type has no value, so nothing here can be reached but by way of [`Issuer::open`], which says no.

use std::path::Path;

use axum::Router;

use crate::{
    identity::token::Validator,
    live::LivePolicy,
    policy::{ResourceUrl, Scope},
};

/// The embedded issuer, of which there is none.
#[derive(Debug, Clone)]
pub(crate) enum Issuer {}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "this program was built without the embedded issuer\n  = help: name another `provider` in the \
     policy, or build with scopeward's feature `embedded-issuer`, which is for development"
)]
pub(crate) struct NotBuilt;

impl Issuer {
    pub(crate) fn open(_: &Path, _: impl Into<LivePolicy>, _: &str) -> Result<Self, NotBuilt> {
        Err(NotBuilt)
    }

    pub(crate) fn may_serve(_: &ResourceUrl) -> Result<(), NotBuilt> {
        Err(NotBuilt)
    }

    pub(crate) fn url(&self) -> &str {
        match *self {}
    }

    pub(crate) fn validator(&self) -> Validator {
        match *self {}
    }

    pub(crate) fn registered(&self) -> Vec<Scope> {
        match *self {}
    }

    pub(crate) fn sign(&self, _: &str, _: &str, _: &[Scope]) -> Result<String, NotBuilt> {
        match *self {}
    }

    pub(crate) fn endpoints(&self) -> Router {
        match *self {}
    }

    pub(crate) fn pages(&self) -> Router {
        match *self {}
    }
}
