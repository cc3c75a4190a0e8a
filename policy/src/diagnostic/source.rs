//! A file's text, with line and column.

use std::{ops::Range, sync::Arc};

/// A file's text, for line and column. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source {
    path: Arc<str>,
    text: Arc<str>,
    /// The offset at which each line starts.
    lines: Arc<[usize]>,
}

impl Source {
    /// A text and the path that messages show for it.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let starts = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self { path: path.into(), text, lines }
    }

    /// The path as messages show it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        // The first line starts at 0, so there is always one at or before the offset.
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// `path:line:column` of a byte offset, as messages write it.
    pub fn place(&self, offset: usize) -> String {
        let (line, column) = self.position(offset);
        format!("{}:{line}:{column}", self.path)
    }

    /// Where a span begins, and where the next character after it would be: line and column each.
    pub(crate) fn region(&self, span: &Range<usize>) -> ((usize, usize), (usize, usize)) {
        let span = self.clamp(span);
        (self.position(span.start), self.position(span.end))
    }

    /// A span inside the text, on character boundaries, not backwards.
    pub(crate) fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("p", "ab\nç = 1\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(2), (1, 3));
        assert_eq!(source.position(3), (2, 1));
        assert_eq!(source.position(5), (2, 2), "after the two bytes of ç");
        assert_eq!(source.position(usize::MAX), (3, 1));
        assert_eq!(Source::new("p", "").position(7), (1, 1));
    }
}
