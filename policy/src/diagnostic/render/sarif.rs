//! Shows findings as SARIF 2.1.0 (OASIS), which code scanning services read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Kind, Source};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A SARIF log: one run of the tool `name` with these findings.
///
/// ```
/// use scopeward_policy::diagnostic::{Diagnostics, render};
///
/// fn show(found: &Diagnostics) -> String {
///     render::sarif(found, "todo", "1.0.0")
/// }
/// ```
pub fn sarif(found: &Diagnostics, name: &str, version: &str) -> String {
    let kinds: BTreeMap<&str, Kind> = found.iter().map(|f| (f.kind.id, f.kind)).collect();
    let rules: Vec<Value> = kinds.values().map(rule).collect();
    let index = |id: &str| kinds.keys().position(|known| *known == id);
    let results: Vec<Value> =
        found.iter().map(|f| result(f, index(f.kind.id), found.source())).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": name, "version": version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(kind: &Kind) -> Value {
    json!({
        "id": kind.id,
        "name": kind.name,
        "shortDescription": { "text": kind.summary },
        "help": { "text": format!("policy lint --explain {}", kind.id) },
    })
}

fn result(finding: &Diagnostic, rule: Option<usize>, source: &Source) -> Value {
    let mut text = finding.message.clone();
    for help in &finding.help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    let related: Vec<Value> = finding
        .context
        .iter()
        .map(|(span, label)| {
            let mut place = location(span, source);
            place["message"] = json!({ "text": label });
            place
        })
        .collect();
    json!({
        "ruleId": finding.kind.id,
        "ruleIndex": rule,
        "level": finding.severity.as_str(),
        "message": { "text": text },
        "locations": [location(&finding.span, source)],
        "relatedLocations": related,
    })
}

fn location(span: &std::ops::Range<usize>, source: &Source) -> Value {
    let ((line, column), (end_line, end_column)) = source.region(span);
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(source.path()) },
            "region": {
                "startLine": line,
                "startColumn": column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        },
    })
}

/// A path as a relative URI reference (RFC 3986), escaped by the URL parser.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut url = url::Url::parse("file:///").ok();
    if let Some(url) = &mut url {
        url.set_path(&path.replace('%', "%25").replace('?', "%3F").replace('#', "%23"));
    }
    match url {
        Some(url) if path.starts_with('/') => url.to_string(),
        Some(url) => url.path().trim_start_matches('/').to_owned(),
        None => path,
    }
}
