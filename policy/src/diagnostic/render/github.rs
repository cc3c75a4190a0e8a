//! GitHub's workflow commands: each finding becomes an annotation on its line.

use crate::diagnostic::Diagnostics;

/// `::error file=policy.toml,line=18,col=1,…::message`, one line for each finding.
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

/// What would end a command's message early, escaped as the runner expects
/// (`@actions/core`, `command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As [`data`], and what would end a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
