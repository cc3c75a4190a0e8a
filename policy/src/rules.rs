//! The rules of a policy by feature and name, in a hash table: a look-up takes the same time however
//! many rules there are.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Feature, Rule};

/// The rules of one feature.
#[derive(Debug, Default)]
struct FeatureRules {
    /// In the order of their names.
    all: Vec<Rule>,
    /// The index in `all` of each name's rule.
    places: HashTable<u32>,
}

impl FeatureRules {
    fn new(mut all: Vec<Rule>) -> Self {
        all.sort_by(|one, other| one.name.cmp(&other.name));
        // TOML refuses a key that stands twice, so nothing is lost from a policy that decides.
        all.dedup_by(|one, other| one.name == other.name);
        let hash_of = |place: &u32| all.get(*place as usize).map_or(0, |rule| hash(&rule.name));
        let mut places = HashTable::with_capacity(all.len());
        for (place, rule) in (0..).zip(&all) {
            places.insert_unique(hash(&rule.name), place, hash_of);
        }
        Self { all, places }
    }

    fn get(&self, name: &str) -> Option<&Rule> {
        let rule = |place: &u32| self.all.get(*place as usize);
        let is_it = |place: &u32| rule(place).is_some_and(|rule| *rule.name == *name);
        self.places.find(hash(name), is_it).and_then(rule)
    }
}

/// A fast hash without a secret. Callers cannot provoke collisions, because only the policy adds
/// names.
fn hash(name: &str) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// All rules of a policy, by feature and name.
#[derive(Debug, Default)]
pub(super) struct Rules([FeatureRules; 3]);

impl Rules {
    pub(super) fn new(rules: impl IntoIterator<Item = (Feature, Rule)>) -> Self {
        let mut all: [Vec<Rule>; 3] = Default::default();
        for (feature, rule) in rules {
            all[feature.index()].push(rule);
        }
        Self(all.map(FeatureRules::new))
    }

    pub(super) fn get(&self, feature: Feature, name: &str) -> Option<&Rule> {
        self.0[feature.index()].get(name)
    }

    /// The rules of one feature, in the order of their names.
    pub(super) fn of(&self, feature: Feature) -> &[Rule] {
        &self.0[feature.index()].all
    }

    /// All rules, each with its feature.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Feature, &Rule)> {
        let of = |feature| self.of(feature).iter().map(move |rule| (feature, rule));
        Feature::ALL.into_iter().flat_map(of)
    }
}
