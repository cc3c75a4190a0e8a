//! Rule A: sibling modules use each other in one direction only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    arrows::Arrow,
    report::{self, Tie},
    source::{ModuleId, Tree},
};

/// The advice in each message.
const ADVICE: &str = "Move what they share into a module below them, or pass it in as an argument.";

/// The most lines of one step that a message lists, so that a message stays short. The step to undo
/// is listed whole, because all of its lines have to change.
const MOST_LINES: usize = 5;

/// The arrows between the children of one module: first the using child, then the used child.
type Level<'a> = BTreeMap<ModuleId, BTreeMap<ModuleId, Vec<&'a Arrow>>>;

/// One message for each group of modules that use each other in a circle. The message shows the
/// group's shortest circle.
pub(crate) fn find(tree: &Tree, arrows: &BTreeSet<Arrow>) -> Vec<String> {
    levels(tree, arrows).values().flat_map(|level| in_level(tree, level)).collect()
}

/// The arrows between siblings, grouped by their parent module. An arrow between a module and its
/// own descendant is left out, because other modules see the two as one module.
fn levels<'a>(tree: &Tree, arrows: &'a BTreeSet<Arrow>) -> BTreeMap<ModuleId, Level<'a>> {
    let mut levels: BTreeMap<ModuleId, Level<'a>> = BTreeMap::new();
    for arrow in arrows {
        let (mut from, mut to) = (tree.ancestors(arrow.from), tree.ancestors(arrow.to));
        let mut parent = None;
        while from.last() == to.last() && !from.is_empty() {
            parent = from.pop();
            to.pop();
        }
        if let (Some(parent), Some(&from), Some(&to)) = (parent, from.last(), to.last()) {
            let level = levels.entry(parent).or_default();
            level.entry(from).or_default().entry(to).or_default().push(arrow);
        }
    }
    levels
}

/// The messages for one level.
fn in_level(tree: &Tree, level: &Level<'_>) -> Vec<String> {
    let mut messages = Vec::new();
    let mut done: BTreeSet<ModuleId> = BTreeSet::new();
    for &module in level.keys() {
        if done.contains(&module) {
            continue;
        }
        let group: BTreeSet<_> = reach(level, module)
            .into_iter()
            .filter(|&other| reach(level, other).contains(&module))
            .collect();
        done.extend(&group);
        let circles = group.iter().filter_map(|&start| shortest_circle(level, start));
        if let Some(circle) = circles.min_by_key(|circle| (circle.len(), arrows_of(level, circle)))
        {
            messages.push(message(tree, level, &circle, &group));
        }
    }
    messages
}

/// All modules that can be reached from `start` along one arrow or more.
fn reach(level: &Level<'_>, start: ModuleId) -> BTreeSet<ModuleId> {
    let mut reached = BTreeSet::new();
    let mut next = vec![start];
    while let Some(module) = next.pop() {
        next.extend(targets(level, module).filter(|&to| reached.insert(to)));
    }
    reached
}

/// The shortest way from `start` back to it: `[a, b, c]` for a → b → c → a.
fn shortest_circle(level: &Level<'_>, start: ModuleId) -> Option<Vec<ModuleId>> {
    let mut came_from = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(module) = next.pop_front() {
        for to in targets(level, module) {
            if to == start {
                let back = |at: &ModuleId| came_from.get(at).copied();
                let mut circle: Vec<_> = std::iter::successors(Some(module), back).collect();
                circle.reverse();
                return Some(circle);
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = came_from.entry(to) {
                entry.insert(module);
                next.push_back(to);
            }
        }
    }
    None
}

fn targets(level: &Level<'_>, module: ModuleId) -> impl Iterator<Item = ModuleId> {
    level.get(&module).into_iter().flat_map(|targets| targets.keys().copied())
}

/// The number of arrows in a circle.
fn arrows_of(level: &Level<'_>, circle: &[ModuleId]) -> usize {
    steps(circle).map(|(from, to)| level[&from][&to].len()).sum()
}

/// Each module of a circle, with the next module, which it uses.
fn steps(circle: &[ModuleId]) -> impl Iterator<Item = (ModuleId, ModuleId)> {
    circle.iter().copied().zip(circle.iter().copied().cycle().skip(1))
}

/// The message about a circle: its modules, its imports, the step that moves the fewest names, and
/// the other modules of the group.
fn message(
    tree: &Tree,
    level: &Level<'_>,
    circle: &[ModuleId],
    group: &BTreeSet<ModuleId>,
) -> String {
    let quoted = |module: ModuleId| format!("`{}`", tree.modules[module].path);
    let steps: Vec<_> = steps(circle)
        .map(|(from, to)| {
            let ties = report::ties(tree, level[&from][&to].iter().copied(), |arrow| arrow.to);
            let names: BTreeSet<_> = ties.iter().flat_map(Tie::quoted).collect();
            (from, to, ties, names)
        })
        .collect();
    let modules = report::list(circle.iter().map(|&module| quoted(module)));
    let how = if circle.len() == 2 { "each other" } else { "each other in a circle" };
    let mut text = format!("{modules} use {how}:\n");
    let fewest = steps.iter().map(|(.., names)| names.len()).min();
    for (.., ties, names) in &steps {
        let shown = if Some(names.len()) == fewest { ties.len() } else { MOST_LINES };
        for tie in ties.iter().take(shown) {
            text.push_str(&format!("  {}\n", tie.sentence()));
        }
        if ties.len() > shown {
            text.push_str(&format!("  … and {} more like these\n", ties.len() - shown));
        }
    }
    text.push_str(ADVICE);
    if let Some((from, to, _, names)) = steps.iter().min_by_key(|(.., names)| names.len()) {
        let names = report::list(names.iter().cloned());
        let step =
            format!(" Fewest names: {names}, which {} takes from {}.", quoted(*from), quoted(*to));
        text.push_str(&step);
    }
    let others = group.iter().filter(|module| !circle.contains(module));
    let others = report::list(others.map(|&module| quoted(module)));
    if !others.is_empty() {
        text.push_str(&format!(" More circles go through {others}."));
    }
    text
}
