//! `policy.toml`: from the text to the decision.
//!
//! [`CompiledPolicy::compile`] checks the text and reports everything that is wrong with it;
//! [`CompiledPolicy::hold`] turns granted scopes into the scopes that a caller holds;
//! [`CompiledPolicy::decide`] answers whether they suffice for an [`Operation`]. Nothing in here
//! knows HTTP, tokens or tools as code.

mod assertions;
mod client;
mod compile;
pub(crate) mod condition;
mod decision;
mod feature;
pub mod format;
mod manifest;
pub(crate) mod mistake;
#[cfg(test)]
pub(crate) mod model;
mod operation;
mod reach;
mod reader;
mod rules;
pub mod schema;
mod scope;
mod settings;
mod shape;
#[cfg(test)]
mod tests;
mod trust;
mod uri;
mod vocabulary;

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use condition::Condition;

pub(crate) use assertions::{Assertions, Case, Invariant};
pub use client::KnownClient;
pub(crate) use compile::Draft;
pub use decision::{Decision, Denial, ScopeSet};
pub(crate) use decision::{Requirement, ScopeId};
pub use feature::Feature;
pub(crate) use manifest::{Allow, Entry, Manifest, RuleEntry, ScopeEntry, Selection, written_url};
pub(crate) use operation::Object;
pub use operation::Operation;
pub(crate) use reader::{Located, Reader};
use rules::Rules;
pub(crate) use scope::AccessLevel;
pub use scope::{Scope, ScopeError};
pub use settings::{AuditMode, Check, ListMode, OnDenied, Provider};
pub(crate) use shape::{Behaviour, Level, SNAPSHOT};
pub use trust::Trust;
pub(crate) use uri::{Overlap, UriIndex};
pub use uri::{UriTemplate, UriTemplateError};

use crate::{
    diagnostic::Source,
    metrics::{Counts, metrics},
    resource::ResourceUrl,
};

/// A checked policy, ready to decide. It can only be made by [`compile`](Self::compile).
#[derive(Debug)]
pub struct CompiledPolicy {
    settings: Settings,
    revision: Revision,
    scopes: Vec<ScopeInfo>,
    ids: HashMap<Scope, ScopeId>,
    registered: ScopeSet,
    /// What all registered scopes together give. Set with them, by
    /// [`set_registered`](Self::set_registered).
    reachable: ScopeSet,
    registered_at: Option<Range<usize>>,
    snapshot_days: u32,
    rules: Rules,
    uris: UriIndex,
    /// Whether some rule depends on arguments or claims.
    has_conditions: bool,
    clients: Vec<KnownClient>,
    /// Where a missing rule would be added, by feature.
    tables_at: [Range<usize>; 3],
    source: Source,
}

#[derive(Debug)]
struct Settings {
    url: ResourceUrl,
    trust: Trust,
    also: Vec<Trust>,
    list: ListMode,
    on_denied: OnDenied,
    audit: AuditMode,
    check: Check,
}

/// One scope of the vocabulary.
#[derive(Debug)]
pub struct ScopeInfo {
    name: Scope,
    title: String,
    step_up: bool,
    /// The scope itself and all that it implies.
    closure: ScopeSet,
    span: Range<usize>,
}

impl ScopeInfo {
    /// The scope.
    pub fn name(&self) -> &Scope {
        &self.name
    }

    /// What it allows, as the consent page says it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether it is asked for only when a tool needs it, not at first sign-in.
    pub fn is_step_up(&self) -> bool {
        self.step_up
    }

    /// Whether the scope, or something that it implies, is among `needed`.
    pub(crate) fn gives_any(&self, needed: &ScopeSet) -> bool {
        self.closure.intersects(needed)
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// The rule of one tool, resource or prompt.
#[derive(Debug)]
pub struct Rule {
    /// As the policy writes it.
    name: Box<str>,
    pub(crate) requirement: Requirement,
    /// What is needed besides under some conditions.
    pub(crate) when: Vec<When>,
    relax: Option<String>,
    hidden: bool,
    span: Range<usize>,
    /// Where that is, for a person: found once.
    place: OnceLock<Box<str>>,
    /// Where its uses are counted: found once.
    counts: OnceLock<Arc<Counts>>,
}

/// What else a call needs under a condition on its arguments and its caller's claims.
#[derive(Debug)]
pub(crate) struct When {
    pub(crate) condition: Condition,
    pub(crate) requirement: Requirement,
    /// Where the condition stands.
    pub(crate) span: Range<usize>,
}

impl Rule {
    /// What it is about: a tool, a prompt, a URI or a URI template, as the policy writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the rule may ask for less than its author declared, if the operator said so.
    pub fn relax(&self) -> Option<&str> {
        self.relax.as_deref()
    }

    /// Where its uses are counted.
    pub(crate) fn counts(&self, feature: Feature) -> &Counts {
        self.counts.get_or_init(|| metrics().of(feature, &self.name))
    }

    /// Whether it is left out of the lists of those who may not use it.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether anything more is needed under some condition.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.when.is_empty()
    }

    /// Whether one of its conditions is about arguments.
    pub(crate) fn asks_for_arguments(&self) -> bool {
        self.when.iter().any(|when| when.condition.needs_arguments())
    }

    /// Where the rule stands in the source.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// A digest of the policy's text, so that a decision can be traced to the policy that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    pub(crate) fn of(text: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let mut start = [0; 8];
        start[2..].copy_from_slice(&digest.as_ref()[..6]);
        Self(format!("{:012x}", u64::from_be_bytes(start)))
    }
}

impl Revision {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CompiledPolicy {
    /// What the policy protects.
    pub fn resource(&self) -> &ResourceUrl {
        &self.settings.url
    }

    /// The same policy for the same resource under another URL: where it is deployed is a fact of
    /// the environment, not of the policy.
    #[must_use]
    pub fn at(mut self, url: ResourceUrl) -> Self {
        self.settings.url = url;
        self
    }

    /// Who issues the tokens: where callers sign in.
    pub fn provider(&self) -> Provider {
        self.settings.trust.provider
    }

    /// The provider where callers sign in.
    pub fn trust(&self) -> &Trust {
        &self.settings.trust
    }

    /// Further providers whose tokens are accepted, as during a migration.
    pub fn also(&self) -> &[Trust] {
        &self.settings.also
    }

    /// A scope as clients ask the provider for it.
    pub fn asked_as<'a>(&self, scope: &'a Scope) -> Cow<'a, str> {
        match self.settings.trust.scope_prefix() {
            Some(prefix) => Cow::Owned(format!("{prefix}{scope}")),
            None => Cow::Borrowed(scope.as_str()),
        }
    }

    /// What `tools/list` shows.
    pub fn list_mode(&self) -> ListMode {
        self.settings.list
    }

    /// How a refusal is said.
    pub fn on_denied(&self) -> OnDenied {
        self.settings.on_denied
    }

    /// Whether a call may run that leaves no record.
    pub fn audit_mode(&self) -> AuditMode {
        self.settings.audit
    }

    /// What the startup check does with an error.
    pub fn check_mode(&self) -> Check {
        self.settings.check
    }

    /// The digest of the text that this was compiled from.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The text that this was compiled from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where one of its rules stands: `path:line:column`.
    pub fn place<'p>(&self, rule: &'p Rule) -> &'p str {
        rule.place.get_or_init(|| self.source.place(rule.span.start).into())
    }

    /// The vocabulary, in the order of the file.
    pub fn scopes(&self) -> &[ScopeInfo] {
        &self.scopes
    }

    /// What to ask for at first sign-in: every scope that is not marked `step_up`.
    pub fn sign_in_scopes(&self) -> impl Iterator<Item = &Scope> {
        let asked = self.registered_scopes().filter(|scope| !scope.step_up);
        asked.map(|scope| &scope.name)
    }

    /// The scopes that the embedded issuer registers for this resource: `registered`, or without
    /// it the whole vocabulary.
    pub fn registered_scopes(&self) -> impl Iterator<Item = &ScopeInfo> {
        (0..)
            .zip(&self.scopes)
            .filter(|(id, _)| self.registered.contains(ScopeId(*id)))
            .map(|(_, scope)| scope)
    }

    /// The other scopes that a scope gives, directly or through others.
    pub fn implied_by<'a>(&'a self, scope: &'a ScopeInfo) -> impl Iterator<Item = &'a ScopeInfo> {
        let given = (0..).zip(&self.scopes).filter(|(id, _)| scope.closure.contains(ScopeId(*id)));
        given.map(|(_, other)| other).filter(|other| other.name != scope.name)
    }

    /// The same policy, with these scopes as the registered ones; those that the policy does not
    /// know are nobody's.
    #[must_use]
    pub(crate) fn with_registered<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut registered = ScopeSet::default();
        for id in scopes.into_iter().filter_map(|scope| self.scope_id(scope)) {
            registered.insert(id);
        }
        self.set_registered(registered);
        self.registered_at = None;
        self
    }

    fn set_registered(&mut self, registered: ScopeSet) {
        self.registered = registered;
        self.reachable = self.hold(self.registered_scopes().map(|scope| scope.name.as_str()));
    }

    /// Whether a scope is a registered one.
    pub(crate) fn is_registered(&self, scope: &Scope) -> bool {
        self.scope_id(scope.as_str()).is_some_and(|id| self.registered.contains(id))
    }

    /// After how many days a snapshot of the registered scopes counts as old.
    pub(crate) fn snapshot_days(&self) -> u32 {
        self.snapshot_days
    }

    fn vocabulary(&self) -> vocabulary::Vocabulary<'_> {
        vocabulary::Vocabulary::new(&self.ids)
    }

    /// Where `registered` stands, if it is written.
    pub(crate) fn registered_at(&self) -> Option<Range<usize>> {
        self.registered_at.clone()
    }

    /// Everything that the policy names and its rule, by feature and name.
    pub fn rules(&self) -> impl Iterator<Item = (Feature, &str, &Rule)> {
        self.rules.iter().map(|(feature, rule)| (feature, rule.name(), rule))
    }

    /// Every tool that the policy names and its rule, by name.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.of(Feature::Tool).iter().map(|rule| (rule.name(), rule))
    }

    /// The rule of one tool, resource or prompt; of a resource by a URI, or by the URI template as
    /// the policy writes it.
    pub fn rule(&self, feature: Feature, name: &str) -> Option<&Rule> {
        match feature {
            Feature::Resource => self.find_resource(name).map(|(rule, _)| rule),
            _ => self.rule_of(feature, name),
        }
    }

    /// The rule under this very name.
    fn rule_of(&self, feature: Feature, name: &str) -> Option<&Rule> {
        self.rules.get(feature, name)
    }

    /// The rule of a resource, and the values of its URI's variables.
    fn find_resource(&self, name: &str) -> Option<(&Rule, Option<Object>)> {
        let (number, values) = self.uris.find(name)?;
        let template = self.uris.template(number)?;
        // The template itself is not a call: its variables have no values.
        let values = (template.as_str() != name || !template.is_template()).then_some(values);
        self.rule_of(Feature::Resource, template.as_str()).map(|rule| (rule, values))
    }

    /// The clients that the embedded issuer knows beforehand.
    pub fn clients(&self) -> &[KnownClient] {
        &self.clients
    }

    /// Whether the policy names anything of this feature.
    pub(crate) fn names_some(&self, feature: Feature) -> bool {
        !self.rules.of(feature).is_empty()
    }

    /// Whether some rule depends on arguments or claims: collecting them is not for nothing.
    pub(crate) fn has_conditions(&self) -> bool {
        self.has_conditions
    }

    /// Where a missing rule would be added.
    pub(crate) fn table_at(&self, feature: Feature) -> Range<usize> {
        self.tables_at[feature.index()].clone()
    }

    pub(crate) fn scope_id(&self, scope: &str) -> Option<ScopeId> {
        self.ids.get(scope).copied()
    }

    pub(crate) fn scope(&self, ScopeId(id): ScopeId) -> &ScopeInfo {
        &self.scopes[id as usize]
    }

    /// What a rule needs, for a person: `todo:write and admin:access, or todo:admin`.
    pub fn describe(&self, rule: &Rule) -> String {
        let mut text = self.describe_requirement(&rule.requirement);
        for when in &rule.when {
            let more = self.describe_requirement(&when.requirement);
            text.push_str(&format!("; when {}: {more}", when.condition.as_str()));
        }
        text
    }

    pub(crate) fn describe_requirement(&self, requirement: &Requirement) -> String {
        match requirement {
            Requirement::Authenticated => "any authenticated caller".to_owned(),
            Requirement::AnyOf(alternatives) => {
                let one = |all: &[ScopeId]| {
                    let names = all.iter().map(|id| self.scope(*id).name.as_str());
                    names.collect::<Vec<_>>().join(" and ")
                };
                alternatives.iter().map(|all| one(all)).collect::<Vec<_>>().join(", or ")
            }
        }
    }
}
