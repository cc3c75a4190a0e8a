//! The architecture, as tests: no circle between modules, the rooms of `scopeward` in their order,
//! and no network in `scopeward-policy`. A failure says which import to move where.
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
