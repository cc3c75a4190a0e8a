//! The compiled policy: what decisions read, and the questions about a policy other than decisions.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use super::{
    AuditMode, Feature, KnownClient, ListMode, Object, OnDenied, Provider, ProviderSettings,
    Requirement, Revision, Rule, Rules, Scope, ScopeId, ScopeInfo, ScopeSet, StartupCheck,
    UriIndex,
    claims::Claims,
    diagnostic::{Source, Suggestions},
    origin::Origin,
    url::ResourceUrl,
    vocabulary::Vocabulary,
};

/// A policy that has no mistakes and can decide. Only [`compile`](Self::compile) makes one.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Feature, Scope, diagnostic::Source};
///
/// let text = r#"
/// version = 1
/// [server]
/// url = "http://localhost:3002/mcp"
/// [scopes]
/// "note:read" = "See your notes"
/// "note:write" = { title = "Change your notes", implies = ["note:read"] }
/// "note:share" = { title = "Share your notes", step_up = true }
/// [tools]
/// list_notes = { read = "note" }
/// [tools.save_note]
/// write = "note"
/// [[tools.save_note.when]]
/// if = "args.public"
/// all_of = ["note:share"]
/// "#;
/// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
///
/// // The server that it protects, and whose tokens it takes.
/// assert_eq!(policy.resource().as_str(), "http://localhost:3002/mcp");
/// assert_eq!(policy.provider().as_str(), "embedded");
/// assert!(policy.provider_settings().issuer().is_none() && policy.also().is_empty());
/// assert!(policy.clients().is_empty());
/// let settings = (policy.list_mode(), policy.on_denied(), policy.audit_mode());
/// assert_eq!(settings, Default::default());
/// assert_eq!(policy.startup_check().as_str(), "enforce");
///
/// // Its vocabulary: clients ask for the scopes of the first sign-in, and by their full names.
/// let first: Vec<_> = policy.sign_in_scopes().map(|scope| policy.asked_as(scope)).collect();
/// assert_eq!(first, ["note:read", "note:write"]);
/// let share = policy.scope_named("note:share").ok_or("no scope")?;
/// assert!(policy.is_registered(share.name()) && share.is_step_up());
/// assert_eq!(policy.registered_scopes().count(), policy.scopes().len());
/// assert!(policy.registered_at().is_none(), "`registered` is not written");
///
/// // Its rules, and what a caller with these scopes holds.
/// let held = policy.hold(["note:write"]);
/// assert!(policy.is_held("note:read", &held));
/// assert!(policy.names_some(Feature::Tool) && policy.has_conditions());
/// let rule = policy.rule(Feature::Tool, "save_note").ok_or("no rule")?;
/// assert_eq!(policy.place(rule), "policy.toml:11:8");
/// assert_eq!(policy.needs(rule), "note:write");
/// let mut conditional = policy.conditional_needs(rule);
/// let first = conditional.next().ok_or("no condition")?;
/// assert_eq!(first.condition, "args.public");
/// assert_eq!(policy.rules().count(), 2);
///
/// // A digest of its text stands in each audit record.
/// assert_eq!(policy.revision().as_str().len(), 12);
/// assert_eq!(policy.source().path(), "policy.toml");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CompiledPolicy {
    pub(super) settings: Settings,
    pub(super) revision: Revision,
    pub(super) scopes: Vec<ScopeInfo>,
    pub(super) ids: HashMap<Scope, ScopeId>,
    pub(super) registered: ScopeSet,
    /// The scopes that all registered scopes together give. INVARIANT: agrees with `registered`,
    /// because [`set_registered`](Self::set_registered) sets both.
    pub(super) reachable: ScopeSet,
    pub(super) registered_at: Option<Range<usize>>,
    pub(super) snapshot_days: u32,
    pub(super) rules: Rules,
    pub(super) uris: UriIndex,
    /// Whether at least one rule depends on arguments or claims.
    pub(super) has_conditions: bool,
    pub(super) admits_anonymous: bool,
    pub(super) clients: Vec<KnownClient>,
    /// Where a missing rule would be added in the source, by feature.
    pub(super) tables_at: [Range<usize>; 3],
    /// The claims that conditions may use; `None` if the policy does not list them.
    pub(super) claims: Option<Claims>,
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
    /// Sorted.
    pub(super) origins: Vec<Origin>,
}

/// The further scopes that a rule needs under one condition, as text for a person.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, ConditionalNeed, Feature};
///
/// /// The conditions of a tool as a list for people.
/// fn conditions(policy: &CompiledPolicy, tool: &str) -> Vec<String> {
///     let Some(rule) = policy.rule(Feature::Tool, tool) else { return vec![] };
///     let line = |one: ConditionalNeed<'_>| format!("when {}: also {}", one.condition, one.needs);
///     policy.conditional_needs(rule).map(line).collect()
/// }
/// ```
#[derive(Debug)]
pub struct ConditionalNeed<'p> {
    /// The condition as the policy writes it.
    pub condition: &'p str,
    /// The scopes that a call needs when the condition is met.
    pub needs: String,
    /// Where the condition stands in the source.
    pub span: Range<usize>,
}

impl CompiledPolicy {
    /// The URL of the protected resource (RFC 9728): the server that this policy is for.
    pub fn resource(&self) -> &ResourceUrl {
        &self.settings.url
    }

    /// The same policy for a server at another URL, because the environment says where a server is
    /// deployed (`MCP_URL`, `PORT`).
    #[must_use]
    pub fn at(mut self, url: ResourceUrl) -> Self {
        self.settings.url = url;
        self
    }

    /// The provider where callers sign in.
    pub fn provider(&self) -> Provider {
        self.settings.trust.provider
    }

    /// The settings of the provider where callers sign in.
    pub fn provider_settings(&self) -> &ProviderSettings {
        &self.settings.trust
    }

    /// Further providers whose tokens are accepted, as during a migration between providers.
    pub fn also(&self) -> &[ProviderSettings] {
        &self.settings.also
    }

    /// The scope as clients ask the provider for it: with the provider's prefix, if it has one.
    pub fn asked_as<'a>(&self, scope: &'a Scope) -> Cow<'a, str> {
        match self.settings.trust.scope_prefix() {
            Some(prefix) => Cow::Owned(format!("{prefix}{scope}")),
            None => Cow::Borrowed(scope.as_str()),
        }
    }

    /// Which tools, resources and prompts the lists show.
    pub fn list_mode(&self) -> ListMode {
        self.settings.list
    }

    /// How a refused call is answered.
    pub fn on_denied(&self) -> OnDenied {
        self.settings.on_denied
    }

    /// Whether a call may run before its audit record was written.
    pub fn audit_mode(&self) -> AuditMode {
        self.settings.audit
    }

    /// Whether the startup check stops the start at an error.
    pub fn startup_check(&self) -> StartupCheck {
        self.settings.check
    }

    /// Whether the policy lists this origin, as a browser sends it (RFC 6454), among those whose pages
    /// may use the server.
    ///
    /// ```
    /// # use scopeward_policy::{CompiledPolicy, diagnostic::Source};
    /// let text = r#"
    ///     version = 1
    ///     [server]
    ///     url = "https://mcp.example.com/mcp"
    ///     origins = ["https://claude.ai"]
    /// "#;
    /// let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
    /// assert!(policy.allows_origin("https://claude.ai"));
    /// assert!(!policy.allows_origin("https://claude.ai.example.com"));
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.settings.origins.binary_search_by(|allowed| allowed.as_str().cmp(origin)).is_ok()
    }

    /// The origins of pages that may use the server, beside its own, in order.
    pub(crate) fn origins(&self) -> &[Origin] {
        &self.settings.origins
    }

    /// The claims that `[claims]` lists, by which conditions are checked; `None` without that table.
    pub(crate) fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// The digest of the text that this policy was compiled from.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The text that this policy was compiled from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The place of a rule in the source: `path:line:column`.
    pub fn place<'p>(&self, rule: &'p Rule) -> &'p str {
        rule.place.get_or_init(|| self.source.place(rule.span.start).into())
    }

    /// The scopes that `[scopes]` defines, in the order of the file.
    pub fn scopes(&self) -> &[ScopeInfo] {
        &self.scopes
    }

    /// The scopes to ask for at first sign-in: the registered ones that are not marked `step_up`.
    pub fn sign_in_scopes(&self) -> impl Iterator<Item = &Scope> {
        let asked = self.registered_scopes().filter(|scope| !scope.step_up);
        asked.map(|scope| &scope.name)
    }

    /// The scopes that are registered for this server: those of the snapshot or of `registered`, or
    /// without both all of `[scopes]`.
    pub fn registered_scopes(&self) -> impl Iterator<Item = &ScopeInfo> {
        (0..)
            .zip(&self.scopes)
            .filter(|(id, _)| self.registered.contains(ScopeId(*id)))
            .map(|(_, scope)| scope)
    }

    /// The other scopes that a scope implies, directly or through others.
    pub fn implied_by<'a>(&'a self, scope: &'a ScopeInfo) -> impl Iterator<Item = &'a ScopeInfo> {
        let given = (0..).zip(&self.scopes).filter(|(id, _)| scope.closure.contains(ScopeId(*id)));
        given.map(|(_, other)| other).filter(|other| other.name != scope.name)
    }

    /// The same policy with these registered scopes. Scopes that `[scopes]` does not define are
    /// ignored, because no rule can ask for them.
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, Feature, ResourceUrl, diagnostic::Source};
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
    /// // Served elsewhere, where the provider has registered one scope only.
    /// let policy = policy.at(ResourceUrl::parse("https://notes.example.com/mcp")?);
    /// let policy = policy.with_registered(["note:read"]);
    /// let rule = |tool| policy.rule(Feature::Tool, tool).ok_or("no rule");
    /// assert!(policy.is_reachable(rule("list_notes")?) && !policy.is_reachable(rule("save_note")?));
    /// let write = policy.scope_named("note:write").ok_or("no scope")?;
    /// assert!(policy.implied_by(write).any(|scope| scope.name().as_str() == "note:read"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Whether a scope is registered for this server.
    pub fn is_registered(&self, scope: &Scope) -> bool {
        self.scope_id(scope.as_str()).is_some_and(|id| self.registered.contains(id))
    }

    /// The number of days after which a snapshot of the registered scopes counts as old.
    pub(crate) fn snapshot_days(&self) -> u32 {
        self.snapshot_days
    }

    pub(super) fn vocabulary<'v>(&'v self, suggestions: &'v Suggestions) -> Vocabulary<'v> {
        Vocabulary::new(&self.ids, self.source.text(), suggestions)
    }

    /// The place of `registered` in the source, if it is written and in use.
    pub fn registered_at(&self) -> Option<Range<usize>> {
        self.registered_at.clone()
    }

    /// Every rule with its feature and name, in the order of feature and name.
    pub fn rules(&self) -> impl Iterator<Item = (Feature, &str, &Rule)> {
        self.rules.iter().map(|(feature, rule)| (feature, rule.name(), rule))
    }

    /// Every tool with its rule, in the order of the names.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.of(Feature::Tool).iter().map(|rule| (rule.name(), rule))
    }

    /// The rule of one tool, resource or prompt. The name of a resource is a URI, or the URI template
    /// as the policy writes it.
    pub fn rule(&self, feature: Feature, name: &str) -> Option<&Rule> {
        match feature {
            Feature::Resource => self.find_resource(name).map(|(rule, _)| rule),
            _ => self.rule_of(feature, name),
        }
    }

    /// The rule that the policy writes under exactly this name.
    pub(super) fn rule_of(&self, feature: Feature, name: &str) -> Option<&Rule> {
        self.rules.get(feature, name)
    }

    /// The resources that have a rule, by their URIs.
    pub(crate) fn resources(&self) -> &UriIndex {
        &self.uris
    }

    /// The rule of the resource that a URI names, and the values of the URI's variables.
    pub(super) fn find_resource(&self, name: &str) -> Option<(&Rule, Option<Object>)> {
        let found = self.uris.find(name)?;
        let template = self.uris.template(found.number)?;
        // A template by its own text is not a call, so its variables have no values.
        let values = (template.as_str() != name || !template.is_template()).then_some(found.values);
        self.rule_of(Feature::Resource, template.as_str()).map(|rule| (rule, values))
    }

    /// The clients that are registered at the embedded issuer by `[[client]]`.
    pub fn clients(&self) -> &[KnownClient] {
        &self.clients
    }

    /// Whether the policy has a rule for at least one tool, resource or prompt of this feature.
    pub fn names_some(&self, feature: Feature) -> bool {
        !self.rules.of(feature).is_empty()
    }

    /// Whether at least one rule depends on arguments or claims. If none does, callers of
    /// [`decide`](Self::decide) need not collect them.
    pub fn has_conditions(&self) -> bool {
        self.has_conditions
    }

    /// Whether a rule lets in callers without a token (`anonymous = true`).
    ///
    /// ```
    /// use scopeward_policy::{CompiledPolicy, diagnostic::Source};
    ///
    /// let policy = |rule: &str| {
    ///     let text = format!(
    ///         "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[tools]\nlook = {{ {rule} = true }}\n"
    ///     );
    ///     CompiledPolicy::compile(Source::new("policy.toml", text))
    /// };
    /// assert!(policy("anonymous")?.admits_anonymous());
    /// assert!(!policy("authenticated")?.admits_anonymous());
    /// # Ok::<(), scopeward_policy::diagnostic::Diagnostics>(())
    /// ```
    pub fn admits_anonymous(&self) -> bool {
        self.admits_anonymous
    }

    /// Where a missing rule would be added in the source.
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

    /// The scopes that a rule needs, as text: `todo:write and admin:access, or todo:admin`.
    pub fn describe(&self, rule: &Rule) -> String {
        let mut text = self.describe_requirement(&rule.requirement);
        for when in &rule.when {
            let more = self.describe_requirement(&when.requirement);
            text.push_str(&format!("; when {}: {more}", when.condition.as_str()));
        }
        text
    }

    /// The scopes that a rule needs under no condition, as text for a person.
    pub fn needs(&self, rule: &Rule) -> String {
        self.describe_requirement(&rule.requirement)
    }

    /// The further scopes that a rule needs under each of its conditions.
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
            Requirement::Anonymous => "nothing: everybody, also without a token".to_owned(),
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
