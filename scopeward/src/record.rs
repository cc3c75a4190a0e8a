//! What is kept of decisions: the audit file, and the numbers of this process.

pub(crate) mod audit;
pub(crate) mod metrics;
