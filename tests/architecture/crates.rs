//! Tests that the crates of this workspace follow the rules.

use std::{fs, path::Path};

use crate::{check, source::Tree};

/// The text of a file of this workspace.
fn text_of(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).ok()
}

fn assert_holds(root: &str) {
    let findings = check::findings(root, &text_of);
    assert!(findings.is_empty(), "{root}:\n\n{}\n", findings.join("\n\n"));
    assert!(Tree::read(root, &text_of).modules.len() > 1, "{root}: only one module was read");
}

#[test]
fn macros() {
    assert_holds("macros/src/lib.rs");
}

#[test]
fn policy() {
    assert_holds("policy/src/lib.rs");
}

#[test]
fn scopeward() {
    assert_holds("scopeward/src/lib.rs");
}

#[test]
fn todo_server() {
    assert_holds("server/src/main.rs");
}
