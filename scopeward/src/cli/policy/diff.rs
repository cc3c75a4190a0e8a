//! The command `policy diff`: who gains and who loses access between two policies.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cli::{Deployment, Failure, Verdict},
    file,
    policy::{
        CompiledPolicy, Registry,
        diagnostic::Source,
        diff::{
            self, Difference,
            accept::{self, Commit, Judgement},
        },
    },
    serve::{StartError, deployment},
};

use super::Format;

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
    /// Fail if a caller gains (widening) or loses (narrowing) access. With --git, a commit since REV
    /// accepts the widening of one rule with the line `Widens: tools.NAME: why` in its message
    #[arg(long, value_enum, value_name = "DIRECTION")]
    deny: Vec<Direction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Direction {
    Widening,
    Narrowing,
}

pub(super) fn diff(
    deployment: &Deployment,
    registry: &Registry,
    arguments: &DiffArguments,
) -> Result<Verdict, Failure> {
    let policy = deployment.policy_path();
    let mut commits = vec![];
    let (old, new) = match (&arguments.git, &arguments.first) {
        (Some(revision), path) => {
            let path = path.as_deref().unwrap_or(policy);
            let new = compile(deployment::read(path)?)?;
            let old = at_revision(revision, path, &new)?;
            if arguments.deny.contains(&Direction::Widening) {
                commits = commits_since(revision, path)?;
            }
            (old, new)
        }
        (None, first) => {
            let old = first.as_deref().unwrap_or(policy);
            let new = arguments.second.as_deref().unwrap_or(policy);
            (compile(deployment::read(old)?)?, compile(deployment::read(new)?)?)
        }
    };
    let difference = diff::compare_declared(&old, &new, registry);
    let is_judged = arguments.deny.contains(&Direction::Widening);
    let judgement = is_judged.then(|| accept::judge(&difference, &commits));
    print(arguments.format, &difference, judgement.as_ref());
    let mut is_good = true;
    if let Some(judgement) = judgement.filter(|judgement| !judgement.is_good()) {
        err!("{}", why_refused(&judgement, arguments));
        is_good = false;
    }
    if arguments.deny.contains(&Direction::Narrowing) && difference.narrows() {
        errln!("error: access is narrowed, which `--deny narrowing` refuses");
        is_good = false;
    }
    Ok(Verdict::of(is_good))
}

fn print(format: Format, difference: &Difference, judgement: Option<&Judgement>) {
    let nothing = Judgement::default();
    let said = judgement.unwrap_or(&nothing);
    match (format, judgement) {
        (Format::Text, _) => {
            out!("{}{}", diff::text(difference), diff::judged_text(said));
        }
        (Format::Markdown, _) => {
            out_raw!("{}{}", diff::markdown(difference), diff::judged_markdown(said));
        }
        (Format::Json, None) => out_raw!("{}", diff::json(difference)),
        (Format::Json, Some(judgement)) => {
            out_raw!("{}", diff::json_judged(difference, judgement));
        }
    }
}

/// What `--deny widening` refuses, and what to do next.
fn why_refused(judgement: &Judgement, arguments: &DiffArguments) -> String {
    let mut text = String::new();
    for problem in &judgement.problems {
        text.push_str(&format!("error: {problem}\n"));
    }
    if judgement.refused.is_empty() {
        return text;
    }
    text.push_str("error: `--deny widening` refuses the widening of\n");
    for rule in &judgement.refused {
        text.push_str(&format!("  {rule}\n"));
    }
    let Some(revision) = &arguments.git else {
        text.push_str("A commit can accept a widening, if the comparison is made with `--git`.\n");
        return text;
    };
    let these = if judgement.refused.len() == 1 { "it is" } else { "they are" };
    text.push_str(&format!(
        "If {these} intended, say why in the message of a commit since {revision}, one line a rule:\n\n"
    ));
    for rule in &judgement.refused {
        text.push_str(&format!("  {}\n", rule.line()));
    }
    text
}

/// The commits since a revision. They are those that a pull request adds.
fn commits_since(revision: &str, path: &Path) -> Result<Vec<Commit>, Failure> {
    if is_shallow(path)? {
        errln!(
            "note: this clone is shallow, so commits that accept a widening may be missing: \
             fetch all of them (`fetch-depth: 0` of actions/checkout)"
        );
    }
    let range = format!("{revision}..HEAD");
    let arguments = ["log", "--encoding=UTF-8", "--format=%x00%h%n%B", "--end-of-options", &range];
    let log = git_bytes(path, &arguments)?
        .ok_or_else(|| Failure::refused(format!("cannot list the commits since `{revision}`")))?;
    // An old message in another encoding accepts nothing, and must not stop the comparison.
    let log = String::from_utf8_lossy(&log);
    let commits = log.split('\0').filter_map(|commit| commit.split_once('\n'));
    let mut commits: Vec<Commit> = commits.map(|(id, message)| Commit::new(id, message)).collect();
    let about_others = about_others(&range, path)?;
    for commit in &mut commits {
        commit.may_be_about_another = about_others.contains(&commit.id);
    }
    Ok(commits)
}

/// Returns whether the clone lacks older commits, as those that CI makes.
fn is_shallow(path: &Path) -> Result<bool, Failure> {
    let answer = git(path, &["rev-parse", "--is-shallow-repository"])?;
    Ok(answer.is_some_and(|answer| answer.trim() == "true"))
}

/// The error for a revision that is not in the clone.
fn no_revision(revision: &str, path: &Path) -> Failure {
    let hint = match is_shallow(path) {
        Ok(true) => {
            ": this clone is shallow, so fetch all commits (`fetch-depth: 0` of actions/checkout)"
        }
        _ => "",
    };
    Failure::refused(format!("this repository has no revision `{revision}`{hint}"))
}

/// The commits that change another TOML file, and not the policy.
fn about_others(range: &str, path: &Path) -> Result<HashSet<String>, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = git(path, &["rev-parse", "--show-prefix"])?.unwrap_or_default();
    let policy = format!("{}{name}", folder.trim_end_matches('\n'));
    let log = ["-c", "core.quotePath=false", "log", "--format=%x00%h", "--name-only"];
    let log = git_bytes(path, &[&log[..], &["--end-of-options", range]].concat())?;
    let log = String::from_utf8_lossy(&log.unwrap_or_default()).into_owned();
    let is_toml = |file: &str| Path::new(file).extension().is_some_and(|kind| kind == "toml");
    let is_about_another =
        |files: &str| files.lines().any(is_toml) && !files.lines().any(|file| file == policy);
    let commits = log.split('\0').filter_map(|commit| commit.split_once('\n'));
    let others = commits.filter(|(_, files)| is_about_another(files));
    Ok(others.map(|(id, _)| id.to_owned()).collect())
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
    let named = format!("{revision}^{{commit}}");
    let commit = git(path, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named])?
        .ok_or_else(|| no_revision(revision, path))?;
    let commit = commit.trim();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let shown = format!("{} at {revision}", path.display());
    let there = format!("./{name}");
    // Asked first, because `git show` fails alike for a file that is not there and for one that
    // cannot be read, and only the first allowed nothing.
    let is_there = git(path, &["ls-tree", "--name-only", commit, "--", &there])?;
    if is_there.is_some_and(|names| !names.is_empty()) {
        let object = format!("{commit}:{there}");
        let text = git(path, &["show", "--end-of-options", &object])?.unwrap_or_default();
        return compile(Source::new(shown, text));
    }
    errln!("{} does not exist at {revision}: it allowed nothing", path.display());
    let nothing = format!("version = 1\n[server]\nurl = \"{}\"\n", new.resource());
    compile(Source::new(shown, nothing))
}

/// The output of a Git command, which must be UTF-8; `None` if Git says no.
fn git(path: &Path, arguments: &[&str]) -> Result<Option<String>, Failure> {
    let text = git_bytes(path, arguments)?.map(file::text).transpose();
    text.map_err(|error| {
        Failure::refused(format!("cannot read the policy at that revision: {error}"))
    })
}

/// The output of a Git command; `None` if Git says no, with the exit code 1.
///
/// # Errors
///
/// Git could not look: there is no repository, or it belongs to somebody else, or an object is
/// missing. The message has what Git says, because Git names the remedy.
fn git_bytes(path: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let output = Command::new("git")
        .current_dir(folder.unwrap_or(Path::new(".")))
        .args(arguments)
        .output()
        .map_err(|error| Failure::refused(format!("cannot run git: {error}")))?;
    match output.status.code() {
        Some(0) => Ok(Some(output.stdout)),
        Some(1) => Ok(None),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Failure::refused(format!("git cannot look: {}", said.trim())))
        }
    }
}
