//! The command `policy lint`, which prints findings for people and for CI.

use std::{path::PathBuf, time::SystemTime};

use crate::{
    cli::{Deployment, Failure, Verdict, files, repository},
    policy::{
        Registry,
        diagnostic::{Diagnostics, Severity, nearest, render},
        lint::{self, LintInputs, Stage},
    },
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LintArguments {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// Fail on findings of this severity or worse
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Deny::Error)]
    deny: Deny,
    /// Apply the fixes that are safe, and keep comments and layout
    #[arg(long)]
    fix: bool,
    /// Explain a lint, by id or name; `all` lists all lints
    #[arg(long, value_name = "LINT", conflicts_with_all = ["fix", "format"])]
    explain: Option<String>,
    /// The snapshot of the registered scopes, in place of registered-scopes.toml beside the policy
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Text with source lines and underlines
    Terminal,
    /// JSON, with one object for each finding
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub workflow annotations
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    Error,
    Warning,
}

pub(super) fn lint(
    deployment: &Deployment,
    registry: &Registry,
    server: (&str, &str),
    arguments: &LintArguments,
) -> Result<Verdict, Failure> {
    if let Some(word) = &arguments.explain {
        return explain(word);
    }
    let mut source = deployment.source()?;
    let snapshot = deployment.snapshot(arguments.snapshot.as_deref())?;
    let inputs = LintInputs { registry, snapshot: snapshot.as_ref(), now: SystemTime::now() };
    if arguments.fix {
        let fixed = lint::fix::fix(&source, &inputs).map_err(Failure::refused)?;
        for (line, what) in &fixed.done {
            errln!("{}:{line}: {what}", source.path());
        }
        if fixed.source.text() != source.text() {
            files::replace(deployment.policy_path(), fixed.source.text())?;
        }
        source = fixed.source;
    }
    let found = lint::examine(&source, &inputs, Stage::Advice).found;
    // A service that shows the findings looks for the file from the repository's root.
    let found = match arguments.format {
        Format::Sarif | Format::Github => match repository::path_inside(deployment.policy_path()) {
            Some(path) => found.at(path),
            None => found,
        },
        Format::Terminal | Format::Json => found,
    };
    print(&found, server, arguments.format);
    let least = match arguments.deny {
        Deny::Error => Severity::Error,
        Deny::Warning => Severity::Warning,
    };
    Ok(Verdict::of(found.count(least) == 0))
}

fn print(found: &Diagnostics, (name, version): (&str, &str), format: Format) {
    match format {
        Format::Terminal => {
            out!("{}", render::terminal(found, true));
            outln!("{}", summary(found));
        }
        Format::Json => out_raw!("{}", render::json(found)),
        Format::Sarif => out_raw!("{}", render::sarif(found, name, version)),
        Format::Github => out_raw!("{}", render::github(found)),
    }
}

fn summary(found: &Diagnostics) -> String {
    let errors = found.count(Severity::Error);
    let warnings = found.count(Severity::Warning) - errors;
    let path = found.source().path();
    let count = |number: usize, what: &str| {
        format!("{number} {what}{}", if number == 1 { "" } else { "s" })
    };
    match (errors, warnings) {
        (0, 0) => format!("{path}: no findings"),
        _ => format!(
            "{path}: {}, {}; `policy lint --explain ID` explains each",
            count(errors, "error"),
            count(warnings, "warning")
        ),
    }
}

fn explain(word: &str) -> Result<Verdict, Failure> {
    if let Some(page) = lint::explain(word) {
        out!("{page}");
        return Ok(Verdict::Good);
    }
    let names: Vec<&str> = lint::kinds().flat_map(|kind| [kind.id, kind.name]).collect();
    let help = match nearest(word, names) {
        Some(right) => format!("did you mean `{right}`?"),
        None => "`policy lint --explain all` lists them".to_owned(),
    };
    Err(Failure::refused(format!("there is no lint named `{word}`\n  = help: {help}")))
}
