//! The smallest server: one tool, and the whole command line.
//!
//! ```sh
//! cargo run -p scopeward --features embedded-issuer --example smallest -- \
//!     --policy scopeward/examples/smallest/policy.toml
//! ```

use scopeward::{Principal, scoped_tools};

struct Greeter;

#[scoped_tools]
impl Greeter {
    /// Greets the caller.
    #[scoped_tool(scopes = ["greet:read"], annotations(read_only_hint = true))]
    async fn greet(&self, caller: Principal) -> String {
        format!("Hello, {}!", caller.subject())
    }
}

fn main() -> std::process::ExitCode {
    scopeward::main(Greeter)
}
