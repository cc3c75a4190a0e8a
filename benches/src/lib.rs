//! The shared parts of the measurements: servers to compare, an issuer of tokens, policies of any
//! size, and the load.

pub mod cores;
pub mod generator;
pub mod issuer;
pub mod policies;
pub mod report;
pub mod serve;
pub mod target;
pub mod todo;
pub mod work;
