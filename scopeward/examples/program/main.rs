//! A whole program with something of the author's own: a title, instructions, help, a setting, a
//! command and a page.
//!
//! ```sh
//! cargo run -p scopeward --features embedded-issuer --example program -- \
//!     --policy scopeward/examples/program/policy.toml
//! ```

use std::{error::Error, fs, path::PathBuf};

use axum::{Router, routing::get};
use scopeward::{App, Environment, scoped_tools};

/// A counter that is kept in a file.
struct Counter(PathBuf);

#[scoped_tools]
impl Counter {
    /// Counts up, and gives the new number.
    #[scoped_tool(scopes = ["count:write"])]
    async fn count(&self) -> Result<String, scopeward::ErrorData> {
        let failed = |_| scopeward::ErrorData::internal_error("the counter cannot be kept", None);
        let next = fs::read_to_string(&self.0).map_err(failed)?.parse().unwrap_or(0_u64) + 1;
        fs::write(&self.0, next.to_string()).map_err(failed)?;
        Ok(next.to_string())
    }
}

/// Why the counter does not open.
#[derive(Debug, thiserror::Error)]
#[error("the counter does not open")]
struct NotOpen(#[source] std::io::Error);

impl Counter {
    async fn open(environment: Environment) -> Result<Self, NotOpen> {
        let path = file(&environment);
        if !path.exists() {
            fs::write(&path, "0").map_err(NotOpen)?;
        }
        Ok(Self(path))
    }
}

fn file(environment: &Environment) -> PathBuf {
    let name = environment.variable("COUNTER_FILE").unwrap_or("counter".to_owned());
    environment.data().join(name)
}

fn main() -> std::process::ExitCode {
    App::new(Counter::open)
        .about("Counts, for those who may count")
        .title("Counter")
        .instructions("Count once for each thing.")
        .setting("COUNTER_FILE", "The file of the counter, in the data folder")
        .command("set", "Set the counter to a number", |environment, arguments| {
            let number = arguments.first().and_then(|number| number.to_str());
            let number: u64 = number.ok_or("which number?")?.parse()?;
            fs::write(file(&environment), number.to_string())?;
            println!("the counter is {number}");
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        })
        .routes(Router::new().route("/", get(|| async { "A counter" })))
        .run()
}
