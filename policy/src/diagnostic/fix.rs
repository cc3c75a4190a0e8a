//! A fix as data: the change of a TOML document. [`lint::fix`](crate::lint::fix) applies it.

/// A step into a TOML document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a table, by key.
    Key(String),
    /// Into a list, by position from 0.
    Item(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(item: usize) -> Self {
        Self::Item(item)
    }
}

/// The kind of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Remove the key or the item.
    Remove,
    /// Give the key this name.
    Rename(&'static str),
}

/// A change that removes a finding and leaves access as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The change in the imperative: "remove `relax`".
    pub title: String,
    /// The place in the document.
    pub path: Vec<Step>,
    /// The change at that place.
    pub change: Change,
}
