//! The decision: may a caller who holds these scopes do this operation? No other code decides it.

use std::ptr;

use smallvec::{SmallVec, smallvec};

use super::operation::Given;
use super::{
    CompiledPolicy, Feature, Operation, Requirement, Rule, Scope, ScopeId, ScopeSet, When,
};

/// The answer to "may this caller do this?".
#[derive(Debug, Clone)]
#[must_use]
pub enum Decision<'p> {
    /// The caller may, by this rule.
    Allow(&'p Rule),
    /// The caller may not, because the caller does not meet the operation's rule.
    Deny(Denial<'p>),
    /// Nobody may, because the policy has no rule for the operation.
    Unknown,
}

impl Decision<'_> {
    /// Whether the caller may do the operation.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// The conditions of a rule that held for one call, or counted as if they did. An audit record names
/// them by their places.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, MetConditions};
///
/// /// The conditions of a call, as an audit record names them.
/// fn named<'p>(met: &MetConditions<'p>, policy: &'p CompiledPolicy) -> Option<String> {
///     (!met.is_empty()).then(|| met.places(policy).collect::<Vec<_>>().join(" "))
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MetConditions<'p>(SmallVec<[&'p When; 2]>);

impl<'p> MetConditions<'p> {
    /// The conditions of `rule` whose requirements are among the clauses of a decision.
    fn among(rule: &'p Rule, clauses: &[&'p Requirement]) -> Self {
        let is_met = |when: &&When| {
            let own = &raw const when.requirement;
            clauses.iter().any(|clause| ptr::eq::<Requirement>(*clause, own))
        };
        Self(rule.when.iter().filter(is_met).collect())
    }

    /// Whether no condition was met.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The places of the conditions in the source: `path:line:column`, in the order of the file.
    pub fn places(&self, policy: &'p CompiledPolicy) -> impl ExactSizeIterator<Item = &'p str> {
        let place = |when: &&'p When| -> &'p str {
            when.place.get_or_init(|| policy.source().place(when.span.start).into())
        };
        self.0.iter().map(place)
    }
}

/// A refusal: the rule that refused, and the scopes that the caller lacks.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Decision, Denial, MetConditions, Operation, diagnostic::Source};
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
/// let held = policy.hold(["note:write"]);
/// let (decision, met) = policy.decide_with_conditions(Operation::tool("share_note"), &held);
/// assert!(MetConditions::is_empty(&met) && !decision.is_allow());
/// let Decision::Deny(denial): Decision<'_> = decision else { return Err("allowed".into()) };
/// let names = |denial: &Denial<'_>| denial.required().map(|one| one.to_string()).collect::<Vec<_>>();
/// assert_eq!(names(&denial), ["note:write", "note:share"]);
/// assert_eq!(denial.missing(&held).map(|one| one.as_str()).collect::<Vec<_>>(), ["note:share"]);
/// assert_eq!(denial.rule().name(), "share_note");
/// // The caller can still get it, because clients ask for step_up scopes only when they are needed.
/// assert!(denial.by_step_up(&held).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Denial<'p> {
    policy: &'p CompiledPolicy,
    rule: &'p Rule,
    /// The requirement of the rule, and the requirements of its conditions that are met.
    clauses: SmallVec<[&'p Requirement; 2]>,
    required: SmallVec<[ScopeId; 4]>,
}

impl<'p> Denial<'p> {
    /// The rule that the caller does not meet.
    pub fn rule(&self) -> &'p Rule {
        self.rule
    }

    /// The scopes that the operation needs, held or not. Of several alternatives, those of the one
    /// that needs the fewest further scopes.
    pub fn required(&self) -> impl Iterator<Item = &'p Scope> + '_ {
        let policy = self.policy;
        self.required.iter().map(move |scope| policy.scope(*scope).name())
    }

    /// The requirement of the operation, with all of its alternatives. If there are more than `most`,
    /// only the one that needs the fewest further scopes.
    pub(crate) fn requirement(&self, most: usize) -> Requirement {
        let counts = self.clauses.iter().map(|clause| clause.alternatives().len().max(1));
        if counts.fold(1, usize::saturating_mul) > most {
            return Requirement::AnyOf(smallvec![self.required.clone()]);
        }
        let mut clauses = self.clauses.iter();
        let first = clauses.next().map_or(Requirement::Authenticated, |first| (*first).clone());
        clauses.fold(first, |all, clause| all.and(clause))
    }

    /// The conditions without which the caller might be allowed: they count as met, and the caller
    /// lacks what they need.
    pub(crate) fn conditions<'a>(
        &'a self,
        held: &'a ScopeSet,
    ) -> impl Iterator<Item = &'p When> + 'a {
        let lacking = |when: &&When| {
            !when.requirement.is_met_by(held)
                && self
                    .clauses
                    .iter()
                    .any(|clause| ptr::eq::<Requirement>(*clause, &raw const when.requirement))
        };
        self.rule.when.iter().filter(lacking)
    }

    /// The part of [`required`](Self::required) that `held` lacks.
    pub fn missing<'a>(&'a self, held: &'a ScopeSet) -> impl Iterator<Item = &'p Scope> + 'a {
        let lacking = self.required.iter().filter(|scope| !held.contains(**scope));
        lacking.map(|scope| self.policy.scope(*scope).name())
    }

    /// The same refusal by an alternative that lacks only scopes marked `step_up`, if there is one.
    /// A caller was not asked for those scopes at sign-in, and so can still get them.
    pub fn by_step_up(&self, held: &ScopeSet) -> Option<Self> {
        let is_given =
            |scope: &ScopeId| held.contains(*scope) || self.policy.scope(*scope).is_step_up();
        let mut required = SmallVec::new();
        for clause in self.clauses.iter().filter(|clause| !clause.is_met_by(held)) {
            let mut alternatives = clause.alternatives().iter();
            add(&mut required, alternatives.find(|all| all.iter().all(is_given))?);
        }
        Some(Self { required, clauses: self.clauses.clone(), ..*self })
    }
}

/// Adds the scopes that `required` does not have yet, in the order of `all`.
fn add(required: &mut SmallVec<[ScopeId; 4]>, all: &[ScopeId]) {
    for scope in all {
        if !required.contains(scope) {
            required.push(*scope);
        }
    }
}

impl CompiledPolicy {
    /// The scopes that a caller with these granted scopes holds: each granted scope that `[scopes]`
    /// defines, and the scopes that it implies. An undefined scope gives nothing.
    pub fn hold<'a>(&self, granted: impl IntoIterator<Item = &'a str>) -> ScopeSet {
        let mut held = ScopeSet::default();
        for scope in granted {
            if let Some(id) = self.scope_id(scope) {
                held.extend(&self.scope(id).closure);
            }
        }
        held
    }

    /// Decides whether a caller who holds `held` may do an operation. Nobody may do an operation
    /// that the policy has no rule for.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Operation, diagnostic::Source};
    ///
    /// let text = r#"
    ///     version = 1
    ///     [server]
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
    /// assert!(policy.decide(Operation::tool("list_todos"), &reader).is_allow());
    /// assert!(!policy.decide(Operation::tool("create_todo"), &reader).is_allow());
    /// assert!(!policy.decide(Operation::tool("anything_else"), &reader).is_allow());
    ///
    /// let writer = policy.hold(["todo:write"]);
    /// let listing = policy.decide(Operation::tool("list_todos"), &writer);
    /// assert!(listing.is_allow(), "todo:write implies todo:read");
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn decide(&self, operation: Operation<'_>, held: &ScopeSet) -> Decision<'_> {
        self.decide_with_conditions(operation, held).0
    }

    /// Decides like [`decide`](Self::decide), and also says which conditions of the rule were met.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Operation, diagnostic::Source};
    ///
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", r#"
    /// version = 1
    /// [server]
    /// url = "http://localhost:3002/mcp"
    /// [scopes]
    /// "note:write" = "Write notes"
    /// [tools.save_note]
    /// write = "note"
    /// [[tools.save_note.when]]
    /// if = "args.public"
    /// all_of = ["note:write"]
    /// "#))?;
    /// let public = serde_json::json!({ "public": true });
    /// let saving = Operation::tool("save_note").with_arguments(public.as_object().ok_or("no")?);
    /// let held = policy.hold(["note:write"]);
    /// let (decision, met) = policy.decide_with_conditions(saving, &held);
    /// assert!(decision.is_allow());
    /// assert_eq!(met.places(&policy).collect::<Vec<_>>(), ["policy.toml:10:6"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide_with_conditions(
        &self,
        operation: Operation<'_>,
        held: &ScopeSet,
    ) -> (Decision<'_>, MetConditions<'_>) {
        if operation.feature() == Feature::Resource {
            return self.decide_resource(operation, held);
        }
        match self.rule_of(operation.feature(), operation.name()) {
            // The fast path: most rules have no condition, and most calls are allowed.
            Some(rule) if rule.when.is_empty() && rule.requirement.is_met_by(held) => {
                (Decision::Allow(rule), MetConditions::default())
            }
            Some(rule) => self.decide_by(rule, operation.arguments(), operation.claims(), held),
            None => (Decision::Unknown, MetConditions::default()),
        }
    }

    fn decide_resource(
        &self,
        operation: Operation<'_>,
        held: &ScopeSet,
    ) -> (Decision<'_>, MetConditions<'_>) {
        let Some((rule, values)) = self.find_resource(operation.name()) else {
            return (Decision::Unknown, MetConditions::default());
        };
        // A template by its own text cannot be read, because it is not a resource. Completion asks
        // about it without arguments.
        if values.is_none() && operation.arguments().object().is_some() {
            return (Decision::Unknown, MetConditions::default());
        }
        // The values in a URI count as its arguments, even if the operation has others.
        let arguments = values.as_ref().map_or(operation.arguments(), Given::These);
        self.decide_by(rule, arguments, operation.claims(), held)
    }

    fn decide_by<'p>(
        &'p self,
        rule: &'p Rule,
        arguments: Given<'_>,
        claims: Given<'_>,
        held: &ScopeSet,
    ) -> (Decision<'p>, MetConditions<'p>) {
        let clauses = rule.clauses(arguments, claims);
        let met = MetConditions::among(rule, &clauses);
        (self.decide_clauses(rule, clauses, held), met)
    }

    /// Decides by the requirements of a rule that a call has to meet.
    pub(crate) fn decide_clauses<'p>(
        &'p self,
        rule: &'p Rule,
        clauses: SmallVec<[&'p Requirement; 2]>,
        held: &ScopeSet,
    ) -> Decision<'p> {
        if clauses.iter().all(|clause| clause.is_met_by(held)) {
            return Decision::Allow(rule);
        }
        let mut required = SmallVec::new();
        for clause in &clauses {
            add(&mut required, clause.nearest(held));
        }
        Decision::Deny(Denial { policy: self, rule, clauses, required })
    }
}
