//! Programs that must not compile, and the messages that their author gets.
//!
//! The test calls the compiler directly, with the libraries that the test itself is linked with,
//! because building them again takes minutes. `UPDATE=1 cargo test --package scopeward-macros`
//! writes the current messages to the `.stderr` files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The newest build of the library, which is in the folder of this test because the test depends on
/// it.
fn library(folder: &Path) -> PathBuf {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libscopeward-") && path.extension().is_some_and(|kind| kind == "rlib")
    };
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_ours);
    all.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// Compiles a program, which must fail, and returns the messages of the compiler.
fn messages(program: &Path) -> String {
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
    // Lines that the compiler prints for every program.
    let general = ["error: aborting due to", "For more information about this error"];
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().filter(|line| !general.iter().any(|text| line.starts_with(text)));
    let mut said = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    said.push('\n');
    said
}

#[test]
fn mistakes_are_reported_at_their_place() {
    let (mut programs, mut mistaken_types) = (0, 0);
    let mut wrong = String::new();
    for entry in fs::read_dir("tests/fail").unwrap() {
        let program = entry.unwrap().path();
        if program.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        programs += 1;
        let (said, expected) = (messages(&program), program.with_extension("stderr"));
        let name = program.file_name().unwrap().to_string_lossy();
        if name.starts_with("type_") {
            mistaken_types += 1;
            let lines = said.lines().count();
            assert!(lines < 10, "{name}: a mistake in a type is told in {lines} lines:\n{said}");
        }
        if env::var_os("UPDATE").is_some() {
            fs::write(&expected, said).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != said {
            wrong += &format!("\n{} now says:\n{said}", program.display());
        }
    }
    assert!(programs > 10 && mistaken_types > 20, "the programs are not there");
    assert!(wrong.is_empty(), "{wrong}");
}
