//! Runs something that asks other servers, from a command that does nothing else.

use super::Failure;

/// Runs something that asks others, from a command that does nothing else.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(Failure::failed)?.block_on(future))
}
