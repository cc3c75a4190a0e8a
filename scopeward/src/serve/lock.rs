//! The lock of a data folder, which one server holds: keys, audit chain and database have one
//! writer.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::StartError;

/// How long to wait for the lock, because another server may be stopping.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait between two tries.
const RETRY: Duration = Duration::from_millis(50);

/// The lock on a data folder, which the system releases when the process ends, even by a crash.
#[derive(Debug)]
pub(crate) struct DataLock(#[expect(dead_code, reason = "the open file holds the lock")] File);

fn path(data: &Path) -> PathBuf {
    data.join("server.lock")
}

impl DataLock {
    pub(crate) fn take(data: &Path) -> Result<Self, StartError> {
        let path = path(data);
        let cannot = |error: std::io::Error| {
            StartError::refused(format!("cannot lock {}: {error}", path.display()))
        };
        let file = File::create(&path).map_err(cannot)?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => thread::sleep(RETRY),
                Err(TryLockError::WouldBlock) => {
                    return Err(StartError::failed(format!(
                        "another server uses {}\n  = help: stop it, or give this one a folder of \
                         its own: --data FOLDER",
                        data.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    }

    /// Whether a server holds the lock of this folder now.
    pub(crate) fn is_held(data: &Path) -> bool {
        File::open(path(data))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}
