//! The list of revocations in the data folder.
//!
//! `revoked.toml` is written by `revocation add` or by hand, and is read again when it changes. The
//! list in force is [`Revocations`]. The token validator checks each token against it.

mod file;
mod watch;

pub use super::token::Revocations;

pub(crate) use file::{RevokedList, edit, path, read};
pub(crate) use watch::{RevocationWatch, is_served, watch};
