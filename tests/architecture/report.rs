//! Writes an import as messages show it: file, line, imported names, and the module of the names.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    arrows::Arrow,
    source::{ModuleId, Tree},
};

/// All names that one line takes from one module.
#[derive(Debug)]
pub(crate) struct Tie {
    /// The place of the line, such as `policy/src/scope.rs:12`.
    place: String,
    /// The module that the names are taken from.
    pub(crate) from: String,
    /// The names. Empty when the line takes the module itself, or all of its names.
    names: BTreeSet<String>,
}

impl Tie {
    /// The names in backticks, or the module when there are none.
    pub(crate) fn quoted(&self) -> Vec<String> {
        if self.names.is_empty() {
            return vec![format!("the module `{}`", self.from)];
        }
        self.names.iter().map(|name| format!("`{name}`")).collect()
    }

    /// The import as a sentence: "`policy/src/scope.rs:12` takes `Thing` from `rule`".
    pub(crate) fn sentence(&self) -> String {
        let names = list(self.quoted());
        if self.names.is_empty() {
            return format!("`{}` takes {names}", self.place);
        }
        format!("`{}` takes {names} from `{}`", self.place, self.from)
    }
}

/// Sorts arrows by file and line and by the module that `from` makes of each.
pub(crate) fn ties<'a>(
    tree: &Tree,
    arrows: impl Iterator<Item = &'a Arrow>,
    from: impl Fn(&Arrow) -> ModuleId,
) -> Vec<Tie> {
    let mut lines: BTreeMap<(&str, usize, ModuleId), BTreeSet<String>> = BTreeMap::new();
    for arrow in arrows {
        let file = tree.modules[arrow.from].file.as_str();
        lines.entry((file, arrow.line, from(arrow))).or_default().extend(arrow.name.clone());
    }
    let tie = |((file, line, from), names)| {
        let from: &str = &tree.modules[from as ModuleId].path;
        Tie { place: format!("{file}:{line}"), from: from.to_owned(), names }
    };
    lines.into_iter().map(tie).collect()
}

/// Joins parts to a list: "a", "a and b", "a, b and c".
pub(crate) fn list(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<_> = parts.into_iter().collect();
    match parts.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}
