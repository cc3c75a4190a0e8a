//! What does not compile, and what the author is told.
//!
//! The compiler is asked directly, with the very libraries that this test was linked with: building
//! them again for the purpose takes minutes. `UPDATE=1 cargo test --package scopeward-macros` writes
//! what it says now.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The library as it was built last: beside this test, which depends on it.
fn library(folder: &Path) -> PathBuf {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libscopeward-") && path.extension().is_some_and(|kind| kind == "rlib")
    };
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_ours);
    all.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// What the compiler says of a program, which it must not accept.
fn said(program: &Path) -> String {
    let test = env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .args(["--edition", "2024", "--crate-type", "bin", "--emit", "metadata", "--out-dir"])
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .args(["--check-cfg", "cfg(feature, values())", "--color", "never", "-L"])
        .arg(format!("dependency={}", folder.display()))
        .arg("--extern")
        .arg(format!("scopeward={}", library(folder).display()))
        .env("CARGO_CRATE_NAME", "mistaken")
        .env("CARGO_PKG_VERSION", "0.1.0")
        .arg(program)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{} compiles", program.display());
    // What it says of all programs alike.
    let general = ["error: aborting due to", "For more information about this error"];
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().filter(|line| !general.iter().any(|text| line.starts_with(text)));
    let mut said = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    said.push('\n');
    said
}

#[test]
fn mistakes_are_told_at_their_place() {
    let mut programs = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir("tests/fail").unwrap() {
        let program = entry.unwrap().path();
        if program.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        programs += 1;
        let (said, expected) = (said(&program), program.with_extension("stderr"));
        if env::var_os("UPDATE").is_some() {
            fs::write(&expected, said).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != said {
            wrong += &format!("\n{} now says:\n{said}", program.display());
        }
    }
    assert!(programs > 10, "the programs are not there");
    assert!(wrong.is_empty(), "{wrong}");
}
