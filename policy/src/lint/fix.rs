//! `policy lint --fix`: applies the fixes that do not change access, and keeps comments and layout.

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::{LintInputs, Stage, examine};
use crate::{
    diagnostic::{Change, Fix, Source, Step},
    diff,
};

/// How often the policy is linted again, because one fix can make another finding appear.
const PASSES: usize = 8;

/// The result of [`fix`].
#[derive(Debug)]
pub struct Fixed {
    /// The policy after the fixes.
    pub source: Source,
    /// Each fix: the line of the finding, and what was done.
    pub done: Vec<(usize, String)>,
}

/// Why no fix was applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixError {
    /// The file is not TOML.
    #[error("the file is not TOML, so nothing in it can be fixed")]
    Syntax,
    /// A fix would have changed access, which is a bug of this crate.
    #[error("the fixes would change who may call what, so nothing was written; please report this")]
    ChangesAccess,
}

/// Applies every fix that does not change access.
pub fn fix(source: &Source, inputs: &LintInputs<'_>) -> Result<Fixed, FixError> {
    let mut now = examine(source, inputs, Stage::Advice);
    let before = now.policy.take();
    let mut fixed = Fixed { source: source.clone(), done: vec![] };
    for _ in 0..PASSES {
        let mut certain: Vec<&Fix> = vec![];
        for finding in &now.found {
            let Some(fix) = finding.certain_fix() else { continue };
            let (line, _) = fixed.source.position(finding.span().start);
            fixed.done.push((line, format!("{}: {}", finding.message(), fix.title)));
            certain.push(fix);
        }
        if certain.is_empty() {
            break;
        }
        // From the end of a list to its start, so that the positions of the other items stay right.
        certain.sort_by(|one, other| other.path.cmp(&one.path));
        let mut document: DocumentMut =
            fixed.source.text().parse().map_err(|_| FixError::Syntax)?;
        for fix in certain {
            apply(document.as_table_mut(), fix);
        }
        fixed.source = Source::new(source.path(), document.to_string());
        now = examine(&fixed.source, inputs, Stage::Advice);
    }
    let is_same = match (&before, &now.policy) {
        _ if fixed.done.is_empty() => true,
        (Some(before), Some(after)) => diff::compare(before, after).is_empty(),
        (Some(_), None) => false,
        // The file had a mistake before, so there was no access to change.
        (None, _) => true,
    };
    if is_same { Ok(fixed) } else { Err(FixError::ChangesAccess) }
}

fn apply(root: &mut Table, fix: &Fix) {
    let Some((last, parents)) = fix.path.split_last() else { return };
    let mut node = TomlNode::Table(root);
    for step in parents {
        match node.enter(step) {
            Some(next) => node = next,
            None => return,
        }
    }
    let is_empty = node.change(last, &fix.change);
    // An empty `allow` or `implies` has no effect, so it goes too.
    if is_empty
        && let Some((Step::Key(key), _)) = parents.split_last()
        && ["allow", "implies"].contains(&key.as_str())
    {
        apply(root, &Fix { path: parents.to_vec(), ..fix.clone() });
    }
}

/// A table or a list of the document.
enum TomlNode<'d> {
    Table(&'d mut Table),
    Inline(&'d mut InlineTable),
    Array(&'d mut toml_edit::Array),
}

impl<'d> TomlNode<'d> {
    fn of_item(item: &'d mut Item) -> Option<Self> {
        match item {
            Item::Table(table) => Some(Self::Table(table)),
            Item::Value(value) => Self::of_value(value),
            _ => None,
        }
    }

    fn of_value(value: &'d mut Value) -> Option<Self> {
        match value {
            Value::InlineTable(table) => Some(Self::Inline(table)),
            Value::Array(array) => Some(Self::Array(array)),
            _ => None,
        }
    }

    fn enter(self, step: &Step) -> Option<Self> {
        match (self, step) {
            (Self::Table(table), Step::Key(key)) => Self::of_item(table.get_mut(key)?),
            (Self::Inline(table), Step::Key(key)) => Self::of_value(table.get_mut(key)?),
            (Self::Array(array), Step::Item(item)) => Self::of_value(array.get_mut(*item)?),
            _ => None,
        }
    }

    /// Makes the change, and says whether the table or list is empty after it.
    fn change(self, step: &Step, change: &Change) -> bool {
        match (self, step, change) {
            (Self::Table(table), Step::Key(key), Change::Remove) => {
                table.remove(key);
                table.is_empty()
            }
            (Self::Table(table), Step::Key(key), Change::Rename(to)) => {
                rename_in_table(table, key, to);
                false
            }
            (Self::Inline(table), Step::Key(key), Change::Remove) => {
                remove_from_inline(table, key);
                table.is_empty()
            }
            (Self::Array(array), Step::Item(item), Change::Remove) => {
                remove_from_array(array, *item);
                array.is_empty()
            }
            _ => false,
        }
    }
}

/// Renames a key; all keys keep their order, their comments and their layout.
fn rename_in_table(table: &mut Table, from: &str, to: &str) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for name in keys {
        let Some((mut key, item)) = table.remove_entry(&name) else { continue };
        if name == from {
            let (leaf, dotted) = (key.leaf_decor().clone(), key.dotted_decor().clone());
            key = toml_edit::Key::new(to).with_leaf_decor(leaf).with_dotted_decor(dotted);
        }
        table.insert_formatted(&key, item);
    }
}

/// Removes a key. `toml_edit` keeps the space before the closing brace with the last value, so the
/// value that becomes the last one takes it over.
fn remove_from_inline(table: &mut InlineTable, key: &str) {
    let is_last = table.iter().last().is_some_and(|(last, _)| last == key);
    let Some(removed) = table.remove(key) else { return };
    if is_last
        && let Some((_, last)) = table.iter_mut().last()
        && let Some(suffix) = removed.decor().suffix()
    {
        last.decor_mut().set_suffix(suffix.clone());
    }
}

/// Removes an item. The items that become the first and the last one take over the space beside
/// the brackets.
fn remove_from_array(array: &mut toml_edit::Array, item: usize) {
    if item >= array.len() {
        return;
    }
    let (was_first, was_last) = (item == 0, item + 1 == array.len());
    let removed = array.remove(item);
    let decor = removed.decor();
    if was_first && let (Some(first), Some(prefix)) = (array.get_mut(0), decor.prefix()) {
        first.decor_mut().set_prefix(prefix.clone());
    }
    let last = array.len().saturating_sub(1);
    if was_last && let (Some(last), Some(suffix)) = (array.get_mut(last), decor.suffix()) {
        last.decor_mut().set_suffix(suffix.clone());
    }
}
