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
pub struct ScopeSet {
    words: SmallVec<[u64; 2]>,
    /// Whether no token gave them. INVARIANT: then there are none.
    is_anonymous: bool,
}

impl ScopeSet {
    /// The set of a caller without a token: no scope, and not even the right to what every
    /// authenticated caller may use.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Operation, ScopeSet, diagnostic::Source};
    ///
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", r#"
    ///     version = 1
    ///     [server]
    ///     url = "http://localhost:3002/mcp"
    ///     [tools]
    ///     opening_hours = { anonymous = true }
    ///     whoami = { authenticated = true }
    /// "#))?;
    /// let nobody = ScopeSet::anonymous();
    /// assert!(policy.decide(Operation::tool("opening_hours"), &nobody).is_allow());
    /// assert!(!policy.decide(Operation::tool("whoami"), &nobody).is_allow());
    /// assert!(nobody.is_anonymous() && !policy.hold([]).is_anonymous());
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn anonymous() -> Self {
        Self { words: SmallVec::new(), is_anonymous: true }
    }

    /// Whether these are of a caller without a token.
    pub fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }

    pub(crate) fn insert(&mut self, ScopeId(id): ScopeId) {
        let word = id as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (id % 64);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        let others = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter().zip(others).all(|(mine, theirs)| mine & !theirs == 0)
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(one, two)| one & two != 0)
    }

    /// How many words the set takes, which is what a look at all of it costs.
    pub(crate) fn words(&self) -> usize {
        self.words.len()
    }

    /// How many scopes the set has.
    pub(crate) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The scopes of the set, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ScopeId> {
        (0..).zip(&self.words).flat_map(|(place, word)| {
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
        let both = self.words.iter().zip(&other.words).map(|(one, two)| one & two);
        Self { words: both.collect(), is_anonymous: false }.iter().collect()
    }

    pub(crate) fn remove(&mut self, ScopeId(id): ScopeId) {
        if let Some(word) = self.words.get_mut(id as usize / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    pub(crate) fn contains(&self, ScopeId(id): ScopeId) -> bool {
        self.words.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}
