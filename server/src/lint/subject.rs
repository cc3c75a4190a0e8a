//! What the lints look at.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Lint, Surroundings, lints};
use crate::{
    policy::{
        Assertions, Behaviour, CompiledPolicy, Located, Manifest, Rule, ScopeEntry, ScopeSet,
        ToolEntry,
    },
    registry::{DeclaredTool, Registry},
    resource::Snapshot,
};

pub(crate) struct Subject<'a> {
    pub(crate) policy: &'a CompiledPolicy,
    /// What is written, for findings about the writing.
    pub(crate) manifest: &'a Manifest,
    pub(crate) assertions: &'a Assertions,
    pub(crate) unreadable: &'a [Located<String>],
    pub(crate) registry: &'a Registry,
    pub(crate) snapshot: Option<&'a Snapshot>,
    pub(crate) now: Timestamp,
    /// All scopes that some rule asks for.
    pub(crate) needed: ScopeSet,
    /// The scopes that some tool asks for itself.
    pub(crate) optional: HashSet<&'static str>,
    declared: HashMap<&'static str, &'static DeclaredTool>,
}

/// Whether a lint says something sensible about a file with mistakes: it looks only at names and
/// at rules that could be read.
pub(super) fn survives_mistakes(lint: &Lint) -> bool {
    [&lints::TOOL_WITHOUT_POLICY, &lints::UNKNOWN_TOOL, &lints::WEAKENED]
        .iter()
        .any(|other| other.kind == lint.kind)
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        policy: &'a CompiledPolicy,
        manifest: &'a Manifest,
        assertions: &'a Assertions,
        unreadable: &'a [Located<String>],
        surroundings: &Surroundings<'a>,
    ) -> Self {
        let registry = surroundings.registry;
        let tools = registry.tools().iter();
        Self {
            policy,
            manifest,
            assertions,
            unreadable,
            registry,
            snapshot: surroundings.snapshot,
            now: surroundings.now,
            needed: policy.needed_scopes(),
            optional: tools.clone().flat_map(|tool| tool.optional().iter().copied()).collect(),
            declared: tools.map(|tool| (tool.name(), tool)).collect(),
        }
    }

    /// The annotated tool of this name.
    pub(crate) fn declared(&self, name: &str) -> Option<&'static DeclaredTool> {
        self.declared.get(name).copied()
    }

    /// Every annotated tool that has a rule, with its rule and how that is written.
    pub(crate) fn ruled_tools(
        &self,
    ) -> impl Iterator<Item = (&'static DeclaredTool, &'a Rule, &'a ToolEntry)> {
        self.manifest.tools.iter().filter_map(|entry| {
            let name = entry.name.value.as_str();
            Some((self.declared(name)?, self.policy.rule(name)?, entry))
        })
    }

    /// Every rule and how it is written.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&'a Rule, &'a ToolEntry)> {
        let tools = self.manifest.tools.iter();
        tools.filter_map(|entry| Some((self.policy.rule(&entry.name.value)?, entry)))
    }

    /// The scopes that `[scopes]` defines and nobody uses; of these the registered ones, or the
    /// others.
    pub(crate) fn unused_scopes(&self, registered: bool) -> impl Iterator<Item = &'a ScopeEntry> {
        self.manifest.scopes.iter().filter(move |entry| {
            self.policy.is_registered(&entry.name.value) == registered && !self.is_used(entry)
        })
    }

    /// Whether somebody uses a scope: a rule, or a tool by itself.
    fn is_used(&self, entry: &ScopeEntry) -> bool {
        let name = entry.name.value.as_str();
        let scope = self.policy.scope_id(name).map(|id| self.policy.scope(id));
        self.optional.contains(name) || scope.is_some_and(|scope| scope.gives_any(&self.needed))
    }
}

impl Behaviour {
    /// Whether a tool is one of these.
    pub(crate) fn includes(self, tool: &DeclaredTool) -> bool {
        match self {
            Self::All => true,
            Self::Destructive => tool.is_destructive(),
            Self::Changing => !tool.is_read_only(),
            Self::ReadOnly => tool.is_read_only(),
        }
    }
}
