//! From a bearer token to a [`Principal`]: who calls, through which client, with which scopes.
//!
//! | step | where |
//! |---|---|
//! | which provider issues tokens, and what its tokens look like | [`provider`] |
//! | a bearer token → a validated access token | [`token`] |
//! | tokens, people and clients whose access was taken away | [`revocation`] |
//! | an access token under a policy → a principal | [`Principal`] |

pub(crate) mod expiry;
mod principal;
pub mod provider;
pub mod revocation;
pub mod token;

pub use principal::Principal;
