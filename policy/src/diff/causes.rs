//! Which changes of `[scopes]` changed who holds the scopes that a rule needs.

use std::collections::BTreeSet;

use crate::{CompiledPolicy, Requirement};

/// An `implies` of one of the policies that the other one does not have: `(giver, given)`. Those that
/// follow from two others are left out, because nobody wrote them.
type Link = (String, String);

/// The added and the removed links.
pub(super) struct Links {
    added: Vec<Link>,
    removed: Vec<Link>,
}

pub(super) fn changed_links(old: &CompiledPolicy, new: &CompiledPolicy) -> Links {
    Links { added: only(new, old), removed: only(old, new) }
}

/// The links of `here` that `there` does not have.
fn only(here: &CompiledPolicy, there: &CompiledPolicy) -> Vec<Link> {
    let mut links = vec![];
    for giver in here.scopes() {
        let implied: Vec<_> = here.implied_by(giver).collect();
        for given in &implied {
            let is_between = |other: &&crate::ScopeInfo| {
                other.name() != given.name()
                    && gives(here, other.name().as_str(), given.name().as_str())
            };
            let was = gives(there, giver.name().as_str(), given.name().as_str());
            if giver.name() != given.name() && !was && !implied.iter().any(is_between) {
                links.push((giver.name().to_string(), given.name().to_string()));
            }
        }
    }
    links
}

/// Whether a caller with one scope holds another one.
fn gives(policy: &CompiledPolicy, scope: &str, given: &str) -> bool {
    policy.scope_id(given).is_some_and(|id| policy.hold([scope]).contains(id))
}

/// The scopes that a requirement names.
pub(super) fn scopes<'p>(
    policy: &'p CompiledPolicy,
    needed: Option<&Requirement>,
) -> impl Iterator<Item = &'p str> {
    let all = needed.map_or(&[][..], Requirement::alternatives).iter().flatten();
    let names: BTreeSet<&str> = all.map(|id| policy.scope(*id).name().as_str()).collect();
    names.into_iter()
}

/// The changed links that lead to one of these scopes, each as a sentence.
pub(super) fn causes(
    old: &CompiledPolicy,
    new: &CompiledPolicy,
    links: &Links,
    scopes: &BTreeSet<&str>,
) -> Vec<String> {
    let said = |links: &[Link], policy: &CompiledPolicy, words: [&str; 2]| -> Vec<String> {
        let leads = |link: &&Link| scopes.iter().any(|scope| gives(policy, &link.1, scope));
        let sentence = |(giver, given): &Link| {
            format!("[scopes] `{giver}` {} `{given}`{}", words[0], words[1])
        };
        links.iter().filter(leads).map(sentence).collect()
    };
    let mut causes = said(&links.added, new, ["implies", " now"]);
    causes.extend(said(&links.removed, old, ["no longer implies", ""]));
    causes
}
