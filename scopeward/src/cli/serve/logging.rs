//! The log of a server.

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged unless `RUST_LOG` says otherwise. What was allowed is in the audit file only: at the
/// console it would hide the rest.
const LOGGED: &str = "info,rmcp=warn,scopeward::audit::allowed=warn";

/// Logs to standard error, unless the program has a subscriber already.
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let log = tracing_subscriber::fmt::layer().with_writer(anstream::stderr).compact();
    // A program that already logs keeps its own subscriber: the audit file needs none.
    let _ = tracing_subscriber::registry().with(log.with_filter(filter)).try_init();
}
