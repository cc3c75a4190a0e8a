//! Repeats end-to-end tests with a stand-in for Scalekit instead of the embedded issuer. The todo
//! server's environment variables are those of Scalekit's own guide, and its policy is the shipped
//! one with `provider = "scalekit"`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic"
)]
#![allow(dead_code, reason = "only some tests are repeated")]

mod audit;
mod durability;
mod gate;
mod harness;
mod keys;
mod metadata;
mod reload;
mod standin;

const IN_FRONT_OF_SCALEKIT: bool = true;
