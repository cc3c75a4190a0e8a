//! Shows findings as JSON, for programs.

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source};

/// One object: `{ "findings": […], "errors": 1, "warnings": 2 }`. Lines and columns count from 1;
/// columns count characters, and the end is the first character after the finding.
///
/// ```
/// use scopeward_policy::diagnostic::{Diagnostics, render};
///
/// fn show(found: &Diagnostics) -> String {
///     render::json(found)
/// }
/// ```
pub fn json(found: &Diagnostics) -> String {
    let errors = found.count(Severity::Error);
    let findings: Vec<Value> = found.iter().map(|f| finding(f, found.source())).collect();
    let warnings = findings.len() - errors;
    format!("{:#}\n", json!({ "findings": findings, "errors": errors, "warnings": warnings }))
}

fn finding(finding: &Diagnostic, source: &Source) -> Value {
    let mut object = json!({
        "id": finding.kind.id,
        "name": finding.kind.name,
        "severity": finding.severity.as_str(),
        "message": finding.message,
        "path": source.path(),
        "label": finding.label,
        "notes": finding.notes,
        "help": finding.help,
        "fix": finding.fix.as_ref().map(|fix| &fix.title),
    });
    let ((line, column), (end_line, end_column)) = source.region(&finding.span);
    object["line"] = line.into();
    object["column"] = column.into();
    object["end_line"] = end_line.into();
    object["end_column"] = end_column.into();
    object
}
