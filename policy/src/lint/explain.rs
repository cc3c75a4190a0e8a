//! `policy lint --explain`: the documentation of each lint and each mistake.

use super::{Example, Lint, catalogue};
use crate::{
    diagnostic::Severity,
    {Declaration, Feature},
};

/// The documentation of the lint or mistake with this id or name; `all` gives the list of them.
pub fn explain(word: &str) -> Option<String> {
    if word == "all" {
        return Some(list());
    }
    if let Some(lint) = catalogue::find(word) {
        return Some(page(lint));
    }
    let kind = catalogue::kinds().find(|kind| kind.is_called(word))?;
    Some(format!(
        "{} {}: error, a mistake of the file\n\n{}\n\nWith such a mistake there is no policy: the \
         server does not start, and a running one keeps the last good policy.\n",
        kind.id, kind.name, kind.summary
    ))
}

fn list() -> String {
    catalogue::kinds()
        .map(|kind| format!("{}  {:23}  {}\n", kind.id, kind.name, kind.summary))
        .collect()
}

fn page(lint: &Lint) -> String {
    let severity = lint.severity.as_str();
    let level = match (lint.is_fixed(), lint.severity) {
        (true, _) => format!("{severity}, part of the startup check"),
        (false, Severity::Error) => {
            format!("{severity}; `{} = \"off\"` in `[lint]` turns it off", lint.kind.name)
        }
        (false, _) => {
            format!("{severity}; \"error\" or \"off\" for `{}` in `[lint]`", lint.kind.name)
        }
    };
    format!(
        "{} {}: {level}\n\n{}\n\n{}\n\nFound{}\nNot found{}",
        lint.kind.id,
        lint.kind.name,
        lint.kind.summary,
        lint.why,
        example(&lint.bad),
        example(&lint.good),
    )
}

fn example(example: &Example) -> String {
    let tools: Vec<String> = example.declared.iter().map(declaration).collect();
    let with = if tools.is_empty() { String::new() } else { format!(" with {}", tools.join(", ")) };
    let lines = |text: &str| -> String {
        text.trim().lines().map(|line| format!("    {line}\n").replace("    \n", "\n")).collect()
    };
    let snapshot = example.snapshot.map_or_else(String::new, |snapshot| {
        format!("\nand this registered-scopes.toml:\n\n{}", lines(snapshot))
    });
    format!("{with}:\n\n{}{snapshot}", lines(example.policy))
}

pub(crate) fn declaration(tool: &Declaration) -> String {
    let scopes: Vec<String> = tool.scopes().iter().map(|scope| format!("\"{scope}\"")).collect();
    let what = if tool.feature() != Feature::Tool {
        return format!(
            "the {} `{}` (scopes = [{}])",
            tool.feature(),
            tool.name(),
            scopes.join(", ")
        );
    } else if tool.is_read_only() {
        ", read-only"
    } else if tool.says_what_it_changes() && tool.is_destructive() {
        ", destructive"
    } else {
        ""
    };
    format!("`{}` (scopes = [{}]{what})", tool.name(), scopes.join(", "))
}
