//! The reference pages of the keys of `policy.toml` and of the lints, in `docs/src/reference/`, and
//! `policy.schema.json`.
//!
//! They are generated from the tables that the code itself uses, and these tests compare them with
//! the committed files. So a page cannot describe a key or a lint that does not exist.

mod keys;
mod lints;

use std::{fs, path::Path};

/// Writes all reference pages and the schema again, those pages of the crate `scopeward` too.
const UPDATE: &str = "UPDATE_REFERENCE=1 cargo test -p scopeward-policy -p scopeward \
                      --features scopeward/embedded-issuer --lib reference";

/// Fails if the committed file differs; with `UPDATE_REFERENCE` set, writes it.
fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    // Not `assert_eq!`, which would print both pages whole.
    assert!(committed == page, "{name} is not what the code says. To write it again:\n  {UPDATE}");
}

#[test]
fn the_page_of_keys_is_up_to_date() {
    compare("docs/src/reference/policy.md", &keys::page());
}

#[test]
fn the_page_of_lints_is_up_to_date() {
    compare("docs/src/reference/lints.md", &lints::page());
}
