//! Replay: decides recorded calls again with another policy. Whom would a change hit?
//!
//! A record holds the granted scopes and which conditions were met; it holds no arguments. So the
//! conditions of the other policy are known where the policy that decided then has the same condition,
//! and otherwise a call whose answer depends on one *cannot be told*.

mod render;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use render::{json, markdown, text};

use crate::{CompiledPolicy, Decision, Feature, Requirement, Rule, ScopeSet, When};

/// The most groups of calls that are told apart. Further ones are counted together, so that memory
/// does not grow with the number of callers.
const MOST_GROUPS: usize = 10_000;
/// The most callers and clients that one group names.
const MOST_NAMED: usize = 20;
/// The most bytes of a name that are kept.
const LONGEST_NAME: usize = 256;

/// A call on record, as far as the record holds it.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Feature, diagnostic::Source};
/// use scopeward_policy::replay::{self, Found, Group, RecordedCall, Replay, Replayed};
///
/// let policy = |rule: &str| {
///     let text = format!(
///         "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n\
///          [scopes]\n\"a:read\" = \"Look\"\n\"a:write\" = \"Change\"\n\
///          [tools]\nedit = {{ {rule} = \"a\" }}\n"
///     );
///     CompiledPolicy::compile(Source::new("policy.toml", text))
/// };
/// let (old, new) = (policy("read")?, policy("write")?);
/// let call = RecordedCall {
///     feature: Feature::Tool,
///     name: "edit",
///     was_allowed: true,
///     subject: Some("ada"),
///     client: Some("editor"),
///     scopes: "a:read",
///     conditions: "",
///     revision: old.revision().as_str(),
///     time: "2026-11-28T09:00:00Z",
/// };
/// let mut replay = Replay::new(&new, Some(&old));
/// replay.add(&call);
/// let replayed: Replayed = replay.finish();
/// let refused: &Found = &replayed.newly_refused;
/// let group: &Group = refused.groups.values().next().ok_or("none")?;
/// assert_eq!((refused.calls, group.calls, group.subjects["ada"]), (1, 1, 1));
/// // For a terminal, for a pull request, and for programs.
/// let text = replay::text(&replayed);
/// assert!(text.contains("edit") && text.contains("a:write") && text.contains("ada"));
/// assert!(replay::markdown(&replayed).contains("edit") && replay::json(&replayed).contains("edit"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RecordedCall<'r> {
    /// Whether a tool, a resource or a prompt was used.
    pub feature: Feature,
    /// Its name; for a resource, the name of its rule.
    pub name: &'r str,
    /// Whether the call was allowed then.
    pub was_allowed: bool,
    /// Who called; `None` for a caller without a token.
    pub subject: Option<&'r str>,
    /// The OAuth client that acted for the caller.
    pub client: Option<&'r str>,
    /// The granted scopes that the policy knew then, separated by spaces.
    pub scopes: &'r str,
    /// The places of the conditions that were met, separated by spaces.
    pub conditions: &'r str,
    /// The revision of the policy that decided.
    pub revision: &'r str,
    /// When, in RFC 3339.
    pub time: &'r str,
}

/// The answer of the other policy to a recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// Refused for lack of these scopes; none if there is no rule, or if a token is missing.
    Refused(Vec<String>),
    /// It depends on what the record does not hold.
    CannotTell,
}

/// Replays recorded calls one by one. Its memory does not grow with their number.
#[derive(Debug)]
pub struct Replay<'p> {
    new: &'p CompiledPolicy,
    old: Option<&'p CompiledPolicy>,
    replayed: Replayed,
}

/// The findings of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many calls were replayed.
    pub calls: u64,
    /// The time of the first call.
    pub first: String,
    /// The time of the last call.
    pub last: String,
    /// Calls that were allowed, and would be refused.
    pub newly_refused: Found,
    /// Calls that were refused, and would be allowed.
    pub newly_allowed: Found,
    /// Calls whose answer depends on what the record does not hold.
    pub cannot_tell: Found,
}

/// The calls of one kind, in groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// How many calls there are.
    pub calls: u64,
    /// The calls of each tool, resource and prompt, by the scopes that would be missing.
    pub groups: BTreeMap<(Feature, String, Vec<String>), Group>,
    /// How many calls are in no group, because there are too many groups.
    pub ungrouped: u64,
}

/// Calls that would get the same answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// How many calls there are.
    pub calls: u64,
    /// The time of the first call.
    pub first: String,
    /// The time of the last call.
    pub last: String,
    /// The first callers, each with the number of its calls. A caller without a token has no name.
    pub subjects: BTreeMap<String, u64>,
    /// The first clients.
    pub clients: BTreeSet<String>,
    /// Whether there are more callers or clients than are named.
    pub has_more: bool,
}

impl<'p> Replay<'p> {
    /// Begins a replay with the policy `new`. `old` is the policy that decided most of the calls. With
    /// it, the conditions that both policies have are known, and so are the scopes that a record would
    /// have named.
    pub fn new(new: &'p CompiledPolicy, old: Option<&'p CompiledPolicy>) -> Self {
        Self { new, old, replayed: Replayed::default() }
    }

    /// Replays one call.
    pub fn add(&mut self, call: &RecordedCall<'_>) {
        let verdict = self.verdict(call);
        let replayed = &mut self.replayed;
        replayed.calls += 1;
        note_time(&mut replayed.first, &mut replayed.last, call.time);
        match (call.was_allowed, verdict) {
            (true, Verdict::Allowed) | (false, Verdict::Refused(_)) => {}
            (true, Verdict::Refused(missing)) => replayed.newly_refused.add(call, missing),
            (false, Verdict::Allowed) => replayed.newly_allowed.add(call, vec![]),
            (_, Verdict::CannotTell) => replayed.cannot_tell.add(call, vec![]),
        }
    }

    /// The findings so far.
    pub fn finish(self) -> Replayed {
        self.replayed
    }

    /// The policy that decided the call, if it is at hand.
    fn decided_by(&self, call: &RecordedCall<'_>) -> Option<&'p CompiledPolicy> {
        self.old.filter(|old| old.revision().as_str() == call.revision)
    }

    fn verdict(&self, call: &RecordedCall<'_>) -> Verdict {
        let Some(rule) = self.new.rule(call.feature, call.name) else {
            // A URI can match another rule of the new policy, and the record does not have the URI.
            let may_match = call.feature == Feature::Resource && self.new.names_some(call.feature);
            return if may_match { Verdict::CannotTell } else { Verdict::Refused(vec![]) };
        };
        let (held, most) = self.held(call);
        let known = |when: &When| self.was_met(call, when);
        let strict = self.new.decide_by_conditions(rule, &held, |when| known(when).unwrap_or(true));
        if strict.is_allow() {
            return Verdict::Allowed;
        }
        let lenient =
            |held| self.new.decide_by_conditions(rule, held, |when| known(when).unwrap_or(false));
        match (lenient(&held), lenient(&most)) {
            (Decision::Deny(denial), Decision::Deny(_)) => {
                Verdict::Refused(denial.missing(&held).map(ToString::to_string).collect())
            }
            _ => Verdict::CannotTell,
        }
    }

    /// The scopes that the caller held for certain, by the new policy, and the most that it may have held. A record
    /// names the granted scopes that the policy knew then, and of many only the first.
    fn held(&self, call: &RecordedCall<'_>) -> (ScopeSet, ScopeSet) {
        if call.subject.is_none() {
            return (ScopeSet::anonymous(), ScopeSet::anonymous());
        }
        let is_cut = call.scopes.rsplit(' ').next().is_some_and(is_further);
        let named = call.scopes.split(' ').filter(|scope| !scope.is_empty() && !is_further(scope));
        let held = self.new.hold(named);
        let was_known =
            |scope: &str| !is_cut && self.old.is_none_or(|old| old.scope_named(scope).is_some());
        let mut most = held.clone();
        for scope in self.new.scopes().iter().filter(|scope| !was_known(scope.name().as_str())) {
            most.extend(&scope.closure);
        }
        (held, most)
    }

    /// Whether a condition of the new policy was met; `None` if nobody knows.
    fn was_met(&self, call: &RecordedCall<'_>, when: &When) -> Option<bool> {
        let old = self.decided_by(call)?;
        let rule: &Rule = old.rule(call.feature, call.name)?;
        let text = when.condition.as_str();
        let same = rule.when.iter().find(|other| other.condition.as_str() == text)?;
        if call.conditions.rsplit(' ').next().is_some_and(is_further) {
            return None;
        }
        let place = old.source().place(same.span.start);
        Some(call.conditions.split(' ').any(|met| met == place))
    }
}

/// Whether a word of a list says how many more there are: `+12`.
fn is_further(word: &str) -> bool {
    word.strip_prefix('+').is_some_and(|count| count.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A caller's or a client's name, without what is longer than anybody reads.
fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST_NAME)]
}

fn note_time(first: &mut String, last: &mut String, time: &str) {
    if first.is_empty() || time < first.as_str() {
        time.clone_into(first);
    }
    if time > last.as_str() {
        time.clone_into(last);
    }
}

impl Found {
    fn add(&mut self, call: &RecordedCall<'_>, missing: Vec<String>) {
        self.calls += 1;
        let key = (call.feature, call.name.to_owned(), missing);
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
            self.ungrouped += 1;
            return;
        }
        self.groups.entry(key).or_default().add(call);
    }
}

impl Group {
    fn add(&mut self, call: &RecordedCall<'_>) {
        self.calls += 1;
        note_time(&mut self.first, &mut self.last, call.time);
        let subject = cut(call.subject.unwrap_or_default());
        let has_room = self.subjects.len() < MOST_NAMED;
        match self.subjects.get_mut(subject) {
            Some(calls) => *calls += 1,
            None if has_room => {
                self.subjects.insert(subject.to_owned(), 1);
            }
            None => self.has_more = true,
        }
        let client = call.client.map(cut);
        let Some(client) = client.filter(|client| !self.clients.contains(*client)) else {
            return;
        };
        if self.clients.len() < MOST_NAMED {
            self.clients.insert(client.to_owned());
        } else {
            self.has_more = true;
        }
    }
}

impl CompiledPolicy {
    /// Decides by one rule where the conditions are known in another way than by arguments and claims.
    fn decide_by_conditions<'p>(
        &'p self,
        rule: &'p Rule,
        held: &ScopeSet,
        is_met: impl Fn(&When) -> bool,
    ) -> Decision<'p> {
        let met = rule.when.iter().filter(|when| is_met(when)).map(|when| &when.requirement);
        let clauses: smallvec::SmallVec<[&Requirement; 2]> =
            std::iter::once(&rule.requirement).chain(met).collect();
        self.decide_clauses(rule, clauses, held)
    }
}
