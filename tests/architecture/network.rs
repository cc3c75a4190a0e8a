//! Tests that `scopeward-policy` has no network and no async runtime, not even through the
//! dependencies of its dependencies.

use std::{collections::BTreeSet, process::Command};

/// The banned crates, which contain a network or an async runtime.
const BANNED: &[&str] = &["axum", "hyper", "reqwest", "rmcp", "tokio", "tower"];

/// The banned crates, and their companions such as `tokio-util`, in the output of `cargo tree
/// --prefix none`.
fn banned_in(tree: &str) -> BTreeSet<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| is_banned(name)).collect()
}

fn is_banned(name: &str) -> bool {
    BANNED.iter().any(|&banned| {
        name.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// Runs `cargo tree` on `scopeward-policy`, without build and development dependencies.
fn cargo_tree(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["tree", "--package", "scopeward-policy", "--edges", "normal"])
        .args(["--offline", "--locked"])
        .args(arguments)
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn policy_has_no_network() {
    let tree = cargo_tree(&["--prefix", "none"]).unwrap();
    assert!(tree.starts_with("scopeward-policy v"), "not a tree of scopeward-policy:\n{tree}");
    let ways: Vec<_> = banned_in(&tree)
        .into_iter()
        .map(|name| {
            let way = cargo_tree(&["--invert", name]).unwrap_or_else(|error| error);
            format!(
                "`{name}` is a dependency of `scopeward-policy`, which has no network and no \
                 async. Remove it, or move what needs it to `scopeward`. It comes in by this \
                 way, read from the bottom:\n{way}"
            )
        })
        .collect();
    assert!(ways.is_empty(), "{}", ways.join("\n"));
}

#[test]
fn a_banned_crate_is_found() {
    let tree = "scopeward-policy v0.1.0 (/work/policy)\n\
                serde v1.0.228\n\
                tokio v1.48.0\n\
                tokio-macros v2.6.0 (proc-macro)\n\
                hyper-util v0.1.17 (*)\n\
                tower v0.5.2\n\
                tower-layer v0.3.3\n";
    let found: Vec<_> = banned_in(tree).into_iter().collect();
    assert_eq!(found, ["hyper-util", "tokio", "tokio-macros", "tower", "tower-layer"]);
}

#[test]
fn a_name_that_only_begins_alike_is_not_banned() {
    assert_eq!(banned_in("axumatic v1.0.0\nhyperloglog v1.0.0\nserde v1.0.228\n").len(), 0);
}
