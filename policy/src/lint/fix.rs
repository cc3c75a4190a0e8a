//! `--fix`: carries out the fixes that are certain, keeping comments and layout.

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::{LintInputs, Stage, examine};
use crate::{
    diagnostic::{Change, Fix, Source, Step},
    diff,
};

/// A fix can bring another one to light; so many times it is looked again.
const PASSES: usize = 8;

/// What `--fix` did.
#[derive(Debug)]
pub struct Fixed {
    /// The new text.
    pub source: Source,
    /// What was done: the line where it was found, and the deed.
    pub done: Vec<(usize, String)>,
}

/// Why nothing was fixed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixError {
    /// The file is not TOML.
    #[error("the file is not TOML, so nothing in it can be fixed")]
    Syntax,
    /// A fix would have changed who may call what. That is a mistake of this program.
    #[error("the fixes would change who may call what, so nothing was written; please report this")]
    ChangesAccess,
}

/// Fixes what is certain.
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
        // The last item of a list first, so that the others keep their places.
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
        // There was no policy, so there was no access to change.
        (None, _) => true,
    };
    if is_same { Ok(fixed) } else { Err(FixError::ChangesAccess) }
}

fn apply(root: &mut Table, fix: &Fix) {
    let Some((last, parents)) = fix.path.split_last() else { return };
    let mut place = Place::Table(root);
    for step in parents {
        match place.enter(step) {
            Some(next) => place = next,
            None => return,
        }
    }
    let is_empty = place.change(last, &fix.change);
    // An `allow` or an `implies` without anything in it says nothing.
    if is_empty
        && let Some((Step::Key(key), _)) = parents.split_last()
        && ["allow", "implies"].contains(&key.as_str())
    {
        apply(root, &Fix { path: parents.to_vec(), ..fix.clone() });
    }
}

/// Where in the document a step has led.
enum Place<'d> {
    Table(&'d mut Table),
    Inline(&'d mut InlineTable),
    Array(&'d mut toml_edit::Array),
}

impl<'d> Place<'d> {
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

    /// Whether nothing is left.
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

/// The keys keep their order, and what is written around them.
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

/// The space before the closing brace belongs to the last value, and stays.
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

/// So does the space around the first and the last item.
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
