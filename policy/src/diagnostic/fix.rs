//! A fix as data: what to change in a TOML document, not how.

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

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Take the key or the item away.
    Remove,
    /// Give the key another name.
    Rename(&'static str),
}

/// A change that is certain: it leaves who may call what as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, in the imperative: "remove `relax`".
    pub title: String,
    /// Where.
    pub path: Vec<Step>,
    /// What.
    pub change: Change,
}
