//! The log of a server, on standard error.

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// The filter of the log unless `RUST_LOG` sets another one. Allowed calls are in the audit file
/// only, because they would hide the other lines of the log. Warnings of rmcp are left out, because
/// they repeat what callers sent, such as a whole URI.
const LOGGED: &str = "info,rmcp=error,scopeward::audit::allowed=warn";

/// Logs to standard error, unless the program has a subscriber already.
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let log = tracing_subscriber::fmt::layer().with_writer(anstream::stderr).compact();
    // An error means that the program has a subscriber, which it keeps. The audit file does not
    // need a subscriber.
    let _ = tracing_subscriber::registry().with(log.with_filter(filter)).try_init();
}
