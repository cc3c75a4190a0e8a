//! Sets of a policy's scopes, with one bit for each scope.

use smallvec::SmallVec;

/// The number of a scope within one compiled policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScopeId(pub(super) u32);

impl ScopeId {
    /// The place of the scope among all scopes of its policy.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of a policy's scopes, with one bit for each scope.
///
/// INVARIANT: a set is used only with the policy that made it, because another policy numbers its
/// scopes differently. So only [`CompiledPolicy::hold`](crate::CompiledPolicy::hold) makes one, and callers keep it beside that
/// policy.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Operation, ScopeSet, diagnostic::Source};
/// # let text = r#"
/// #     version = 1
/// #     [server]
/// #     url = "http://localhost:3002/mcp"
/// #     [scopes]
/// #     "note:read" = "See your notes"
/// #     "note:write" = { title = "Change your notes", implies = ["note:read"] }
/// #     "note:share" = { title = "Share your notes", step_up = true }
/// #     [tools]
/// #     list_notes = { read = "note" }
/// #     save_note = { write = "note" }
/// #     share_note = { all_of = ["note:write", "note:share"] }
/// # "#;
/// # let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
///
/// let held: ScopeSet = policy.hold(["note:write"]);
/// assert!(policy.decide(Operation::tool("save_note"), &held).is_allow());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeSet(SmallVec<[u64; 2]>);

impl ScopeSet {
    pub(crate) fn insert(&mut self, ScopeId(id): ScopeId) {
        let word = id as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id % 64);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(others).all(|(mine, theirs)| mine & !theirs == 0)
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, two)| one & two != 0)
    }

    /// How many words the set takes, which is what a look at all of it costs.
    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }

    /// How many scopes the set has.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The scopes of the set, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ScopeId> {
        (0..).zip(&self.0).flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(ScopeId(place * 64 + bit))
            })
        })
    }

    /// The scopes that are in both sets, in their order.
    pub(crate) fn intersection(&self, other: &Self) -> Vec<ScopeId> {
        let both = self.0.iter().zip(&other.0).map(|(one, two)| one & two);
        Self(both.collect()).iter().collect()
    }

    pub(crate) fn remove(&mut self, ScopeId(id): ScopeId) {
        if let Some(word) = self.0.get_mut(id as usize / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    pub(crate) fn contains(&self, ScopeId(id): ScopeId) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}
