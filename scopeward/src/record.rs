//! The records of decisions: the audit file, and the metrics of this process.

pub(crate) mod audit;
pub(crate) mod metrics;
