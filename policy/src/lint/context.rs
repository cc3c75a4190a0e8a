//! [`LintContext`]: the compiled policy, its text, the declarations and the registered scopes, as
//! lints read them.

use std::{
    cell::{OnceCell, RefCell},
    collections::{HashMap, HashSet},
    ops::Range,
    time::SystemTime,
};

use super::{Deployed, Lint, LintInputs, finding};
use crate::{
    Snapshot,
    served::ProviderFault,
    {
        Assertions, Behaviour, CompiledPolicy, Declaration, DeclarationIndex, Entry, Feature,
        Located, Manifest, Registry, Requirement, Rule, RuleEntry, Scope, ScopeEntry, ScopeId,
        ScopeSet, When,
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
    pub(crate) deployed: &'a Deployed<'a>,
    /// The scopes that at least one rule needs.
    pub(crate) needed: ScopeSet,
    /// The scopes that a declaration names, also as `optional`. They are used whatever the rules say,
    /// because `[scopes]` has to define them.
    pub(crate) named_by_authors: HashSet<&'static str>,
    pub(crate) declared: DeclarationIndex,
    pub(crate) suggestions: Suggestions,
    /// The steps that the proofs of this run may take.
    pub(crate) effort: Effort,
    /// The rules for something that is not declared; computed once, because several lints ask.
    pub(super) unknown_rules: OnceCell<Vec<UnknownRule<'a>>>,
    /// The defined scope that each declared one was most likely meant to be; remembered, because
    /// several lints ask and have to get the same answer.
    pub(super) meant_scopes: RefCell<HashMap<String, Option<&'a str>>>,
    /// How many lists of rules name each scope.
    pub(super) lists_by_scope: OnceCell<HashMap<ScopeId, usize>>,
    /// The scopes that a rule of the file names, defined or not.
    pub(super) written_scopes: OnceCell<HashSet<&'a str>>,
}

impl<'a> LintContext<'a> {
    pub(super) fn new(
        policy: &'a CompiledPolicy,
        manifest: &'a Manifest,
        assertions: &'a Assertions,
        unreadable: &'a [(Feature, Located<String>)],
        (inputs, deployed): (&LintInputs<'a>, &'a Deployed<'a>),
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
            deployed,
            needed: policy.needed_scopes(),
            named_by_authors: all
                .flat_map(|one| one.scopes().iter().chain(one.optional()).copied())
                .collect(),
            declared: DeclarationIndex::new(registry),
            suggestions: Suggestions::default(),
            effort: Effort::new(Effort::PROOFS),
            unknown_rules: OnceCell::new(),
            meant_scopes: RefCell::default(),
            lists_by_scope: OnceCell::new(),
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

    /// A finding about the providers. It says which URL was judged, if that is not the policy's.
    pub(crate) fn provider_finding(&self, lint: &Lint, fault: &ProviderFault) -> Diagnostic {
        let found = finding(lint, self.manifest.server.span(), fault.message()).help(fault.help());
        let judged = self.policy.resource();
        let written = self.manifest.server.url.as_ref().map(|url| &*url.value);
        let is_other = written.is_some_and(|written| !judged.matches(written));
        if is_other && fault.message().contains(judged.as_str()) {
            return found.note(format!(
                "{judged} is the URL of this deployment, which takes the place of the policy's `url`"
            ));
        }
        found
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

    /// The further step where these scopes are put to use: those that are not registered would be out
    /// of everybody's reach.
    pub(crate) fn registration<'s>(
        &self,
        scopes: impl IntoIterator<Item = &'s str>,
    ) -> Option<String> {
        registration(self.manifest, self.snapshot, scopes)
    }

    /// Whether something needs the scope besides one list of a rule.
    pub(crate) fn is_needed_beside_one(&self, scope: &Scope) -> bool {
        let Some(id) = self.policy.scope_id(scope.as_str()) else { return true };
        let counts = self.lists_by_scope.get_or_init(|| {
            let mut counts: HashMap<ScopeId, usize> = HashMap::new();
            let requirements = self.policy.rules().filter_map(|(feature, name, _)| {
                let rule = self.policy.rule(feature, name)?;
                let conditional = rule.when.iter().map(|when| &when.requirement);
                Some(std::iter::once(&rule.requirement).chain(conditional))
            });
            for all in requirements.flatten().flat_map(Requirement::alternatives) {
                for id in all {
                    *counts.entry(*id).or_default() += 1;
                }
            }
            counts
        });
        if counts.get(&id).is_some_and(|count| *count > 1)
            || self.named_by_authors.contains(scope.as_str())
        {
            return true;
        }
        let mut needed = self.needed.clone();
        needed.remove(id);
        self.policy.scope(id).gives_any(&needed)
    }

    /// The steps that remove a scope which no rule needs: the other places that name it would be mistakes
    /// then.
    pub(crate) fn removal(&self, scope: &Scope) -> String {
        let names = |scopes: &[Located<Scope>]| scopes.iter().any(|one| one.value == *scope);
        let manifest = self.manifest;
        let mut places = vec![];
        if manifest.server.registered.as_ref().is_some_and(|all| names(&all.value)) {
            places.push("`registered`".to_owned());
        }
        let implying = manifest.scopes.iter().filter(|entry| names(&entry.implies));
        places.extend(implying.map(|entry| format!("what `{}` implies", entry.name.value)));
        let clients = manifest.clients.iter().filter(|client| names(&client.scopes));
        places.extend(clients.map(|client| format!("the client `{}`", client.id.value)));
        if manifest.cases.iter().any(|case| names(&case.scopes.value)) {
            places.push("the tests".to_owned());
        }
        let is_in = |snapshot: &Snapshot| snapshot.scopes().any(|one| one == scope.as_str());
        if self.snapshot.is_some_and(is_in) {
            places.push("the registration at the provider".to_owned());
        }
        if places.is_empty() {
            "remove it".to_owned()
        } else {
            format!("take it out of `[scopes]`, and of {}", places.join(", "))
        }
    }

    /// Whether a rule needs the scope, or a scope that it implies, or a declaration names it.
    fn is_used(&self, entry: &ScopeEntry) -> bool {
        let name = entry.name.value.as_str();
        let scope = self.policy.scope_id(name).map(|id| self.policy.scope(id));
        self.named_by_authors.contains(name)
            || scope.is_some_and(|scope| scope.gives_any(&self.needed))
    }
}

/// As [`LintContext::registration`], for a file that may have mistakes.
pub(super) fn registration<'s>(
    manifest: &Manifest,
    snapshot: Option<&Snapshot>,
    scopes: impl IntoIterator<Item = &'s str>,
) -> Option<String> {
    let written = manifest.server.registered.as_ref();
    let listed: HashSet<&str> = match (snapshot, written) {
        (Some(snapshot), _) => snapshot.scopes().collect(),
        (None, Some(written)) => written.value.iter().map(|scope| scope.value.as_str()).collect(),
        (None, None) => return None,
    };
    let missing: Vec<&str> = scopes.into_iter().filter(|scope| !listed.contains(scope)).collect();
    let where_to = match snapshot {
        Some(_) => "register it at the authorization server and run `resource pull`",
        None => "register it at the authorization server and add it to `registered`",
    };
    (!missing.is_empty()).then(|| format!("{where_to}: {}", missing.join(", ")))
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
