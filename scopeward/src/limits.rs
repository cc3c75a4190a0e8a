//! The limits of a server, for all callers together and for each one.
//!
//! A limit refuses early and says when to come back: 429 or 503 with `Retry-After` (RFC 6585,
//! section 4; RFC 9110, section 10.2.3). Each refusal is counted in
//! `scopeward_refused_by_limit_total`.

mod anonymous;
mod answer;
mod body;
mod capacity;
mod elements;
mod held_body;
mod limit;
mod patience;
mod rate;
mod settings;
mod shared;

pub(crate) use anonymous::AnonymousPool;
pub(crate) use answer::{SHORT, refused, retry_after};
pub(crate) use body::{BodyError, read_body};
pub(crate) use capacity::Capacity;
pub(crate) use held_body::held;
pub(crate) use limit::Limit;
pub(crate) use patience::Patience;
pub(crate) use rate::RateLimiter;
pub use settings::Limits;
pub(crate) use settings::{HIGHEST_RATE, LONGEST, MOST_AT_A_TIME, MOST_BYTES};
pub(crate) use shared::{Exceeded, Holder, Place, SharedLimit, SharedPermit, Shares};
