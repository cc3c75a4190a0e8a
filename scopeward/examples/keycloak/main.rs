//! A server that is mounted in an axum program, with Keycloak as its provider.
//!
//! ```sh
//! ISSUER_URL=https://keycloak.example.com/realms/notes \
//!     SCOPEWARD_POLICY=scopeward/examples/keycloak/policy.toml \
//!     cargo run -p scopeward --example keycloak
//! ```

use axum::{Router, routing::get};
use scopeward::{Mount, Principal, scoped_tools};

struct Profile;

#[scoped_tools]
impl Profile {
    /// Says who is signed in.
    #[scoped_tool(scopes = ["profile:read"], annotations(read_only_hint = true))]
    async fn who_am_i(&self, caller: Principal) -> String {
        caller.subject().to_owned()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guarded = Mount::from_env()?.audit().reload().revocations().open(Profile).await?;
    let app = Router::new()
        .route("/", get(|| async { "A page of the program's own" }))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "nothing here") })
        .merge(guarded.router());
    guarded.serve(app).await?;
    Ok(())
}
