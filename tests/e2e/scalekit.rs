//! The same end-to-end tests, with the todo server in front of a stand-in for Scalekit instead of
//! the embedded issuer: its environment variables are those of Scalekit's own guide, and its policy
//! is the shipped one but for `provider = "scalekit"`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]
#![allow(dead_code, reason = "not every test is run again")]

mod audit;
mod durability;
mod gate;
mod harness;
mod keys;
mod metadata;
mod reload;
mod standin;

const IN_FRONT_OF_SCALEKIT: bool = true;
