//! Shows findings in a terminal, with source lines and underlines, as `rustc` does.

use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet,
};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source, counted};

/// The most findings that are shown, because a file with more of them has one cause, and nobody reads
/// on. The other formats have all of them.
const MOST_SHOWN: usize = 500;
/// Places at most this many lines before or after the finding are shown together with it. Others are
/// shown apart, so that the renderer does not look at all lines between them.
const NEAR: usize = 50;
/// The most bytes of source that one place is shown with. A place in a longer line is only named.
const MOST_BYTES: usize = 16 * 1024;

/// The findings for a person, with colour if `colour` is set.
///
/// ```
/// use scopeward_policy::diagnostic::{Diagnostics, render};
///
/// fn show(found: &Diagnostics) -> String {
///     render::terminal(found, false)
/// }
/// ```
pub fn terminal(found: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in found.iter().take(MOST_SHOWN) {
        let id = format!("{} {}", finding.kind().id, finding.kind().name);
        text.push_str(&renderer.render(&[group(finding, &id, found.source())]));
        text.push_str("\n\n");
    }
    let more = found.iter().len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        let more = counted(u64::try_from(more).unwrap_or(u64::MAX), "more finding");
        text.push_str(&format!("… and {more} that are not shown here\n\n"));
    }
    text
}

fn group<'a>(finding: &'a Diagnostic, id: &'a str, source: &'a Source) -> Group<'a> {
    let level = match finding.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let primary = Place::new(source, &finding.span, AnnotationKind::Primary, &finding.label);
    let context = finding.context.iter();
    let context =
        context.map(|(span, label)| Place::new(source, span, AnnotationKind::Context, label));
    let is_near = |place: &Place<'_>| place.lines.start.abs_diff(primary.lines.start) <= NEAR;
    let (near, far): (Vec<Place<'_>>, Vec<Place<'_>>) = context.partition(is_near);
    let near = std::iter::once(primary).chain(near).collect();
    level
        .primary_title(&finding.message)
        .id(id)
        .element(element(source, near))
        .elements(far.into_iter().map(|place| element(source, vec![place])))
        .elements(finding.notes.iter().map(|note| Level::NOTE.message(note)))
        .elements(finding.help.iter().map(|help| Level::HELP.message(help)))
}

/// A place of a finding.
struct Place<'a> {
    kind: AnnotationKind,
    span: Range<usize>,
    /// Its first and its last line, which count from 1.
    lines: Range<usize>,
    label: &'a str,
}

impl<'a> Place<'a> {
    fn new(source: &Source, span: &Range<usize>, kind: AnnotationKind, label: &'a str) -> Self {
        let mut span = source.clamp(span);
        let (first, _) = source.position(span.start);
        let (mut last, _) = source.position(span.end);
        if last - first > NEAR {
            // Of a place with many lines only the first one is shown.
            last = first;
            span.end = span.start;
        }
        Self { kind, span, lines: first..last, label }
    }

    fn annotation(self, start: usize) -> Annotation<'a> {
        let annotation = self.kind.span(self.span.start - start..self.span.end - start);
        if self.label.is_empty() && matches!(self.kind, AnnotationKind::Primary) {
            annotation
        } else {
            annotation.label(self.label)
        }
    }
}

/// The source lines of some places that are near each other, with what is said of them.
fn element<'a>(source: &'a Source, places: Vec<Place<'a>>) -> Element<'a> {
    let first = places.iter().map(|place| place.lines.start).min().unwrap_or(1);
    let last = places.iter().map(|place| place.lines.end).max().unwrap_or(1);
    // The place after the last newline is shown at the end of the line before it.
    let first = if source.line(first).is_empty() { first.saturating_sub(1).max(1) } else { first };
    let window = source.line(first).start..source.line(last).end;
    if window.len() > MOST_BYTES {
        let at = places.first().map_or(0, |place| place.span.start);
        let (line, column) = source.position(at);
        return Origin::path(source.path()).line(line).char_column(column).into();
    }
    Snippet::source(source.text().get(window.clone()).unwrap_or_default())
        .line_start(first)
        .path(source.path())
        .annotations(places.into_iter().map(|place| place.annotation(window.start)))
        .into()
}
