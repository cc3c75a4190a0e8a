//! `policy lint --fix`: applies the fixes that do not change access, and keeps comments and layout.

mod insert;

use std::ops::Range;

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::{LintInputs, Stage, examine};
use crate::{
    CompiledPolicy,
    diagnostic::{Change, Edit, Fix, Source, Step},
    diff,
    line_ends::LineEnds,
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
    /// A fix made a text that is not TOML, which is a bug of this crate.
    #[error(
        "the fixes would make a file that is not TOML, so nothing was written; please report this"
    )]
    Syntax,
    /// A fix would have changed access, which is a bug of this crate.
    #[error("the fixes would change who may call what, so nothing was written; please report this")]
    ChangesAccess,
}

/// Applies every fix that does not change access to what has a rule. A file that is not TOML stays as
/// it is, because a fix could change the wrong part of it.
///
/// ```
/// use scopeward_policy::{diagnostic::Source, lint::{LintInputs, fix::{FixError, Fixed, fix}}};
///
/// /// The repaired text of a policy, and a line for each change.
/// fn repair(source: &Source, inputs: &LintInputs<'_>) -> Result<(String, Vec<String>), FixError> {
///     let Fixed { source, done, .. } = fix(source, inputs)?;
///     let lines = done.into_iter().map(|(line, what)| format!("line {line}: {what}")).collect();
///     Ok((source.text().to_owned(), lines))
/// }
/// ```
pub fn fix(source: &Source, inputs: &LintInputs<'_>) -> Result<Fixed, FixError> {
    let mut fixed = Fixed { source: source.clone(), done: vec![] };
    if source.text().parse::<DocumentMut>().is_err() {
        return Ok(fixed);
    }
    let mut now = examine(source, inputs, Stage::Advice);
    let before = now.policy.take();
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
        let text = apply_all(fixed.source.text(), &certain).ok_or(FixError::Syntax)?;
        let text = LineEnds::of(source.text()).kept(text);
        fixed.source = Source::new(source.path(), text);
        now = examine(&fixed.source, inputs, Stage::Advice);
    }
    let is_same = match (&before, &now.policy) {
        _ if fixed.done.is_empty() => true,
        (Some(before), Some(after)) => is_same_access(before, after),
        (Some(_), None) => false,
        // The file had a mistake before, so there was no access to change.
        (None, _) => true,
    };
    if is_same { Ok(fixed) } else { Err(FixError::ChangesAccess) }
}

/// Whether everything that had a rule before is for the same callers now. Where a fix defines the
/// scopes of a new rule, clients ask for more at first sign-in.
fn is_same_access(before: &CompiledPolicy, after: &CompiledPolicy) -> bool {
    let difference = diff::compare(before, after);
    let has_new_scopes = after.scopes().len() > before.scopes().len();
    difference.rules.iter().all(|change| before.rule(change.feature, &change.name).is_none())
        && (has_new_scopes || difference.settings.is_empty())
}

/// The text after the fixes; `None` if it would not be TOML.
pub(super) fn apply_all(text: &str, fixes: &[&Fix]) -> Option<String> {
    let mut document: Vec<(&[Step], &Change)> = vec![];
    let mut texts = vec![];
    for edit in fixes.iter().flat_map(|fix| &fix.edits) {
        match edit {
            Edit::Document(path, change) => document.push((path, change)),
            Edit::Text(span, replacement) => texts.push((span.clone(), replacement)),
        }
    }
    let text = replace_all(text, texts);
    // From the end of a list to its start, so that the positions of the other items stay right. Keys
    // are added last and in the order of the findings, which is that of the declarations.
    let (inserted, mut others): (Vec<_>, Vec<_>) =
        document.into_iter().partition(|(_, change)| matches!(change, Change::Insert(_)));
    others.sort_by(|one, other| other.0.cmp(one.0));
    if inserted.is_empty() && others.is_empty() {
        return Some(text);
    }
    let mut parsed: DocumentMut = text.parse().ok()?;
    for (path, change) in others {
        apply(parsed.as_table_mut(), path, change);
    }
    for (path, change) in inserted {
        if let Change::Insert(value) = change {
            insert::insert(&mut parsed, path, value);
        }
    }
    Some(parsed.to_string())
}

/// Replaces the byte ranges, from the last to the first. Of two that overlap the first one waits for
/// the next pass.
fn replace_all(text: &str, mut replaced: Vec<(Range<usize>, &String)>) -> String {
    replaced.sort_by_key(|(span, _)| span.start);
    let mut text = text.to_owned();
    let mut end = text.len();
    for (span, replacement) in replaced.into_iter().rev() {
        if span.end <= end && text.get(span.clone()).is_some() {
            end = span.start;
            text.replace_range(span, replacement);
        }
    }
    text
}

fn apply(root: &mut Table, path: &[Step], change: &Change) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut node = TomlNode::Table(root);
    for step in parents {
        match node.enter(step) {
            Some(next) => node = next,
            None => return,
        }
    }
    let is_empty = node.change(last, change);
    // An empty `allow` or `implies` has no effect, so it goes too.
    if is_empty
        && let Some((Step::Key(key), _)) = parents.split_last()
        && ["allow", "implies"].contains(&key.as_str())
    {
        apply(root, parents, change);
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
