//! Which changes of `[scopes]` changed who holds the scopes that a rule needs.

use std::collections::BTreeSet;

use crate::{CompiledPolicy, Requirement, ScopeId, ScopeSet};

/// An `implies` of one of the policies that the other one does not have. Those that follow from two
/// others are left out, because nobody wrote them.
struct Link {
    giver: ScopeId,
    given: ScopeId,
}

/// The added and the removed links.
pub(super) struct Links {
    added: Vec<Link>,
    removed: Vec<Link>,
}

/// The most causes that are named for one change, because nobody reads more.
const MOST_CAUSES: usize = 12;

pub(super) fn changed_links(old: &CompiledPolicy, new: &CompiledPolicy) -> Links {
    Links { added: only(new, old), removed: only(old, new) }
}

/// The links of `here` that `there` does not have.
fn only(here: &CompiledPolicy, there: &CompiledPolicy) -> Vec<Link> {
    let number = |info: &crate::ScopeInfo| there.scope_id(info.name().as_str());
    let numbers: Vec<Option<ScopeId>> = here.scopes().iter().map(number).collect();
    let mut links = vec![];
    for info in here.scopes() {
        let Some(giver) = here.scope_id(info.name().as_str()) else { continue };
        let was = number(info).map(|id| &there.scope(id).closure);
        let is_new = |given: &ScopeId| {
            let there = numbers.get(given.index()).copied().flatten();
            !there.is_some_and(|id| was.is_some_and(|was| was.contains(id)))
        };
        if !info.closure.iter().any(|given| given != giver && is_new(&given)) {
            continue;
        }
        // What the scope gives through another one.
        let mut through = ScopeSet::default();
        for between in info.closure.iter().filter(|between| *between != giver) {
            if !through.contains(between) {
                let mut more = here.scope(between).closure.clone();
                more.remove(between);
                through.extend(&more);
            }
        }
        let direct = info.closure.iter().filter(|given| *given != giver && is_new(given));
        let direct = direct.filter(|given| !through.contains(*given));
        links.extend(direct.map(|given| Link { giver, given }));
    }
    links
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
        let mut named = ScopeSet::default();
        scopes.iter().filter_map(|scope| policy.scope_id(scope)).for_each(|id| named.insert(id));
        let leads = |link: &&Link| policy.scope(link.given).closure.intersects(&named);
        let sentence = |Link { giver, given }: &Link| {
            let (one, other) = (policy.scope(*giver).name(), policy.scope(*given).name());
            format!("[scopes] `{one}` {} `{other}`{}", words[0], words[1])
        };
        // One more than is shown, to know whether there is one.
        links.iter().filter(leads).take(MOST_CAUSES + 1).map(sentence).collect()
    };
    if scopes.is_empty() {
        return vec![];
    }
    let mut causes = said(&links.added, new, ["implies", " now"]);
    causes.extend(said(&links.removed, old, ["no longer implies", ""]));
    if causes.len() > MOST_CAUSES {
        causes.truncate(MOST_CAUSES);
        causes.push("[scopes] and more changes of `implies`".to_owned());
    }
    causes
}
