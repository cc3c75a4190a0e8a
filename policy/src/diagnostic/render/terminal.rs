//! Shows findings in a terminal, with source lines and underlines, as `rustc` does.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source};

/// The findings for a person, with colour if `colour` is set.
pub fn terminal(found: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in found {
        let id = format!("{} {}", finding.kind().id, finding.kind().name);
        text.push_str(&renderer.render(&[group(finding, &id, found.source())]));
        text.push_str("\n\n");
    }
    text
}

fn group<'a>(finding: &'a Diagnostic, id: &'a str, source: &'a Source) -> Group<'a> {
    let level = match finding.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let primary = AnnotationKind::Primary.span(source.clamp(&finding.span));
    let context = finding.context.iter().map(|(span, label)| {
        AnnotationKind::Context.span(source.clamp(span)).label(label.as_str())
    });
    let snippet = Snippet::source(source.text())
        .path(source.path())
        .annotation(match finding.label.as_str() {
            "" => primary,
            label => primary.label(label),
        })
        .annotations(context);
    level
        .primary_title(&finding.message)
        .id(id)
        .element(snippet)
        .elements(finding.notes.iter().map(|note| Level::NOTE.message(note)))
        .elements(finding.help.iter().map(|help| Level::HELP.message(help)))
}
