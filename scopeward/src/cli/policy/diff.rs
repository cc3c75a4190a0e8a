//! The command `policy diff`: who gains and who loses access between two policies.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{
        CompiledPolicy,
        diagnostic::Source,
        diff::{self, Difference},
    },
    serve::{StartError, deployment},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DiffArguments {
    /// The old policy; with --git, the new policy
    #[arg(value_name = "OLD", required_unless_present = "git")]
    first: Option<PathBuf>,
    /// The new policy; by default the policy file
    #[arg(value_name = "NEW", conflicts_with = "git")]
    second: Option<PathBuf>,
    /// Take the old policy from this revision of the Git repository
    #[arg(long, value_name = "REV")]
    git: Option<String>,
    /// How to print the difference
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail if a caller gains (widening) or loses (narrowing) access
    #[arg(long, value_enum, value_name = "DIRECTION")]
    deny: Vec<Direction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    /// Markdown, for a comment on a pull request
    Markdown,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Direction {
    Widening,
    Narrowing,
}

pub(super) fn diff(deployment: &Deployment, arguments: &DiffArguments) -> Result<Verdict, Failure> {
    let policy = deployment.policy_path();
    let (old, new) = match (&arguments.git, &arguments.first) {
        (Some(revision), path) => {
            let path = path.as_deref().unwrap_or(policy);
            let new = compile(deployment::read(path)?)?;
            (at_revision(revision, path, &new)?, new)
        }
        (None, first) => {
            let old = first.as_deref().unwrap_or(policy);
            let new = arguments.second.as_deref().unwrap_or(policy);
            (compile(deployment::read(old)?)?, compile(deployment::read(new)?)?)
        }
    };
    let difference = diff::compare(&old, &new);
    match arguments.format {
        Format::Text => anstream::print!("{}", diff::text(&difference)),
        Format::Markdown => print!("{}", diff::markdown(&difference)),
        Format::Json => print!("{}", diff::json(&difference)),
    }
    let is_denied = |direction: &Direction| is_in(*direction, &difference);
    Ok(Verdict::of(!arguments.deny.iter().any(is_denied)))
}

fn is_in(direction: Direction, difference: &Difference) -> bool {
    match direction {
        Direction::Widening => difference.widens(),
        Direction::Narrowing => difference.narrows(),
    }
}

fn compile(source: Source) -> Result<CompiledPolicy, Failure> {
    CompiledPolicy::compile(source)
        .map_err(|found| StartError::found(found, "it cannot be compared").into())
}

/// The policy at a revision. A policy that did not exist there allowed nothing.
fn at_revision(
    revision: &str,
    path: &Path,
    new: &CompiledPolicy,
) -> Result<CompiledPolicy, Failure> {
    let commit = format!("{revision}^{{commit}}");
    git(path, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?
        .ok_or_else(|| Failure::refused(format!("this repository has no revision `{revision}`")))?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let object = format!("{revision}:./{name}");
    let shown = format!("{} at {revision}", path.display());
    if let Some(text) = git(path, &["show", "--end-of-options", &object])? {
        return compile(Source::new(shown, text));
    }
    anstream::eprintln!("{} does not exist at {revision}: it allowed nothing", path.display());
    let nothing = format!("version = 1\n[server]\nurl = \"{}\"\n", new.resource());
    compile(Source::new(shown, nothing))
}

/// The output of a Git command; `None` if Git exits with an error.
fn git(path: &Path, arguments: &[&str]) -> Result<Option<String>, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let output = Command::new("git")
        .current_dir(folder.unwrap_or(Path::new(".")))
        .args(arguments)
        .output()
        .map_err(|error| Failure::refused(format!("cannot run git: {error}")))?;
    if !output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8(output.stdout);
    text.map(Some).map_err(|_| Failure::refused("the policy at that revision is not UTF-8"))
}
