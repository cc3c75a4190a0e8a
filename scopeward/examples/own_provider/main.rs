//! A provider that the program configures in its own code, in place of settings.
//!
//! ```sh
//! cargo run -p scopeward --example own_provider -- https://login.example.com \
//!     scopeward/examples/own_provider/policy.toml
//! ```

use scopeward::{CustomProvider, Mount, scoped_tools};

struct Clock;

#[scoped_tools]
impl Clock {
    /// The time, in seconds since 1970.
    #[scoped_tool(scopes = ["clock:read"], annotations(read_only_hint = true))]
    fn now(&self) -> String {
        std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs().to_string()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(policy)) = (arguments.next(), arguments.next()) else {
        return Err("usage: own_provider ISSUER POLICY".into());
    };
    // The keys stand at an address of this provider's own, because it has no metadata.
    let provider =
        CustomProvider::oidc(&issuer).audience("clock").keys_at(format!("{issuer}/keys"));
    let guarded = Mount::from_env()?.policy(policy).provider(provider).open(Clock).await?;
    let app = guarded.router();
    guarded.serve(app).await?;
    Ok(())
}
