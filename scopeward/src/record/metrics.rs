//! What this process counts. Its readers are in [`monitor`](crate::serve::monitor).
//!
//! One set for a process, as its log is one: a decision that is made twice, in the gate and in the
//! tool, is counted where it is recorded.

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

/// So many tools, resources and prompts have numbers of their own; those beyond share one of each
/// feature, so that a policy cannot flood a metrics store.
const MOST_NAMED: usize = 1_000;
/// What these are called.
const OTHERS: &str = "(others)";
/// What a name is called that the policy does not have: it is the caller's own text.
const UNKNOWN: &str = "(unknown)";

/// The decisions about each name.
type DecisionsByName = HashMap<(Feature, Box<str>), Arc<DecisionCounts>>;

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    named: Mutex<DecisionsByName>,
    /// By [`reason`](crate::identity::token::TokenError::reason).
    pub(crate) unauthenticated: Family<Reason, Counter>,
    /// By [`name`](Limit::name).
    pub(crate) limited: Family<LimitName, Counter>,
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

/// This process's.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    /// The counts of a name that the policy has.
    pub(crate) fn of(&self, feature: Feature, name: &str) -> Arc<DecisionCounts> {
        let mut named = self.named.lock();
        let key = (feature, Box::<str>::from(name));
        let is_full = named.len() >= MOST_NAMED && !named.contains_key(&key);
        let key = if is_full { (feature, OTHERS.into()) } else { key };
        Arc::clone(named.entry(key).or_default())
    }

    /// A use of something that the policy does not have was refused.
    pub(crate) fn unknown(&self, feature: Feature) {
        self.of(feature, UNKNOWN).count_denied();
    }

    pub(crate) fn unauthenticated(&self, reason: &'static str) {
        self.unauthenticated.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn limited(&self, limit: Limit) {
        self.limited.get_or_create(&LimitName { limit: limit.name() }).inc();
    }

    /// All names and their numbers, in order.
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
