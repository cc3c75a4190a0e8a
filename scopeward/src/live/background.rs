//! Long work on a background thread of low priority, so that it does not slow requests down.

use std::thread;

use tokio::sync::oneshot;

/// Runs `work` on a thread of its own with the lowest priority. `None` if the thread could not
/// start or panicked.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("policy".to_owned()).spawn(move || {
        lower_priority();
        // Fails if nobody waits for the result any more, because the server stops.
        let _ = sender.send(work());
    });
    match thread {
        Ok(_) => receiver.await.ok(),
        Err(_) => None,
    }
}

/// Gives this thread the lowest priority, because on few cores a request would have to wait for it.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // On Linux the nice value is that of the calling thread alone. An error is ignored, because the
    // work is correct with any priority.
    let _ = rustix::process::nice(LEAST_URGENT);
}

/// The nice value of the lowest priority.
#[cfg(target_os = "linux")]
const LEAST_URGENT: i32 = 19;

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
