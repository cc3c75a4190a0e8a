//! The limits of a server, for all callers together and for each one.
//!
//! A limit refuses early and says when to come back: 429 or 503 with `Retry-After` (RFC 6585,
//! section 4; RFC 9110, section 10.2.3). Each refusal is counted in
//! `scopeward_refused_by_limit_total`.

mod answer;
mod concurrency;
mod limit;
mod rate;
mod settings;

pub(crate) use answer::{refused, retry_after};
pub(crate) use concurrency::{ConcurrencyLimit, ConcurrencyPermit};
pub(crate) use limit::Limit;
pub(crate) use rate::RateLimiter;
pub use settings::Limits;
