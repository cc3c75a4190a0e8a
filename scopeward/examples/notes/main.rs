//! A notes server in a program of its own: eight tools over two files, sharing under a condition,
//! resources with numbers in their URIs, a prompt, its own log, its own routes and fallback, and
//! tests.
//!
//! ```sh
//! ISSUER_URL=https://keycloak.example.com/realms/notes \
//!     SCOPEWARD_POLICY=scopeward/examples/notes/policy.toml \
//!     cargo run -p scopeward --example notes
//! cargo test -p scopeward --features testing --example notes
//! ```

mod notes;
mod sharing;
#[cfg(all(test, feature = "testing"))]
mod tests;

use axum::{Router, http::StatusCode, routing::get};
use scopeward::Mount;

use notes::Notes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The program's own log. The audit file does not depend on it.
    tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).init();
    let guarded = Mount::from_env()?
        .title("Notes")
        .instructions("Search before you create a note.")
        .audit()
        .reload()
        .revocations()
        .open(Notes::open)
        .await?;
    let app = Router::new()
        .route("/", get(|| async { "Notes" }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is no such page.") })
        .merge(guarded.router())
        .nest("/internal", guarded.monitor());
    guarded.serve(app).await?;
    Ok(())
}
