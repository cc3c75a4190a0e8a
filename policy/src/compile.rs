//! Compiles a manifest into the policy that decides: scopes become bits, `implies` becomes closures.

use std::{collections::HashMap, ops::Range, sync::OnceLock};

use super::{
    CompiledPolicy, Feature, KnownClient, Revision, Rule, Rules, ScopeInfo, UriIndex, UriOverlap,
    UriTemplate, When,
    assertions::Assertions,
    compiled::Settings,
    condition::{self, Condition},
    manifest::{self, Entry, Manifest, ScopeEntry},
    mistake,
    reader::Located,
    scope::Scope,
    scope_set::{ScopeId, ScopeSet},
    syntax::{self, Repaired},
    undefined::merge_undefined,
    vocabulary::Vocabulary,
};
use crate::{
    ResourceUrl,
    diagnostic::{Diagnostic, Diagnostics, Source, nearest},
};

/// After this many days a snapshot of the registered scopes counts as old, unless the policy sets
/// `snapshot_days`. A quarter of a year, because registrations change seldom.
pub(crate) const DEFAULT_SNAPSHOT_DAYS: u32 = 90;

impl CompiledPolicy {
    /// Compiles a policy, or reports all of its mistakes at once.
    pub fn compile(source: Source) -> Result<Self, Diagnostics> {
        let DraftPolicy { policy, errors, repaired, .. } = DraftPolicy::new(&source);
        let errors = repaired.restore(errors);
        match policy {
            Some(policy) if errors.is_empty() => Ok(policy),
            _ => Err(Diagnostics::new(source, errors)),
        }
    }
}

/// A policy that may have mistakes. The rules that could be read are compiled all the same, so that
/// one run of the lint reports the mistakes of the file together with its disagreements with the
/// declared scopes. A draft with `errors` never decides anything.
pub(crate) struct DraftPolicy {
    /// `None` if not even a draft could be made.
    pub(crate) policy: Option<CompiledPolicy>,
    /// The file as written, for findings about its text.
    pub(crate) manifest: Manifest,
    pub(crate) assertions: Assertions,
    /// The tools, resources and prompts whose rules have mistakes.
    pub(crate) unreadable: Vec<(Feature, Located<String>)>,
    /// The mistakes, at their places in the text that was read.
    pub(crate) errors: Vec<Diagnostic>,
    /// The mistakes of syntax, and how the text that was read differs from the written one.
    pub(crate) repaired: Repaired,
}

impl DraftPolicy {
    pub(crate) fn new(source: &Source) -> Self {
        let mut errors = vec![];
        let (source, repaired) = syntax::repair(source);
        let manifest = manifest::read(&source, &mut errors);
        let policy = Compiler::new(&manifest, &source, &mut errors).compile(&source, &manifest);
        let Some(policy) = policy else {
            let assertions = Assertions::default();
            return Self {
                policy: None,
                manifest,
                assertions,
                unreadable: vec![],
                errors,
                repaired,
            };
        };
        let vocabulary = policy.vocabulary();
        let assertions =
            Assertions::compile(&manifest.cases, &manifest.invariants, vocabulary, &mut errors);
        // A scope whose definition has a mistake is reported there.
        let is_misplaced = |scope: &str| {
            manifest.misplaced.iter().any(|(table, name)| *table == "scopes" && name == scope)
                || manifest.misspelt_tables.contains(&"scopes")
                || nearest(scope, manifest.invalid_scopes.iter().map(String::as_str)).is_some()
        };
        let errors = merge_undefined(errors, is_misplaced);
        let unreadable = manifest.rules.iter();
        let unreadable =
            unreadable.filter(|entry| policy.rules.get(entry.feature, &entry.name.value).is_none());
        let unreadable = unreadable.map(|entry| (entry.feature, entry.name.clone())).collect();
        Self { policy: Some(policy), manifest, assertions, unreadable, errors, repaired }
    }
}

struct Compiler<'m, 'e> {
    ids: HashMap<Scope, ScopeId>,
    entries: &'m [ScopeEntry],
    errors: &'e mut Vec<Diagnostic>,
    /// The text of the file.
    text: &'m str,
}

impl<'m, 'e> Compiler<'m, 'e> {
    fn new(manifest: &'m Manifest, source: &'m Source, errors: &'e mut Vec<Diagnostic>) -> Self {
        let ids = (0..)
            .zip(&manifest.scopes)
            .map(|(id, entry)| (entry.name.value.clone(), ScopeId(id)))
            .collect();
        Self { ids, entries: &manifest.scopes, errors, text: source.text() }
    }

    fn compile(mut self, source: &Source, manifest: &Manifest) -> Option<CompiledPolicy> {
        // A placeholder, because lints need a whole policy. The missing URL is an error by now, so
        // this draft decides nothing.
        let url =
            self.resource_url(manifest).or_else(|| ResourceUrl::parse("http://localhost").ok());
        let implied: Vec<Vec<ScopeId>> =
            self.entries.iter().map(|entry| self.ids(&entry.implies)).collect();
        self.report_cycles(&implied);
        self.check_issuers(manifest);
        let scopes = self.scopes(&implied);
        let registered = match &manifest.server.registered {
            Some(list) => self.ids(&list.value),
            None => self.ids.values().copied().collect(),
        };
        let mut registered_scopes = ScopeSet::default();
        for id in registered {
            registered_scopes.insert(id);
        }
        let uris = self.uris(manifest);
        let clients = self.clients(manifest);
        let rules = self.rules(manifest);

        let has_conditions = rules.iter().any(|(_, rule)| !rule.when.is_empty());
        let server = &manifest.server;
        let mut policy = CompiledPolicy {
            settings: Settings {
                url: url?,
                trust: server.trust.clone(),
                also: server.also.clone(),
                list: server.list,
                on_denied: server.on_denied,
                audit: server.audit,
                check: server.check,
            },
            revision: Revision::of(source.text()),
            scopes,
            ids: self.ids,
            registered: ScopeSet::default(),
            reachable: ScopeSet::default(),
            registered_at: server.registered.as_ref().map(|list| list.span.clone()),
            snapshot_days: server.snapshot_days.unwrap_or(DEFAULT_SNAPSHOT_DAYS),
            has_conditions,
            rules,
            uris,
            clients,
            tables_at: manifest.tables_at.clone(),
            claims: manifest.claims.clone(),
            source: source.clone(),
        };
        policy.set_registered(registered_scopes);
        Some(policy)
    }

    /// Reports each issuer that is not a URL, because no keys could be fetched from it.
    fn check_issuers(&mut self, manifest: &Manifest) {
        for issuer in &manifest.server.issuers {
            // RFC 8414, section 2, has the same rules for an issuer as RFC 8707 for a resource.
            if let Err(error) = ResourceUrl::parse(&issuer.value) {
                let (at, message) = (issuer.span.clone(), error.to_string());
                self.errors.push(Diagnostic::new(mistake::INVALID_URL, at, message));
            }
        }
    }

    fn resource_url(&mut self, manifest: &Manifest) -> Option<ResourceUrl> {
        let Some(url) = &manifest.server.url else {
            // A `url` of another type, or a misspelt one, is reported already.
            if manifest.server.has_unread_url {
                return None;
            }
            let header = manifest.server.header.as_ref();
            let at = header.map_or(0..0, |header| header.span.clone());
            let message = "the policy does not say what it protects";
            self.errors.push(Diagnostic::new(mistake::MISSING_URL, at, message).help(
                match &manifest.server.header {
                    None => "add `[server]` with `url = \"http://localhost:3002/mcp\"`".to_owned(),
                    Some(header) => {
                        format!("add `url = \"http://localhost:3002/mcp\"` to `[{}]`", header.value)
                    }
                },
            ));
            return None;
        };
        match ResourceUrl::parse(&url.value) {
            Ok(url) => Some(url),
            Err(error) => {
                self.errors.push(
                    Diagnostic::new(mistake::INVALID_URL, url.span.clone(), error.to_string())
                        .help("write the URL that clients use: `https://mcp.example.com/mcp`"),
                );
                None
            }
        }
    }

    fn ids(&mut self, scopes: &[Located<Scope>]) -> Vec<ScopeId> {
        Vocabulary::new(&self.ids, self.text).ids(scopes, self.errors)
    }

    /// Reports each cycle of `implies` once, at the entry that closes the cycle.
    fn report_cycles(&mut self, implied: &[Vec<ScopeId>]) {
        const NEW: u8 = 0;
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let mut state = vec![NEW; implied.len()];
        for start in 0..implied.len() {
            if state[start] != NEW {
                continue;
            }
            // Depth first without recursion, because a long chain would exhaust the stack.
            state[start] = OPEN;
            let mut path = vec![(start, 0)];
            while let Some((scope, next)) = path.last_mut() {
                let Some(ScopeId(child)) = implied[*scope].get(*next).copied() else {
                    state[*scope] = DONE;
                    path.pop();
                    continue;
                };
                *next += 1;
                let child = child as usize;
                match state[child] {
                    NEW => {
                        state[child] = OPEN;
                        path.push((child, 0));
                    }
                    OPEN => {
                        let from = path.iter().position(|(scope, _)| *scope == child).unwrap_or(0);
                        let cycle: Vec<usize> = path[from..].iter().map(|(s, _)| *s).collect();
                        self.report_cycle(&cycle);
                    }
                    _ => {}
                }
            }
        }
    }

    fn report_cycle(&mut self, cycle: &[usize]) {
        let names: Vec<&str> =
            cycle.iter().map(|scope| self.entries[*scope].name.value.as_str()).collect();
        let (Some(first), Some(last)) = (names.first(), cycle.last()) else {
            return;
        };
        let span = self.implies_span(*last, first);
        let mut error = Diagnostic::new(
            mistake::IMPLIES_CYCLE,
            span,
            format!("`implies` runs in a circle: {} → {first}", names.join(" → ")),
        );
        for (index, scope) in cycle[..cycle.len() - 1].iter().enumerate() {
            error = error.context(
                self.implies_span(*scope, names[index + 1]),
                format!("`{}` implies `{}`", names[index], names[index + 1]),
            );
        }
        self.errors.push(
            error
                .label("this closes the circle")
                .help("remove one of them; scopes that mean the same are one scope"),
        );
    }

    fn implies_span(&self, scope: usize, implied: &str) -> Range<usize> {
        let entry = &self.entries[scope];
        let written = entry.implies.iter().find(|other| other.value.as_str() == implied);
        written.map_or(entry.name.span.clone(), |other| other.span.clone())
    }

    fn scopes(&self, implied: &[Vec<ScopeId>]) -> Vec<ScopeInfo> {
        (0..)
            .zip(self.entries)
            .map(|(id, entry)| ScopeInfo {
                name: entry.name.value.clone(),
                title: entry.title.clone(),
                step_up: entry.step_up,
                closure: closure(ScopeId(id), implied),
                span: entry.name.span.clone(),
            })
            .collect()
    }

    fn clients(&mut self, manifest: &Manifest) -> Vec<KnownClient> {
        let clients = manifest.clients.iter().map(|entry| {
            // Reports the scopes that `[scopes]` does not define. The numbers are not needed.
            self.ids(&entry.scopes);
            KnownClient {
                id: entry.id.value.clone(),
                name: entry.name.clone(),
                redirect_uris: entry.redirect_uris.clone(),
                scopes: entry.scopes.iter().map(|scope| scope.value.clone()).collect(),
                secret_variable: entry.secret.clone(),
            }
        });
        clients.collect()
    }

    /// Builds the index of resources by URI. Two resources that one URI could match are a mistake.
    fn uris(&mut self, manifest: &Manifest) -> UriIndex {
        let mut uris = UriIndex::default();
        let entries = || manifest.rules.iter().filter(|entry| entry.feature == Feature::Resource);
        for entry in entries() {
            let at = entry.name.span.clone();
            let added = match UriTemplate::parse(&entry.name.value) {
                Ok(template) => uris.add(template),
                Err(error) => {
                    self.errors.push(
                        Diagnostic::new(mistake::INVALID_URI, at, error.to_string()).help(
                            "write the URI or URI template as `#[scoped_resource]` has it; the \
                                 rule of a tool stands below `[tools]`",
                        ),
                    );
                    continue;
                }
            };
            if let Err(UriOverlap { template, with }) = added {
                let other = entries().find(|entry| entry.name.value == with);
                let other = other.map_or(at.clone(), |entry| entry.name.span.clone());
                self.errors.push(
                    Diagnostic::new(
                        mistake::OVERLAPPING_RESOURCES,
                        at,
                        format!("a URI of `{template}` could be one of `{with}` as well"),
                    )
                    .context(other, "the other one")
                    .help("access never depends on a guess: change one of the two"),
                );
            }
        }
        uris
    }

    fn rules(&mut self, manifest: &Manifest) -> Rules {
        let entries = manifest.rules.iter();
        Rules::new(entries.filter_map(|entry| Some((entry.feature, self.rule(entry)?))))
    }

    fn rule(&mut self, entry: &Entry) -> Option<Rule> {
        let vocabulary = Vocabulary::new(&self.ids, self.text);
        let rule = entry.rule.as_ref();
        let requirement = rule.and_then(|rule| vocabulary.requirement(rule, self.errors));
        let mut when = vec![];
        let mut is_whole = entry.is_whole;
        for written in &entry.when {
            let condition = written.condition.as_ref().and_then(|text| {
                let wrong = |fault| {
                    condition::finding(mistake::INVALID_CONDITION, fault, self.text, &text.span)
                };
                let condition = Condition::parse(&text.value);
                condition.map_err(|fault| self.errors.push(wrong(fault))).ok()
            });
            let rule = written.rule.as_ref();
            let requirement = rule.and_then(|rule| vocabulary.requirement(rule, self.errors));
            match (condition, requirement) {
                (Some(condition), Some(requirement)) => {
                    let (span, place) = (written.at.clone(), OnceLock::new());
                    when.push(When { condition, requirement, span, place });
                }
                _ => is_whole = false,
            }
        }
        // No rule at all, because a rule without one of its conditions would be weaker than written.
        let requirement = requirement.filter(|_| is_whole)?;
        Some(Rule {
            name: entry.name.value.as_str().into(),
            requirement,
            when,
            relax: entry.relax.as_ref().map(|reason| reason.value.clone()),
            hidden: entry.hidden,
            span: entry.name.span.clone(),
            place: OnceLock::new(),
            counts: OnceLock::new(),
        })
    }
}

/// A scope and every scope that it implies, directly or through others.
fn closure(scope: ScopeId, implied: &[Vec<ScopeId>]) -> ScopeSet {
    let mut found = ScopeSet::default();
    let mut open = vec![scope];
    while let Some(scope) = open.pop() {
        if !found.contains(scope) {
            found.insert(scope);
            open.extend(implied.get(scope.0 as usize).into_iter().flatten());
        }
    }
    found
}
