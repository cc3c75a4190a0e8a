//! [`LintContext`]: the compiled policy, its text, the declarations and the registered scopes, as
//! lints read them.

use std::{
    cell::{OnceCell, RefCell},
    collections::{HashMap, HashSet},
    ops::Range,
    time::SystemTime,
};

use super::{Lint, LintInputs};
use crate::{
    Snapshot,
    {
        Assertions, Behaviour, CompiledPolicy, Declaration, DeclarationIndex, Entry, Feature,
        Located, Manifest, Registry, Rule, RuleEntry, ScopeEntry, ScopeSet, When,
        condition::{self, ConditionFault, Fault},
        diagnostic::{Diagnostic, Suggestions},
        effort::Effort,
    },
};

/// A rule for something that is not declared.
#[derive(Debug)]
pub(super) struct UnknownRule<'a> {
    pub(super) feature: Feature,
    pub(super) name: &'a str,
    pub(super) at: Range<usize>,
    /// The declaration that the rule was most likely meant for. It has no rule of its own.
    pub(super) meant: Option<&'static Declaration>,
}

/// All that a lint may look at.
pub(crate) struct LintContext<'a> {
    pub(crate) policy: &'a CompiledPolicy,
    /// The policy as it is written, for findings about the text.
    pub(crate) manifest: &'a Manifest,
    pub(crate) assertions: &'a Assertions,
    /// The rules that have a mistake: the policy names them, and they were not compiled.
    pub(crate) unreadable: &'a [(Feature, Located<String>)],
    pub(crate) registry: &'a Registry,
    pub(crate) snapshot: Option<&'a Snapshot>,
    pub(crate) now: SystemTime,
    /// The scopes that at least one rule needs.
    pub(crate) needed: ScopeSet,
    /// The scopes that a declaration names as `optional`, because its code asks for them itself.
    pub(crate) optional: HashSet<&'static str>,
    pub(crate) declared: DeclarationIndex,
    pub(crate) suggestions: Suggestions,
    /// The steps that the proofs of this run may take.
    pub(crate) effort: Effort,
    /// The rules for something that is not declared; computed once, because several lints ask.
    pub(super) unknown_rules: OnceCell<Vec<UnknownRule<'a>>>,
    /// The defined scope that each declared one was most likely meant to be; remembered, because
    /// several lints ask and have to get the same answer.
    pub(super) meant_scopes: RefCell<HashMap<String, Option<&'a str>>>,
    /// The scopes that a rule of the file names, defined or not.
    pub(super) written_scopes: OnceCell<HashSet<&'a str>>,
}

impl<'a> LintContext<'a> {
    pub(super) fn new(
        policy: &'a CompiledPolicy,
        manifest: &'a Manifest,
        assertions: &'a Assertions,
        unreadable: &'a [(Feature, Located<String>)],
        inputs: &LintInputs<'a>,
    ) -> Self {
        let registry = inputs.registry;
        let all = registry.all();
        Self {
            policy,
            manifest,
            assertions,
            unreadable,
            registry,
            snapshot: inputs.snapshot,
            now: inputs.now,
            needed: policy.needed_scopes(),
            optional: all.flat_map(|one| one.optional().iter().copied()).collect(),
            declared: DeclarationIndex::new(registry),
            suggestions: Suggestions::default(),
            effort: Effort::new(Effort::PROOFS),
            unknown_rules: OnceCell::new(),
            meant_scopes: RefCell::default(),
            written_scopes: OnceCell::new(),
        }
    }

    /// The declaration with this name.
    pub(crate) fn declared(&self, feature: Feature, name: &str) -> Option<&'static Declaration> {
        self.declared.get(feature, name)
    }

    /// Each declaration that has a rule, with its compiled rule and its entry in the file.
    pub(crate) fn ruled(
        &self,
    ) -> impl Iterator<Item = (&'static Declaration, &'a Rule, &'a Entry)> {
        self.rules().filter_map(|(rule, entry)| {
            Some((self.declared(entry.feature, &entry.name.value)?, rule, entry))
        })
    }

    /// The faults of each condition, by the JSON Schema of the arguments and by the listed claims.
    pub(crate) fn condition_faults(&self) -> impl Iterator<Item = (&'a Entry, &'a When, Fault)> {
        let claims = self.policy.claims();
        self.rules().filter(|(rule, _)| !rule.when.is_empty()).flat_map(move |(rule, entry)| {
            let declared = self.declared(entry.feature, &entry.name.value);
            let schema = declared.and_then(Declaration::arguments);
            rule.when.iter().flat_map(move |when| {
                let faults =
                    condition::check(&when.condition, schema.as_deref(), claims, &self.suggestions);
                faults.into_iter().map(move |fault| (entry, when, fault))
            })
        })
    }

    /// A finding about a condition, at its place in the string that the condition is written in.
    pub(crate) fn condition_finding(
        &self,
        lint: &Lint,
        when: &When,
        fault: ConditionFault,
    ) -> Diagnostic {
        let text = self.policy.source().text();
        condition::finding(lint.kind, fault, text, &when.span).with_severity(lint.severity)
    }

    /// Each compiled rule, with its entry in the file.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&'a Rule, &'a Entry)> {
        let entries = self.manifest.rules.iter();
        entries
            .filter_map(|entry| Some((self.policy.rule(entry.feature, &entry.name.value)?, entry)))
    }

    /// The scopes that a rule of the file names, defined or not.
    pub(crate) fn written_scopes(&self) -> &HashSet<&'a str> {
        self.written_scopes.get_or_init(|| {
            let rules = self.manifest.rules.iter().flat_map(|entry| {
                let conditional = entry.when.iter().filter_map(|when| when.rule.as_ref());
                entry.rule.iter().chain(conditional)
            });
            let alternatives = rules.filter_map(|rule| match rule {
                RuleEntry::Alternatives(alternatives) => Some(alternatives),
                RuleEntry::Anonymous | RuleEntry::Authenticated => None,
            });
            alternatives.flatten().flatten().map(|scope| scope.value.as_str()).collect()
        })
    }

    /// The scopes of `[scopes]` that neither a rule nor a declaration uses: those that are
    /// registered, or those that are not.
    pub(crate) fn unused_scopes(&self, registered: bool) -> impl Iterator<Item = &'a ScopeEntry> {
        self.manifest.scopes.iter().filter(move |entry| {
            self.policy.is_registered(&entry.name.value) == registered && !self.is_used(entry)
        })
    }

    /// Whether a rule needs the scope, or a scope that it implies, or a declaration names it as
    /// `optional`.
    fn is_used(&self, entry: &ScopeEntry) -> bool {
        let name = entry.name.value.as_str();
        let scope = self.policy.scope_id(name).map(|id| self.policy.scope(id));
        self.optional.contains(name) || scope.is_some_and(|scope| scope.gives_any(&self.needed))
    }
}

impl Behaviour {
    /// Whether a tool behaves like this, by its annotations.
    pub(crate) fn includes(self, tool: &Declaration) -> bool {
        match self {
            Self::All => true,
            Self::Destructive => tool.is_destructive(),
            Self::Changing => !tool.is_read_only(),
            Self::ReadOnly => tool.is_read_only(),
        }
    }
}
