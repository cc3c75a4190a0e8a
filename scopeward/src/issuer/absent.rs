//! The stand-in for the embedded issuer in a program that is built without the feature
//! `embedded-issuer`: a policy that asks for the embedded issuer is refused.
//!
//! [`Issuer`] has no value, and [`Issuer::open`] always refuses, so the methods never run.

use std::path::Path;

use axum::Router;

use crate::{
    identity::token::{Revocations, Validator},
    live::LivePolicy,
    policy::{ResourceUrl, Scope},
};

/// The type of the embedded issuer, which has no value in this program.
#[derive(Debug, Clone)]
pub(crate) enum Issuer {}

/// The error of a program that is built without the embedded issuer.
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

    pub(crate) fn revoke_by(&self, _: &Revocations) {
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
