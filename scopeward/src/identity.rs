//! Authentication: turns a bearer token into a [`Principal`], which is a caller with its client and
//! its scopes.
//!
//! | step | where |
//! |---|---|
//! | the providers, and the form of their tokens | [`provider`] |
//! | a bearer token → a validated access token | [`token`] |
//! | revoked tokens, people and clients | [`revocation`] |
//! | an access token under a policy → a principal | [`Principal`] |

mod anonymous;
pub(crate) mod expiry;
mod principal;
pub mod provider;
pub mod revocation;
pub mod token;

pub(crate) use anonymous::{AnonymousCaller, Caller};
pub use principal::Principal;
