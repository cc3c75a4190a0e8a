//! Adds a key with its value to a document, below the keys that are there, in their layout.

use toml_edit::{DocumentMut, InlineTable, Item, Key, Table, Value};

use crate::diagnostic::Step;

/// Adds the key at `path` with this value. A key that is there stays as it is.
pub(super) fn insert(document: &mut DocumentMut, path: &[Step], value: &str) {
    let Ok(value) = value.parse::<Value>() else { return };
    match path {
        [Step::Key(key)] => insert_in_table(document.as_table_mut(), key, value),
        [Step::Key(table), Step::Key(key)] => {
            let item = document.as_table_mut().entry(table).or_insert_with(new_table);
            match item {
                Item::Table(table) => insert_in_table(table, key, value),
                Item::Value(Value::InlineTable(table)) => insert_in_line(table, key, value),
                _ => {}
            }
        }
        _ => {}
    }
}

/// A table below the others, with a blank line above it.
fn new_table() -> Item {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    Item::Table(table)
}

fn insert_in_table(table: &mut Table, name: &str, value: Value) {
    if table.contains_key(name) {
        return;
    }
    // `[tools.create_todo]` alone makes a table `[tools]` without a header.
    table.set_implicit(false);
    // The indentation of the last key, without the comments above it.
    let indent = table.iter().filter(|(_, item)| item.is_value()).last().and_then(|(last, _)| {
        let prefix = table.key(last)?.leaf_decor().prefix()?.as_str()?;
        let line = prefix.rsplit('\n').next().unwrap_or(prefix);
        line.trim().is_empty().then(|| line.to_owned())
    });
    let mut key = Key::new(name);
    if let Some(indent) = indent {
        key.leaf_decor_mut().set_prefix(indent);
    }
    table.insert_formatted(&key, Item::Value(value));
}

/// Adds the key at the end of `{ … }`. The space before the closing brace goes behind the new value.
fn insert_in_line(table: &mut InlineTable, name: &str, mut value: Value) {
    if table.contains_key(name) {
        return;
    }
    let space = table.iter_mut().last().and_then(|(_, last)| {
        let space = last.decor().suffix().cloned();
        last.decor_mut().set_suffix("");
        space
    });
    value.decor_mut().set_prefix(" ");
    if let Some(space) = space {
        value.decor_mut().set_suffix(space);
    }
    table.insert(name, value);
}
