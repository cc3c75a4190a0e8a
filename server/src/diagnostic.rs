//! What is wrong, where, and what to do next: one type for every finding about the policy.
//!
//! A [`Diagnostic`] is plain data. [`render`](Diagnostics::render) shows a list of them as `rustc`
//! shows its own.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The policy works, and something in it deserves a look.
    Warning,
    /// The policy cannot be used.
    Error,
}

/// A file's text, for line and column.
#[derive(Debug, Clone)]
pub struct Source {
    path: String,
    text: String,
}

impl Source {
    /// A text and the path that messages show for it.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
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
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// One finding.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    code: &'static str,
    message: String,
    span: Range<usize>,
    label: String,
    context: Vec<(Range<usize>, String)>,
    notes: Vec<String>,
    help: Vec<String>,
}

impl Diagnostic {
    /// An error about `span`, a byte range of the source. `code` is stable: scripts match on it.
    pub fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span, message.into())
    }

    /// A warning about `span`.
    pub fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span, message.into())
    }

    fn new(severity: Severity, code: &'static str, span: Range<usize>, message: String) -> Self {
        Self {
            severity,
            code,
            message,
            span,
            label: String::new(),
            context: vec![],
            notes: vec![],
            help: vec![],
        }
    }

    /// What to write beside the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place in the same file that explains the finding.
    #[must_use]
    pub fn context(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.context.push((span, label.into()));
        self
    }

    /// A fact that explains the finding.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// What to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The stable code of this kind of finding, such as `unknown-tool`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The finding in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The byte range that it is about.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn groups<'a>(&'a self, source: &'a Source) -> [Group<'a>; 1] {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let inside = |span: &Range<usize>| clamp(source.text(), span);
        let primary = AnnotationKind::Primary.span(inside(&self.span));
        let snippet = Snippet::source(source.text())
            .path(source.path())
            .annotation(if self.label.is_empty() { primary } else { primary.label(&self.label) })
            .annotations(
                self.context
                    .iter()
                    .map(|(span, label)| AnnotationKind::Context.span(inside(span)).label(label)),
            );
        [level
            .primary_title(&self.message)
            .id(self.code)
            .element(snippet)
            .elements(self.notes.iter().map(|note| Level::NOTE.message(note)))
            .elements(self.help.iter().map(|help| Level::HELP.message(help)))]
    }
}

/// A span that the renderer can draw: inside the text, on character boundaries, not backwards.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end).max(start)
}

/// Findings about one source.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    source: Source,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Findings in the order of the file.
    pub fn new(source: Source, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|finding| (finding.span.start, finding.code));
        Self { source, list }
    }

    /// Each finding.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The source that they are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// For a person: source lines, underlines and help, as `rustc` prints them.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for finding in &self.list {
            text.push_str(&renderer.render(&finding.groups(&self.source)));
            text.push_str("\n\n");
        }
        text
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line per finding: `policy.toml:18:1: error: …`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.list.iter().enumerate() {
            let (line, column) = self.source.position(finding.span.start);
            let severity = match finding.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            if index > 0 {
                f.write_str("\n")?;
            }
            let path = &self.source.path;
            write!(f, "{path}:{line}:{column}: {severity}: {}", finding.message)?;
        }
        Ok(())
    }
}

/// "Did you mean": the known name nearest to `wrong`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("p", "ab\nç = 1\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(3), (2, 1));
        assert_eq!(source.position(5), (2, 2), "after the two bytes of ç");
        assert_eq!(source.position(usize::MAX), (3, 1));
    }

    #[test]
    fn a_span_outside_the_text_does_not_panic() {
        let source = Source::new("p", "ç");
        let backwards = std::ops::Range { start: 9, end: 3 };
        let list =
            vec![Diagnostic::error("x", 1..900, "m"), Diagnostic::error("y", backwards, "n")];
        let rendered = Diagnostics::new(source, list).render(false);
        assert!(rendered.contains("error[x]: m") && rendered.contains("error[y]: n"), "{rendered}");
    }

    #[test]
    fn the_nearest_name_must_be_near() {
        assert_eq!(nearest("creat_todo", ["create_todo", "get_todo"]), Some("create_todo"));
        assert_eq!(nearest("zebra", ["create_todo", "get_todo"]), None);
    }
}
