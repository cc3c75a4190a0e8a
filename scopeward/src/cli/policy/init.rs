//! The command `policy init`, which writes a first policy and its tests from what the code declares.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cli::{Deployment, Failure, Verdict, files},
    policy::{
        Registry,
        init::{self, FirstPolicy},
    },
    serve::StartError,
};

/// The workflow that checks the policy, from the root of the repository.
const WORKFLOW: &str = ".github/workflows/policy.yml";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InitArguments {
    /// Also write .github/workflows/policy.yml, which checks the policy of each push and pull request
    #[arg(long)]
    workflow: bool,
}

pub(super) fn init(
    deployment: &Deployment,
    registry: &Registry,
    arguments: &InitArguments,
) -> Result<Verdict, Failure> {
    let url = deployment.first_url()?;
    // The embedded issuer serves loopback only.
    let is_embedded = cfg!(feature = "embedded-issuer") && url.is_loopback();
    let provider = is_embedded.then_some("embedded");
    let FirstPolicy { policy, tests } = init::first_policy(registry, &url, provider)
        .map_err(|failed| StartError::found(failed.found, "nothing was written"))?;
    let path = deployment.policy_path();
    let mut texts = vec![(path.to_owned(), policy), (path.with_extension("test.toml"), tests)];
    if arguments.workflow {
        texts.push((PathBuf::from(WORKFLOW), workflow(path)));
    }
    // Before the first file is written, so that none is written if one is there.
    if let Some((there, _)) = texts.iter().find(|(path, _)| fs::symlink_metadata(path).is_ok()) {
        return Err(exists(there));
    }
    for (path, text) in &texts {
        if !files::create(path, text)? {
            return Err(exists(path));
        }
        outln!("wrote {}", path.display());
    }
    outln!(
        "Review the rules and the titles. Then `policy lint` and `policy test` check them, and `serve` serves them."
    );
    Ok(Verdict::Good)
}

fn exists(path: &Path) -> Failure {
    Failure::refused(format!(
        "{} exists, and `policy init` overwrites nothing\n  = help: `policy lint --fix` adds the \
         rules that are missing to a policy; or name another file with --policy",
        path.display()
    ))
}

/// The action that fetches a repository, by the commit of a version, because a tag can be moved. This
/// repository's own workflows use the same, and a test holds that.
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/// A workflow of GitHub that runs the checks of the program itself, which knows its tools.
fn workflow(policy: &Path) -> String {
    let default = policy == Path::new("policy.toml");
    // In quotes, because a path may have spaces.
    let named = if default {
        String::new()
    } else {
        format!(" --policy '{}'", policy.display().to_string().replace('\'', "'\\''"))
    };
    let run = |command: &str| format!("cargo run --quiet --locked -- policy {command}{named}");
    format!(
        "# Checks the policy: its findings, and its tests.\n\
         name: policy\n\
         on: [push, pull_request]\n\
         permissions:\n  contents: read\n\
         jobs:\n  policy:\n    runs-on: ubuntu-latest\n    steps:\n      \
         - uses: {CHECKOUT}\n      \
         - run: {}\n      \
         - run: {}\n",
        run("lint --format github"),
        run("test"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflow_uses_the_same_action_as_our_own() {
        assert!(workflow(Path::new("policy.toml")).contains(&format!("- uses: {CHECKOUT}\n")));
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows/checks.yml");
        let ours = std::fs::read_to_string(ours).unwrap_or_else(|_| CHECKOUT.to_owned());
        assert!(ours.contains(CHECKOUT), "{CHECKOUT}");
    }
}
