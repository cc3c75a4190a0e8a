//! May a caller who holds these scopes call this tool? Answered here and nowhere else.

use smallvec::SmallVec;

use super::{CompiledPolicy, Rule, Scope};

/// A scope's number within one compiled policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScopeId(pub(super) u32);

/// A set of a policy's scopes: one bit each.
///
/// INVARIANT: a set is only meaningful with the policy that made it. Sets are therefore made by
/// [`CompiledPolicy::hold`] and kept beside that policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeSet(SmallVec<[u64; 2]>);

impl ScopeSet {
    pub(super) fn insert(&mut self, ScopeId(id): ScopeId) {
        let word = id as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id % 64);
    }

    pub(super) fn extend(&mut self, other: &Self) {
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

    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, two)| one & two != 0)
    }

    pub(crate) fn contains(&self, ScopeId(id): ScopeId) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}

/// Which sets of scopes suffice for one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Any authenticated caller.
    Authenticated,
    /// Every scope of at least one alternative. INVARIANT: there is an alternative, and none is
    /// empty; the manifest refuses both.
    AnyOf(Box<[Box<[ScopeId]>]>),
}

impl Requirement {
    /// Whether `held` suffices: the rule of this crate in one line.
    pub(crate) fn is_met_by(&self, held: &ScopeSet) -> bool {
        match self {
            Self::Authenticated => true,
            Self::AnyOf(alternatives) => {
                alternatives.iter().any(|all| all.iter().all(|scope| held.contains(*scope)))
            }
        }
    }

    pub(crate) fn alternatives(&self) -> &[Box<[ScopeId]>] {
        match self {
            Self::Authenticated => &[],
            Self::AnyOf(alternatives) => alternatives,
        }
    }

    /// The alternative that needs the fewest further scopes; of equals, the first as written.
    fn nearest(&self, held: &ScopeSet) -> &[ScopeId] {
        self.alternatives()
            .iter()
            .min_by_key(|all| all.iter().filter(|scope| !held.contains(**scope)).count())
            .map_or(&[], |all| all)
    }
}

/// The answer to "may this caller call this tool?".
#[derive(Debug, Clone, Copy)]
#[must_use]
pub enum Decision<'p> {
    /// Yes, by this rule.
    Allow(&'p Rule),
    /// No: the policy has a rule for the tool, and the caller does not meet it.
    Deny(Denial<'p>),
    /// No: the policy does not name the tool.
    UnknownTool,
}

impl Decision<'_> {
    /// Whether the answer is yes.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// What a refused caller lacks.
#[derive(Debug, Clone, Copy)]
pub struct Denial<'p> {
    policy: &'p CompiledPolicy,
    rule: &'p Rule,
    required: &'p [ScopeId],
}

impl<'p> Denial<'p> {
    /// The rule that said no.
    pub fn rule(&self) -> &'p Rule {
        self.rule
    }

    /// Everything that the call needs, whether held or not: of several alternatives the nearest.
    pub fn required(&self) -> impl Iterator<Item = &'p Scope> + use<'p> {
        let policy = self.policy;
        self.required.iter().map(|scope| policy.scope(*scope).name())
    }

    /// The part of [`required`](Self::required) that `held` lacks.
    pub fn missing<'a>(&'a self, held: &'a ScopeSet) -> impl Iterator<Item = &'p Scope> + 'a {
        let lacking = self.required.iter().filter(|scope| !held.contains(**scope));
        lacking.map(|scope| self.policy.scope(*scope).name())
    }

    /// The same refusal by way of an alternative that lacks only scopes marked `step_up`, if the
    /// rule has one: what the caller was not asked for yet.
    pub(crate) fn by_step_up(&self, held: &ScopeSet) -> Option<Self> {
        let mut alternatives = self.rule.requirement.alternatives().iter();
        let required = alternatives.find(|all| {
            all.iter().all(|scope| held.contains(*scope) || self.policy.scope(*scope).is_step_up())
        })?;
        Some(Self { required, ..*self })
    }
}

impl CompiledPolicy {
    /// The scopes that a caller with these granted scopes holds: the granted ones that the policy
    /// knows, and all that they imply. A scope that the policy does not know gives nothing.
    pub fn hold<'a>(&self, granted: impl IntoIterator<Item = &'a str>) -> ScopeSet {
        let mut held = ScopeSet::default();
        for scope in granted {
            if let Some(id) = self.scope_id(scope) {
                held.extend(&self.scope(id).closure);
            }
        }
        held
    }

    /// May a caller who holds `held` call `tool`? A tool that the policy does not name cannot be
    /// called.
    ///
    /// ```
    /// use scopeward::{diagnostic::Source, policy::CompiledPolicy};
    ///
    /// let text = r#"
    ///     version = 1
    ///     [resource]
    ///     url = "http://localhost:3002/mcp"
    ///     [scopes]
    ///     "todo:read" = "See your todos"
    ///     "todo:write" = { title = "Change your todos", implies = ["todo:read"] }
    ///     [tools]
    ///     list_todos = { read = "todo" }
    ///     create_todo = { write = "todo" }
    /// "#;
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// let reader = policy.hold(["todo:read"]);
    /// assert!(policy.decide("list_todos", &reader).is_allow());
    /// assert!(!policy.decide("create_todo", &reader).is_allow());
    /// assert!(!policy.decide("anything_else", &reader).is_allow());
    ///
    /// let writer = policy.hold(["todo:write"]);
    /// assert!(policy.decide("list_todos", &writer).is_allow(), "todo:write implies todo:read");
    /// # Ok::<(), scopeward::diagnostic::Diagnostics>(())
    /// ```
    pub fn decide(&self, tool: &str, held: &ScopeSet) -> Decision<'_> {
        let Some(rule) = self.rule(tool) else {
            return Decision::UnknownTool;
        };
        if rule.requirement.is_met_by(held) {
            Decision::Allow(rule)
        } else {
            let required = rule.requirement.nearest(held);
            Decision::Deny(Denial { policy: self, rule, required })
        }
    }
}
