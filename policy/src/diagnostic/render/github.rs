//! Shows findings as GitHub's workflow commands, which become annotations on the lines of the file.

use crate::diagnostic::Diagnostics;

/// One line for each finding: `::error file=policy.toml,line=18,col=1,…::message`.
///
/// ```
/// use scopeward_policy::diagnostic::{Diagnostics, render};
///
/// fn show(found: &Diagnostics) -> String {
///     render::github(found)
/// }
/// ```
pub fn github(found: &Diagnostics) -> String {
    let source = found.source();
    let mut text = String::new();
    for finding in found {
        let ((line, column), (end_line, end_column)) = source.region(&finding.span);
        let mut message = finding.message.clone();
        for note in &finding.notes {
            message.push_str(&format!("\nnote: {note}"));
        }
        for help in &finding.help {
            message.push_str(&format!("\nhelp: {help}"));
        }
        let title = format!("{} {}", finding.kind.id, finding.kind.name);
        text.push_str(&format!(
            "::{} file={},line={line},endLine={end_line},col={column},endColumn={end_column},title={}::{}\n",
            finding.severity.as_str(),
            property(source.path()),
            property(&title),
            data(&message),
        ));
    }
    text
}

/// Escapes the characters that would end the message of a command early, as the runner expects it
/// (`@actions/core`, `command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes as [`data`] does, and also the characters that would end a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
