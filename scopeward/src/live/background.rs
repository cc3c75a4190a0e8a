//! Work that takes a while and that no request may feel.

use std::thread;

use tokio::sync::oneshot;

/// Does it on a thread of its own, which runs when nothing else wants to. `None` if it did not come to
/// its end.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("policy".to_owned()).spawn(move || {
        give_way();
        // Nobody waits any more once the server stops.
        let _ = tell.send(work());
    });
    match thread {
        Ok(_) => told.await.ok(),
        Err(_) => None,
    }
}

/// Where cores are few, a request would wait for this thread's turn to end.
#[cfg(target_os = "linux")]
fn give_way() {
    // On Linux this is about the calling thread alone. Without it everything is right all the same.
    let _ = rustix::process::nice(LEAST_URGENT);
}

#[cfg(target_os = "linux")]
const LEAST_URGENT: i32 = 19;

#[cfg(not(target_os = "linux"))]
fn give_way() {}
