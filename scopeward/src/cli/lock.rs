//! One server for one data folder: its keys, its audit chain and its database have one writer.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::Failure;

/// A server that is stopping is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(50);

/// The folder is this process's until it ends, however it ends.
#[derive(Debug)]
pub(super) struct DataLock(#[expect(dead_code, reason = "held, not read")] File);

fn path(data: &Path) -> PathBuf {
    data.join("server.lock")
}

impl DataLock {
    pub(super) fn take(data: &Path) -> Result<Self, Failure> {
        let path = path(data);
        let cannot = |error: std::io::Error| {
            Failure::refused(format!("cannot lock {}: {error}", path.display()))
        };
        let file = File::create(&path).map_err(cannot)?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => thread::sleep(RETRY),
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::failed(format!(
                        "another server uses {}\n  = help: stop it, or give this one a folder of \
                         its own: --data FOLDER",
                        data.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    }

    /// Whether a server uses the folder now.
    pub(super) fn is_held(data: &Path) -> bool {
        File::open(path(data))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}
