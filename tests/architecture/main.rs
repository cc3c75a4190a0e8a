//! Tests of the architecture: no circle between modules, the rooms of `scopeward` in their order,
//! and no network in `scopeward-policy`. A failed test says which import to move, and where to.
//!
//! The modules are read as text, with `syn`, so a crate need not compile to be checked.

mod arrows;
mod bad_changes;
mod cfg;
mod check;
mod crates;
mod cycles;
mod good_changes;
mod names;
mod network;
mod report;
mod resolve;
mod rooms;
mod source;
mod tokens;
mod visit;
