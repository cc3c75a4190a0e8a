//! The Tokio runtime of commands that ask other servers.

use super::Failure;

/// Runs a future to its end on a runtime of one thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(Failure::failed)?.block_on(future))
}
