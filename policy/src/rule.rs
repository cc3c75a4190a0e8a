//! The compiled rule of one tool, resource or prompt.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use smallvec::SmallVec;

use super::{DecisionCounts, Requirement, condition::Condition, operation::Given};

/// The rule of one tool, resource or prompt: who may use it.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, DecisionCounts, Feature, diagnostic::Source};
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
/// let rule = policy.rule(Feature::Tool, "list_notes").ok_or("no rule")?;
/// assert_eq!((rule.name(), rule.relax()), ("list_notes", None));
/// assert!(!rule.is_hidden() && !rule.has_conditions() && !rule.asks_for_arguments());
/// assert!(policy.source().text()[rule.span()].starts_with("list_notes"));
/// let counts = rule.counts(|_| std::sync::Arc::new(DecisionCounts::default()));
/// assert_eq!(counts.allowed(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rule {
    /// The name as the policy writes it.
    pub(super) name: Box<str>,
    pub(crate) requirement: Requirement,
    /// The further requirements, each under a condition.
    pub(crate) when: Vec<When>,
    pub(super) relax: Option<String>,
    pub(super) hidden: bool,
    pub(super) span: Range<usize>,
    /// The span as `path:line:column`, computed at first use.
    pub(super) place: OnceLock<Box<str>>,
    /// The counters of the rule's decisions, looked up at first use.
    pub(super) counts: OnceLock<Arc<DecisionCounts>>,
}

/// A further requirement of a rule, under a condition on arguments and claims.
#[derive(Debug)]
pub(crate) struct When {
    pub(crate) condition: Condition,
    pub(crate) requirement: Requirement,
    /// The place of the condition in the source.
    pub(crate) span: Range<usize>,
    /// The span as `path:line:column`, computed at first use.
    pub(super) place: OnceLock<Box<str>>,
}

impl Rule {
    /// The name that the rule is written under: of a tool or a prompt, or a URI or URI template.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the rule may ask for less than its author declared, if the operator said so.
    pub fn relax(&self) -> Option<&str> {
        self.relax.as_deref()
    }

    /// The counters of the rule's decisions. `find` looks them up by the rule's name, and is called
    /// once. So the counters can outlive the policy, and go on when a reload replaces it.
    pub fn counts(&self, find: impl FnOnce(&str) -> Arc<DecisionCounts>) -> &Arc<DecisionCounts> {
        self.counts.get_or_init(|| find(&self.name))
    }

    /// What a call needs: the requirement of the rule, and those of the conditions that count as met.
    pub(crate) fn clauses(
        &self,
        arguments: Given<'_>,
        claims: Given<'_>,
    ) -> SmallVec<[&Requirement; 2]> {
        let met = self.when.iter().filter(|when| when.condition.is_met(arguments, claims));
        std::iter::once(&self.requirement).chain(met.map(|when| &when.requirement)).collect()
    }

    /// Whether lists leave it out for callers who may not use it.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether the rule has a condition.
    pub fn has_conditions(&self) -> bool {
        !self.when.is_empty()
    }

    /// Whether at least one condition of the rule is about arguments.
    pub fn asks_for_arguments(&self) -> bool {
        self.when.iter().any(|when| when.condition.needs_arguments())
    }

    /// The place of the rule in the source.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}
