//! The counters of this process, which the [`monitor`](crate::serve::monitor) shows.
//!
//! A process has one set of counters, as it has one log. A decision that is made twice, in the gate
//! and in the tool, is counted once, because only a recorded decision is counted.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use crate::{
    limits::Limit,
    policy::{DecisionCounts, Feature},
};

/// At most this many tools, resources and prompts have counters of their own, so that a policy
/// cannot flood a metrics store. All others share one counter for each feature.
const MOST_NAMED: usize = 1_000;
/// The name of the shared counters.
const OTHERS: &str = "(others)";
/// The name that stands for all names that the policy does not have, because those are the callers'
/// own texts.
const UNKNOWN: &str = "(unknown)";

/// The decisions about each name.
type DecisionsByName = HashMap<(Feature, Box<str>), Arc<DecisionCounts>>;

/// All counters of a process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    named: Mutex<DecisionsByName>,
    /// Requests without a valid token, by [`reason`](crate::identity::token::TokenError::reason).
    pub(crate) unauthenticated: Family<Reason, Counter>,
    /// Refusals by a limit, by the limit's [`name`](Limit::name).
    pub(crate) limited: Family<LimitName, Counter>,
    /// Requests that are not for this server, by host, origin or path.
    pub(crate) misdirected: Family<Reason, Counter>,
    pub(crate) certificate_reloads: Counter,
    pub(crate) certificate_refusals: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LimitName {
    limit: &'static str,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::default);

/// The counters of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    /// The counters of a name that the policy has.
    pub(crate) fn of(&self, feature: Feature, name: &str) -> Arc<DecisionCounts> {
        let mut named = self.named.lock();
        let key = (feature, Box::<str>::from(name));
        let is_full = named.len() >= MOST_NAMED && !named.contains_key(&key);
        let key = if is_full { (feature, OTHERS.into()) } else { key };
        Arc::clone(named.entry(key).or_default())
    }

    /// Counts the refusal of a use that the policy does not name.
    pub(crate) fn unknown(&self, feature: Feature) {
        self.of(feature, UNKNOWN).count_denied();
    }

    pub(crate) fn unauthenticated(&self, reason: &'static str) {
        self.unauthenticated.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn misdirected(&self, reason: &'static str) {
        self.misdirected.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn limited(&self, limit: Limit) {
        self.limited.get_or_create(&LimitName { limit: limit.name() }).inc();
    }

    /// All names in order, each with its allowed and its denied uses.
    pub(crate) fn decisions(&self) -> Vec<(Feature, Box<str>, u64, u64)> {
        let named = self.named.lock();
        let numbers = |counts: &DecisionCounts| (counts.allowed(), counts.denied());
        let mut all: Vec<_> = named
            .iter()
            .map(|((feature, name), counts)| {
                let (allowed, denied) = numbers(counts);
                (*feature, name.clone(), allowed, denied)
            })
            .collect();
        drop(named);
        all.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_many_tools_does_not_flood_the_store() {
        let metrics = Metrics::default();
        for number in 0..2 * MOST_NAMED {
            metrics.of(Feature::Tool, &format!("tool_{number}")).count_allowed();
        }
        let all = metrics.decisions();
        assert_eq!(all.len(), MOST_NAMED + 1);
        let (_, _, allowed, _) = all.iter().find(|(_, name, ..)| **name == *OTHERS).unwrap();
        assert_eq!(*allowed, MOST_NAMED as u64);
    }
}
