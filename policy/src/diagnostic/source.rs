//! The text of a file, and the line and column of each place in it.

use std::{ops::Range, sync::Arc};

use crate::line_ends::BYTE_ORDER_MARK;

/// The text of a file and its path. Clones share the text.
///
/// ```
/// use scopeward_policy::diagnostic::Source;
///
/// let source = Source::new("policy.toml", "version = 1\n[tools]\n");
/// assert_eq!(source.path(), "policy.toml");
/// assert_eq!(source.position(12), (2, 1));
/// assert_eq!(source.place(12), "policy.toml:2:1");
/// assert_eq!(source.text().len(), 20);
/// ```
#[derive(Debug, Clone)]
pub struct Source {
    path: Arc<str>,
    text: Arc<str>,
    /// The offset at which each line starts.
    lines: Arc<[usize]>,
    /// The number of characters before each block of [`BLOCK`] bytes.
    characters: Arc<[usize]>,
}

/// The bytes between two counts of the characters, so that a column in a long line is found without
/// counting from its start.
const BLOCK: usize = 1024;

/// How many characters begin in these bytes of a text.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

impl Source {
    /// Takes the text, and the path that messages show for it.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let starts = text.match_indices('\n').map(|(newline, _)| newline + 1);
        // A byte-order mark is no part of the first line, because no editor shows it.
        let first = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let lines = std::iter::once(first).chain(starts).collect();
        let counts = text.as_bytes().chunks(BLOCK).scan(0, |before, block| {
            let here = *before;
            *before += count_characters(block);
            Some(here)
        });
        let characters = counts.collect();
        Self { path: path.into(), text, lines, characters }
    }

    /// The same text, at another path for messages.
    ///
    /// ```
    /// use scopeward_policy::diagnostic::{Diagnostics, Source};
    ///
    /// let source = Source::new("policy.toml", "version = 1\n").at("deploy/policy.toml");
    /// assert_eq!(source.path(), "deploy/policy.toml");
    /// let found = Diagnostics::new(source, vec![]).at("/srv/policy.toml");
    /// assert_eq!(found.source().path(), "/srv/policy.toml");
    /// ```
    #[must_use]
    pub fn at(mut self, path: impl Into<Arc<str>>) -> Self {
        self.path = path.into();
        self
    }

    /// The path as messages show it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and column of a byte offset. Both count from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let first = self.lines.first().copied().unwrap_or(0);
        let offset = self.text.floor_char_boundary(offset).max(first);
        // `offset` is not before the first line, so at least one line starts at or before it.
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.characters_before(offset) - self.characters_before(start) + 1)
    }

    /// How many characters begin before this offset.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let rest = self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default();
        // A text that ends with a block has no count for what follows.
        let before = self.characters.get(block).copied().unwrap_or_else(|| {
            let last = self.characters.len().saturating_sub(1);
            let bytes = self.text.as_bytes().get(last * BLOCK..offset).unwrap_or_default();
            self.characters.last().copied().unwrap_or(0) + count_characters(bytes)
        });
        before + count_characters(rest)
    }

    /// The offset at which a line starts, and that at which the next one does. Lines count from 1.
    pub(crate) fn line(&self, line: usize) -> Range<usize> {
        let at = |line: usize| self.lines.get(line).copied().unwrap_or(self.text.len());
        at(line.saturating_sub(1))..at(line)
    }

    /// The place of a byte offset as messages show it: `path:line:column`.
    pub fn place(&self, offset: usize) -> String {
        let (line, column) = self.position(offset);
        format!("{}:{line}:{column}", self.path)
    }

    /// The line and column of the start of a span, and of the first character after it.
    pub(crate) fn region(&self, span: &Range<usize>) -> ((usize, usize), (usize, usize)) {
        let span = self.clamp(span);
        (self.position(span.start), self.position(span.end))
    }

    /// The span, moved inside the text and to character boundaries, with its end not before its start.
    pub(crate) fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let first = self.lines.first().copied().unwrap_or(0);
        let start = self.text.floor_char_boundary(span.start).max(first);
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

    #[test]
    fn a_byte_order_mark_moves_no_column() {
        let source = Source::new("p", "\u{feff}ab\ncd");
        let positions = [0, 3, 4, 6, 7].map(|offset| source.position(offset));
        assert_eq!(positions, [(1, 1), (1, 1), (1, 2), (2, 1), (2, 2)]);
        assert_eq!((source.line(1), source.clamp(&(0..1))), (3..6, 3..3));
    }

    #[test]
    fn columns_of_long_lines_are_those_of_counting() {
        for repeats in [0, 1, 511, 512, 513, 2_000] {
            let text = "aç\n".to_owned() + &"ç".repeat(repeats) + "x" + &"y".repeat(repeats);
            let source = Source::new("p", text.as_str());
            for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
                let before = &text[..offset];
                let start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let column = text[start..offset].chars().count() + 1;
                let line = before.matches('\n').count() + 1;
                assert_eq!(source.position(offset), (line, column), "{repeats}, {offset}");
            }
        }
    }
}
