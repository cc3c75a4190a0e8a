//! End-to-end tests: the real binary over HTTP, with attacks and with clients of other projects.
//! See `tests/README.md`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic"
)]

mod action;
mod anonymous;
mod answers;
mod attacks;
mod audit;
mod audit_file;
mod audit_outcome;
mod authoring;
mod availability;
mod behind;
mod book;
mod bounds;
mod clients;
mod conditions;
mod conformance;
mod differential;
mod direct;
mod doctor;
mod durability;
mod everything;
mod examples;
mod features;
#[path = "../field/mod.rs"]
mod field;
mod finality;
mod fuzzed;
mod gate;
mod harness;
mod issuer;
mod keys;
mod limits;
mod malformed;
mod metadata;
mod monitor;
mod mounting;
mod policy;
mod provider;
mod readme;
mod registration;
mod reload;
mod replay;
mod revocation;
mod rmcp_client;
mod schema;
mod settings;
mod soak;
mod standin;
mod startup;
mod tls;
mod tokens;
mod unguarded;
mod vault;

/// Whether the tests run in front of Scalekit's stand-in; `scalekit.rs` sets it to `true`.
const IN_FRONT_OF_SCALEKIT: bool = false;
