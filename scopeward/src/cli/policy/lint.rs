//! The command `policy lint`, which prints findings for people and for CI.

use std::{path::PathBuf, time::SystemTime};

use crate::{
    cli::{Deployment, Failure, Verdict, env_file, files, repository},
    policy::{
        CompiledPolicy, Registry, ResourceUrl,
        diagnostic::{Diagnostics, Severity, nearest, render},
        lint::{self, Deployed, LintInputs, Stage},
        written_url,
    },
    serve::startup,
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
    #[arg(long, value_name = "LINT", conflicts_with_all = ["fix", "format", "deny", "snapshot"])]
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
    let snapshot = deployment.snapshot_beside(&source, arguments.snapshot.as_deref())?;
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
    let url = match deployment.address_of(&source) {
        Ok(url) => Some(url),
        // No server starts with such a URL of the deployment, whatever the policy says.
        Err(error) if deployment.says_url() => return Err(error.into()),
        // A finding says that the policy has no URL.
        Err(_) => None,
    };
    let variable = |name: &str| deployment.settings.get(name);
    let mut deployed =
        Deployed::default().with_variables(&variable).here(env_file::find().is_some());
    let mut faults = vec![];
    if let Some(url) = &url {
        deployed = deployed.at(url);
        if let Ok(policy) = CompiledPolicy::compile(source.clone()) {
            faults = startup::faults(deployment, &policy.at(url.clone()));
            deployed = deployed.refused_by_program(&faults);
        }
    }
    let found = lint::examine_for(&source, &inputs, Stage::Advice, &deployed).found;
    // A service that shows the findings looks for the file from the repository's root.
    let found = match arguments.format {
        Format::Sarif | Format::Github => match repository::path_inside(deployment.policy_path()) {
            Some(path) => found.at(path),
            None => found,
        },
        Format::Terminal | Format::Json => found,
    };
    let is_judged_elsewhere = |url: &&ResourceUrl| {
        deployment.says_url() && !written_url(&source).is_some_and(|written| url.matches(&written))
    };
    print(&found, server, arguments.format, url.as_ref().filter(is_judged_elsewhere));
    let least = match arguments.deny {
        Deny::Error => Severity::Error,
        Deny::Warning => Severity::Warning,
    };
    Ok(Verdict::of(found.count(least) == 0))
}

/// Prints the findings. `elsewhere` is the URL that was judged, if it is not the policy's.
fn print(
    found: &Diagnostics,
    (name, version): (&str, &str),
    format: Format,
    elsewhere: Option<&ResourceUrl>,
) {
    match format {
        Format::Terminal => {
            out!("{}", render::terminal(found, true));
            outln!("{}", summary(found));
            if let Some(url) = elsewhere {
                outln!("  = note: judged at {url}, the URL of this deployment (MCP_URL or --url)");
            }
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
