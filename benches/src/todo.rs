//! The todo server as a program, with its own policy and the issuer of the measurements.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use jsonwebtoken::Algorithm;

use crate::{
    generator::Call,
    target::{Running, World},
};

const POLICY: &str = include_str!("../../policy.toml");

/// The repository's policy, for this URL and issuer.
pub fn policy(world: &World, url: &str) -> String {
    let provider = format!("provider = \"oidc\"\nissuer = \"{}\"\n#", world.issuer_url);
    POLICY.replace("http://localhost:3002/mcp", url).replace("provider = \"embedded\"", &provider)
}

/// A call of `list_todos` by a caller who has no todos.
pub fn call(server: &Running, world: &World, algorithm: Algorithm, subject: usize) -> Result<Call> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}}}"#;
    server.asked(world, algorithm, subject, body, "\"todos\":[]")
}

/// Builds the todo server in the profile of this program, and returns the path of its binary.
pub fn program() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let mut folders = this.ancestors().skip(1);
    let profile = folders.find(|folder| !folder.ends_with("deps")).context("no folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    // Of the whole workspace, so that Cargo takes what it has built already.
    build.args(["build", "--locked", "--quiet", "--workspace", "--bin", "todo"]);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "the todo server does not build");
    Ok(profile.join("todo"))
}
