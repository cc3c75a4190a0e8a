//! A fix as data: changes of a TOML document. [`lint::fix`](crate::lint::fix) applies them.

use std::ops::Range;

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
    /// Add the key with this value, which is TOML. Tables on the way to it are made where they are
    /// missing.
    Insert(String),
}

/// One change of a policy file.
///
/// ```
/// use scopeward_policy::diagnostic::{Edit, Fix};
///
/// let fix = Fix::text("correct the word", 4..8, "read");
/// assert!(matches!(&fix.edits[..], [Edit::Text(_, text)] if text == "read"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A change at a place in the document.
    Document(Vec<Step>, Change),
    /// Another text for a byte range of the source.
    Text(Range<usize>, String),
}

/// Changes that remove a finding and leave access as it is. They give access only to what had no
/// rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The changes in the imperative: "remove `relax`".
    pub title: String,
    /// The changes.
    pub edits: Vec<Edit>,
}

impl Fix {
    /// A change at a place in the document.
    pub fn new(title: impl Into<String>, path: Vec<Step>, change: Change) -> Self {
        Self { title: title.into(), edits: vec![Edit::Document(path, change)] }
    }

    /// Another text for a byte range of the source.
    pub fn text(title: impl Into<String>, span: Range<usize>, text: impl Into<String>) -> Self {
        Self { title: title.into(), edits: vec![Edit::Text(span, text.into())] }
    }

    /// The same fix with one more change.
    #[must_use]
    pub fn and(mut self, path: Vec<Step>, change: Change) -> Self {
        self.edits.push(Edit::Document(path, change));
        self
    }
}
