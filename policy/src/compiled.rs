//! The compiled policy: what the hot path reads, and what is asked of it beside decisions.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use super::{
    AuditMode, Feature, KnownClient, ListMode, Object, OnDenied, Provider, ProviderSettings,
    Requirement, Revision, Rule, Rules, Scope, ScopeId, ScopeInfo, ScopeSet, StartupCheck,
    UriIndex, diagnostic::Source, url::ResourceUrl, vocabulary::Vocabulary,
};

/// A checked policy, ready to decide. It can only be made by [`compile`](Self::compile).
#[derive(Debug)]
pub struct CompiledPolicy {
    pub(super) settings: Settings,
    pub(super) revision: Revision,
    pub(super) scopes: Vec<ScopeInfo>,
    pub(super) ids: HashMap<Scope, ScopeId>,
    pub(super) registered: ScopeSet,
    /// What all registered scopes together give. Set with them, by
    /// [`set_registered`](Self::set_registered).
    pub(super) reachable: ScopeSet,
    pub(super) registered_at: Option<Range<usize>>,
    pub(super) snapshot_days: u32,
    pub(super) rules: Rules,
    pub(super) uris: UriIndex,
    /// Whether some rule depends on arguments or claims.
    pub(super) has_conditions: bool,
    pub(super) clients: Vec<KnownClient>,
    /// Where a missing rule would be added, by feature.
    pub(super) tables_at: [Range<usize>; 3],
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: ResourceUrl,
    pub(super) trust: ProviderSettings,
    pub(super) also: Vec<ProviderSettings>,
    pub(super) list: ListMode,
    pub(super) on_denied: OnDenied,
    pub(super) audit: AuditMode,
    pub(super) check: StartupCheck,
}

/// What a call needs besides its rule under one condition, for a person.
#[derive(Debug)]
pub struct ConditionalNeed<'p> {
    /// The condition, as the policy writes it.
    pub condition: &'p str,
    /// The scopes.
    pub needs: String,
    /// Where the condition stands in the source.
    pub span: Range<usize>,
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
    pub fn trust(&self) -> &ProviderSettings {
        &self.settings.trust
    }

    /// Further providers whose tokens are accepted, as during a migration.
    pub fn also(&self) -> &[ProviderSettings] {
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
    pub fn startup_check(&self) -> StartupCheck {
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
    pub fn with_registered<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut registered = ScopeSet::default();
        for id in scopes.into_iter().filter_map(|scope| self.scope_id(scope)) {
            registered.insert(id);
        }
        self.set_registered(registered);
        self.registered_at = None;
        self
    }

    pub(super) fn set_registered(&mut self, registered: ScopeSet) {
        self.registered = registered;
        self.reachable = self.hold(self.registered_scopes().map(|scope| scope.name.as_str()));
    }

    /// Whether a scope is a registered one.
    pub fn is_registered(&self, scope: &Scope) -> bool {
        self.scope_id(scope.as_str()).is_some_and(|id| self.registered.contains(id))
    }

    /// After how many days a snapshot of the registered scopes counts as old.
    pub(crate) fn snapshot_days(&self) -> u32 {
        self.snapshot_days
    }

    pub(super) fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary::new(&self.ids)
    }

    /// Where `registered` stands, if it is written.
    pub fn registered_at(&self) -> Option<Range<usize>> {
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
    pub(super) fn rule_of(&self, feature: Feature, name: &str) -> Option<&Rule> {
        self.rules.get(feature, name)
    }

    /// The rule of a resource, and the values of its URI's variables.
    pub(super) fn find_resource(&self, name: &str) -> Option<(&Rule, Option<Object>)> {
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
    pub fn names_some(&self, feature: Feature) -> bool {
        !self.rules.of(feature).is_empty()
    }

    /// Whether some rule depends on arguments or claims: collecting them is not for nothing.
    pub fn has_conditions(&self) -> bool {
        self.has_conditions
    }

    /// Where a missing rule would be added.
    pub(crate) fn table_at(&self, feature: Feature) -> Range<usize> {
        self.tables_at[feature.index()].clone()
    }

    /// The scope of this name, if `[scopes]` defines it.
    pub fn scope_named(&self, name: &str) -> Option<&ScopeInfo> {
        self.scope_id(name).map(|id| self.scope(id))
    }

    /// Whether a caller who holds `held` holds the scope of this name.
    pub fn is_held(&self, name: &str, held: &ScopeSet) -> bool {
        self.scope_id(name).is_some_and(|id| held.contains(id))
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

    /// What a rule needs whatever the arguments, for a person.
    pub fn needs(&self, rule: &Rule) -> String {
        self.describe_requirement(&rule.requirement)
    }

    /// What a rule needs besides, under each of its conditions.
    pub fn conditional_needs<'p>(
        &'p self,
        rule: &'p Rule,
    ) -> impl Iterator<Item = ConditionalNeed<'p>> {
        rule.when.iter().map(|when| ConditionalNeed {
            condition: when.condition.as_str(),
            needs: self.describe_requirement(&when.requirement),
            span: when.span.clone(),
        })
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
