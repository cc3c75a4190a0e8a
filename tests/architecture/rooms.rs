//! Rule B: the rooms of the crate `scopeward`, its top-level modules, use only the rooms below
//! them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    arrows::Arrow,
    report,
    source::{ModuleId, ROOT, Tree},
};

/// The root file of the crate that has rooms.
pub(crate) const CRATE: &str = "scopeward/src/lib.rs";

/// The rooms from the top to the bottom; rooms of one row do not use each other.
///
/// The reason for this order: a command (`cli`) starts a process (`serve`), which serves the tools
/// (`mcp`) behind HTTP endpoints (`gate`, `issuer`). All of them record decisions (`record`) about
/// a caller (`identity`) under a policy (`live`). A reader of one room has to know only the rooms
/// below it, and `identity` and `live` can be tested without an HTTP server or a tool.
const ORDER: &[&[&str]] = &[
    // Only the expansions of macros and the tests of users use these rooms; no other room may.
    &["__private", "testing"],
    &["cli"],
    &["serve"],
    &["gate", "issuer"],
    &["mcp"],
    &["record"],
    &["identity", "live"],
];

/// The rooms below all others. They know nothing of the rest, and may use each other in one
/// direction, which rule A holds.
const LEAVES: &[&str] = &["file", "heartbeat", "http", "limits", "remote", "secret", "text"];

/// One message for each room that has no place in the order, and for each import that does not
/// go down.
pub(crate) fn find(tree: &Tree, arrows: &BTreeSet<Arrow>) -> Vec<String> {
    let rooms = tree.modules[ROOT].children.keys();
    let without_place = rooms.filter(|room| row(room).is_none());
    let mut messages: Vec<_> = without_place
        .map(|room| {
            format!(
                "The room `{room}` has no place: add it to `ORDER` in \
                 `tests/architecture/rooms.rs`."
            )
        })
        .collect();
    let mut pairs: BTreeMap<(ModuleId, ModuleId), Vec<&Arrow>> = BTreeMap::new();
    for arrow in arrows {
        if let (Some(from), Some(to)) = (room_of(tree, arrow.from), room_of(tree, arrow.to)) {
            pairs.entry((from, to)).or_default().push(arrow);
        }
    }
    for ((from, to), arrows) in pairs {
        let (user, owner) = (&tree.modules[from].path, &tree.modules[to].path);
        if let Some(relation) = wrong_relation(user, owner) {
            let ties = report::ties(tree, arrows.into_iter(), |_| to);
            messages.extend(ties.iter().map(|tie| {
                let taken = tie.sentence();
                format!(
                    "{taken}, which stands {relation} `{user}`: move what it needs down into \
                     `{user}` or below, or give it what it needs as an argument."
                )
            }));
        }
    }
    messages
}

/// The place of `owner` relative to `user`, such as "above", if `user` may not use `owner`.
fn wrong_relation(user: &str, owner: &str) -> Option<&'static str> {
    let (from, to) = (row(user)?, row(owner)?);
    if user == owner || to > from || (to == from && LEAVES.contains(&user)) {
        None
    } else if to == from {
        Some("beside")
    } else {
        Some("above")
    }
}

/// The row of a room, counted from the top, starting with 0.
fn row(room: &str) -> Option<usize> {
    let leaves = LEAVES.contains(&room).then_some(ORDER.len());
    ORDER.iter().position(|row| row.contains(&room)).or(leaves)
}

/// The room of a module; the crate's root has no room.
fn room_of(tree: &Tree, module: ModuleId) -> Option<ModuleId> {
    tree.ancestors(module).into_iter().find(|&at| tree.modules[at].parent == Some(ROOT))
}
