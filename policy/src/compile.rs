//! Compiles a manifest into the policy that decides: scopes become bits, `implies` becomes closures.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::OnceLock,
};

use super::{
    CompiledPolicy, Feature, KnownClient, Requirement, Revision, Rule, Rules, ScopeInfo, UriIndex,
    UriOverlap, UriTemplate, When,
    assertions::Assertions,
    compiled::Settings,
    condition::{self, Condition},
    manifest::{self, Entry, Manifest, ScopeEntry},
    mistake,
    origin::Origin,
    reader::Located,
    scope::Scope,
    scope_set::{ScopeId, ScopeSet},
    syntax::{self, Repaired},
    undefined::{advise_unneeded, blame_definitions, merge_undefined},
    vocabulary::Vocabulary,
};
use crate::{
    ResourceUrl,
    diagnostic::{Diagnostic, Diagnostics, Source, Suggestions},
};

/// After this many days a snapshot of the registered scopes counts as old, unless the policy sets
/// `snapshot_days`. A quarter of a year, because registrations change seldom.
pub(crate) const DEFAULT_SNAPSHOT_DAYS: u32 = 90;

/// The most scopes of a policy. Each scope has a set with one bit for each other one, so this many
/// take some 12 MB.
pub(crate) const MOST_SCOPES: usize = 10_000;
/// The most conditions of one rule, because each call evaluates all of them.
const MOST_CONDITIONS: usize = 100;
/// The most variables of a URI template. The router that finds a template has names for 25 of them.
const MOST_VARIABLES: usize = 20;
/// The most circles of `implies` that are reported, because scopes that all imply each other have as
/// many circles as the square of their number.
const MOST_CIRCLES: usize = 20;
/// The most scopes of a circle that are named, so that the message can be read.
const MOST_NAMED: usize = 12;

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
        let suggestions = Suggestions::default();
        let compiler = Compiler::new(&manifest, &source, &suggestions, &mut errors);
        let policy = compiler.compile(&source, &manifest);
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
        let vocabulary = policy.vocabulary(&suggestions);
        let assertions =
            Assertions::compile(&manifest.cases, &manifest.invariants, vocabulary, &mut errors);
        // A scope whose definition has a mistake is reported there.
        let misplaced: HashSet<&str> = manifest
            .misplaced
            .iter()
            .filter(|(table, _)| *table == "scopes")
            .map(|(_, name)| name.as_str())
            .collect();
        let invalid = || manifest.invalid_scopes.iter().map(String::as_str);
        let is_misplaced = |scope: &str| {
            misplaced.contains(scope)
                || manifest.misspelt_tables.contains(&"scopes")
                || suggestions.nearest(scope, invalid()).is_some()
        };
        let errors = merge_undefined(errors, is_misplaced);
        let errors = blame_definitions(errors, &manifest, source.text());
        let errors = advise_unneeded(errors, &manifest);
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
    suggestions: &'m Suggestions,
}

impl<'m, 'e> Compiler<'m, 'e> {
    fn new(
        manifest: &'m Manifest,
        source: &'m Source,
        suggestions: &'m Suggestions,
        errors: &'e mut Vec<Diagnostic>,
    ) -> Self {
        let ids = (0..)
            .zip(&manifest.scopes)
            .map(|(id, entry)| (entry.name.value.clone(), ScopeId(id)))
            .collect();
        Self { ids, entries: &manifest.scopes, errors, text: source.text(), suggestions }
    }

    fn compile(mut self, source: &Source, manifest: &Manifest) -> Option<CompiledPolicy> {
        // A placeholder, because lints need a whole policy. The missing URL is an error by now, so
        // this draft decides nothing.
        let url =
            self.resource_url(manifest).or_else(|| ResourceUrl::parse("http://localhost").ok());
        if let Some(first) = self.entries.get(MOST_SCOPES) {
            let (at, most) = (first.name.span.clone(), MOST_SCOPES);
            let message = format!("`[scopes]` defines {} scopes", self.entries.len());
            self.errors.push(
                Diagnostic::new(mistake::TOO_MANY_SCOPES, at, message)
                    .label(format!("this is one more than {most}"))
                    .help("define one scope for the things that are always allowed together"),
            );
            return None;
        }
        let implied: Vec<Vec<ScopeId>> =
            self.entries.iter().map(|entry| self.ids(&entry.implies)).collect();
        self.report_cycles(&implied);
        self.check_issuers(manifest);
        let origins = self.origins(manifest);
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
        let admits_anonymous =
            rules.iter().any(|(_, rule)| rule.requirement == Requirement::Anonymous);
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
                origins,
            },
            revision: Revision::of(source.text()),
            scopes,
            ids: self.ids,
            registered: ScopeSet::default(),
            reachable: ScopeSet::default(),
            registered_at: server.registered.as_ref().map(|list| list.span.clone()),
            snapshot_days: server.snapshot_days.unwrap_or(DEFAULT_SNAPSHOT_DAYS),
            has_conditions,
            admits_anonymous,
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

    /// The origins of pages that may use the server, sorted.
    fn origins(&mut self, manifest: &Manifest) -> Vec<Origin> {
        let mut origins = vec![];
        for written in &manifest.server.origins {
            match Origin::parse(&written.value) {
                Ok(origin) => origins.push(origin),
                Err(error) => {
                    let (at, message) = (written.span.clone(), error.to_string());
                    let mistake = Diagnostic::new(mistake::INVALID_ORIGIN, at, message);
                    self.errors.push(match error.meant() {
                        Some(meant) => mistake.help(format!("write `{meant}`")),
                        None => mistake.help("name each page's origin: `https://example.com`"),
                    });
                }
            }
        }
        origins.sort_unstable();
        origins
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
        let parsed = ResourceUrl::parse(&url.value);
        match parsed.and_then(|url| url.check_path().map(|()| url)) {
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
        Vocabulary::new(&self.ids, self.text, self.suggestions).ids(scopes, self.errors)
    }

    /// Reports each cycle of `implies` once, at the entry that closes the cycle.
    fn report_cycles(&mut self, implied: &[Vec<ScopeId>]) {
        const NEW: u8 = 0;
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let mut state = vec![NEW; implied.len()];
        let mut reported = 0;
        // The place of each open scope in the path.
        let mut places = vec![0; implied.len()];
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
                        places[child] = path.len();
                        path.push((child, 0));
                    }
                    OPEN if reported < MOST_CIRCLES => {
                        let cycle = &path[places[child]..];
                        let cycle: Vec<usize> = cycle.iter().map(|(scope, _)| *scope).collect();
                        self.report_cycle(&cycle);
                        reported += 1;
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
        let mut shown = names[..names.len().min(MOST_NAMED)].join(" → ");
        if names.len() > MOST_NAMED {
            shown += &format!(" → {} more", names.len() - MOST_NAMED);
        }
        let mut error = Diagnostic::new(
            mistake::IMPLIES_CYCLE,
            span,
            format!("`implies` runs in a circle: {shown} → {first}"),
        );
        for (index, scope) in cycle[..cycle.len() - 1].iter().enumerate().take(MOST_NAMED) {
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
        self.entries
            .iter()
            .zip(closures(implied))
            .map(|(entry, closure)| ScopeInfo {
                name: entry.name.value.clone(),
                title: entry.title.clone(),
                step_up: entry.step_up,
                closure,
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
            if entry.name.value.matches('{').count() > MOST_VARIABLES {
                let message = format!("a template has at most {MOST_VARIABLES} variables");
                self.errors.push(
                    Diagnostic::new(mistake::INVALID_URI, at, message)
                        .help("take the rest of the URI by one variable at the end: `{+rest}`"),
                );
                continue;
            }
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
        let vocabulary = Vocabulary::new(&self.ids, self.text, self.suggestions);
        let rule = entry.rule.as_ref();
        let requirement = rule.and_then(|rule| vocabulary.requirement(rule, self.errors));
        let mut when = vec![];
        let mut is_whole = entry.is_whole;
        if let Some(first) = entry.when.get(MOST_CONDITIONS) {
            let message = format!("`{}` has {} conditions", entry.name.value, entry.when.len());
            self.errors.push(
                Diagnostic::new(mistake::INVALID_CONDITION, first.at.clone(), message)
                    .label(format!("this is one more than {MOST_CONDITIONS}"))
                    .help("each call evaluates all of them: join conditions with the same scopes by `||`"),
            );
            is_whole = false;
        }
        for written in entry.when.iter().take(MOST_CONDITIONS) {
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

/// Of each scope, the scope itself and every scope that it implies, directly or through others.
///
/// Each `implies` is looked at once, because the scopes are taken in the order in which they imply
/// each other (Tarjan, 1972). Scopes in a circle, which is a mistake, all give the same.
fn closures(implied: &[Vec<ScopeId>]) -> Vec<ScopeSet> {
    let children = |scope: usize| implied.get(scope).map_or(&[][..], Vec::as_slice);
    let mut found = vec![ScopeSet::default(); implied.len()];
    // The number of each scope in the order in which they were reached, from 1; 0 is not reached.
    let mut numbers = vec![0_usize; implied.len()];
    // The least number of a scope in the same circle, as far as is known.
    let mut least = vec![0_usize; implied.len()];
    let mut is_open = vec![false; implied.len()];
    let mut open: Vec<usize> = vec![];
    let mut next = 1;
    for start in 0..implied.len() {
        if numbers[start] != 0 {
            continue;
        }
        // Depth first without recursion, because a long chain would exhaust the stack.
        let mut path: Vec<(usize, usize)> = vec![];
        let mut entered = Some(start);
        loop {
            if let Some(scope) = entered.take() {
                (numbers[scope], least[scope], is_open[scope]) = (next, next, true);
                next += 1;
                open.push(scope);
                path.push((scope, 0));
            }
            let Some((scope, at)) = path.last_mut() else { break };
            let scope = *scope;
            if let Some(ScopeId(child)) = children(scope).get(*at) {
                *at += 1;
                let child = *child as usize;
                if numbers[child] == 0 {
                    entered = Some(child);
                } else if is_open[child] {
                    least[scope] = least[scope].min(numbers[child]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                least[*parent] = least[*parent].min(least[scope]);
            }
            if least[scope] == numbers[scope] {
                let from = open.iter().rposition(|one| *one == scope).unwrap_or(0);
                let circle = open.split_off(from);
                let mut closure = ScopeSet::default();
                for member in &circle {
                    is_open[*member] = false;
                    closure.insert(scope_number(*member));
                    for child in children(*member) {
                        if !closure.contains(*child) {
                            closure.extend(&found[child.0 as usize]);
                            closure.insert(*child);
                        }
                    }
                }
                for member in circle {
                    found[member].clone_from(&closure);
                }
            }
        }
    }
    found
}

/// The number of the scope at this place of `[scopes]`. There are fewer than [`MOST_SCOPES`].
fn scope_number(place: usize) -> ScopeId {
    ScopeId(u32::try_from(place).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The closure of one scope, found by following every `implies`.
    fn closure(scope: ScopeId, implied: &[Vec<ScopeId>]) -> ScopeSet {
        let mut found = ScopeSet::default();
        let mut open = vec![scope];
        while let Some(scope) = open.pop() {
            if !found.contains(scope) {
                found.insert(scope);
                open.extend(&implied[scope.0 as usize]);
            }
        }
        found
    }

    proptest! {
        /// Also with circles, and with scopes that imply themselves.
        #[test]
        fn closures_are_those_of_a_search_from_each_scope(
            implied in (1_u32..9).prop_flat_map(|scopes| {
                let one = proptest::collection::vec((0..scopes).prop_map(ScopeId), 0..4);
                proptest::collection::vec(one, scopes as usize)
            }),
        ) {
            let found = closures(&implied);
            for (number, found) in (0..).zip(&found) {
                let naive = closure(ScopeId(number), &implied);
                let all = |set: &ScopeSet| set.iter().collect::<Vec<_>>();
                prop_assert_eq!(all(found), all(&naive));
            }
        }
    }
}
