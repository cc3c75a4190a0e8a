//! End-to-end tests: the real binary over real HTTP, attacked and used by clients that others
//! wrote. See `tests/README.md`.

mod clients;
mod durability;
mod gate;
mod harness;
mod issuer;
mod metadata;
mod startup;
mod tokens;
mod unguarded;
