//! Waits for the signals that stop a server.

/// Waits for SIGINT or SIGTERM. From this call on, before the future is polled, these signals no
/// longer end the process by themselves.
#[cfg(unix)]
pub(crate) fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    async fn one(signal: std::io::Result<tokio::signal::unix::Signal>) {
        match signal {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
        }
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn told_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}
