//! The reference pages of the commands, the metrics and the providers, in `docs/src/reference/`.
//!
//! They are generated from what the code itself uses, and these tests compare them with the
//! committed pages. So a page cannot describe an option or a metric that does not exist.

mod commands;
mod metrics;
mod providers;

use std::{fs, path::Path};

/// Writes all reference pages again, those of the crate `scopeward-policy` too.
const UPDATE: &str = "UPDATE_REFERENCE=1 cargo test -p scopeward-policy -p scopeward \
                      --features scopeward/embedded-issuer --lib reference";

/// Fails if the committed page differs; with `UPDATE_REFERENCE` set, writes it.
fn compare(name: &str, page: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference");
    let path = folder.join(name);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    // Not `assert_eq!`, which would print both pages whole.
    assert!(
        committed == page,
        "docs/src/reference/{name} is not what the code says. To write it again:\n  {UPDATE}"
    );
}

#[test]
fn the_page_of_commands_is_up_to_date() {
    compare("commands.md", &commands::page());
}

#[tokio::test]
async fn the_page_of_metrics_is_up_to_date() {
    compare("metrics.md", &metrics::page().await);
}

#[test]
fn the_page_of_providers_is_up_to_date() {
    compare("providers.md", &providers::page());
}
