//! The list of revocations in the data folder.
//!
//! `revoked.toml` is written by `revocation add`, or by hand, and read again when it changes. The
//! list in force is [`Revocations`], which the validator of tokens holds each token against.

mod file;
mod watch;

pub use super::token::Revocations;

pub(crate) use file::{RevokedList, edit, path, read};
pub(crate) use watch::{RevocationWatch, is_served, watch};
