//! A mistake in a condition, with its place in the text of the condition.

use std::ops::Range;

/// A mistake in a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionFault {
    /// The mistake in one sentence.
    pub(crate) message: String,
    /// The byte range in the text of the condition.
    pub(crate) span: Range<usize>,
    /// The text beside the underlined place.
    pub(crate) label: String,
    pub(crate) help: Vec<String>,
    /// What to write in place of which byte ranges, if that is certain.
    pub(crate) fix: Option<ConditionFix>,
}

/// A certain change of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionFix {
    pub(crate) title: String,
    /// The byte ranges in the text of the condition, and what replaces them.
    pub(crate) edits: Vec<(Range<usize>, String)>,
}

impl ConditionFault {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, label: String::new(), help: vec![], fix: None }
    }

    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Replaces the underlined text.
    pub(crate) fn replace_by(self, text: &str) -> Self {
        let edits = vec![(self.span.clone(), text.to_owned())];
        self.fix(format!("write `{text}`"), edits)
    }

    /// Whether the fix of this fault changes the place of another one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let edits = self.fix.iter().flat_map(|fix| &fix.edits);
        edits.map(|(range, _)| range).any(|range| range.contains(&other.span.start))
    }

    /// Adds the fix of a further fault, so that one finding names all of them. `written` is what that
    /// one replaces.
    pub(super) fn also(&mut self, written: &str, other: Self) {
        if let (Some(own), Some(other)) = (&mut self.fix, other.fix) {
            own.edits.extend(other.edits);
            own.title += &format!(", and for `{written}` {}", other.title);
        }
    }

    pub(crate) fn fix(self, title: String, edits: Vec<(Range<usize>, String)>) -> Self {
        Self { fix: Some(ConditionFix { title, edits }), ..self }
    }
}
