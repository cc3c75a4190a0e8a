//! Watches `revoked.toml`: loads it when it changes, and confirms to the writer that it is loaded.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::file;

use super::{
    Revocations, RevokedList,
    file::{RevokedError, path, read},
};

/// The time between two reads of the file.
const INTERVAL: Duration = Duration::from_millis(50);
/// A file that looks as before is read every so many times all the same: once in half a second.
const EVERY: u32 = 10;
/// How long a list from which somebody is missing has to stay as it is before it counts.
const SHRINKING: Duration = Duration::from_secs(1);
/// How long a command waits for a server to load the list, so that the command ends even if no
/// server runs.
const MAX_WAIT: Duration = Duration::from_secs(5);

const TARGET: &str = "scopeward::revocation";

/// The folder that is watched, and the list as it was read at the start.
#[derive(Debug)]
pub(crate) struct RevocationWatch {
    data: PathBuf,
    text: Option<String>,
    pub(crate) revocations: Revocations,
}

impl RevocationWatch {
    /// Reads the list. An unreadable list is an error, because without it revoked callers would be
    /// let in.
    pub(crate) fn open(data: &Path) -> Result<Self, RevokedError> {
        let path = path(data);
        let text = read(&path)?;
        let revoked = match &text {
            Some(text) => RevokedList::parse(&path, text)?,
            None => RevokedList::default(),
        };
        Ok(Self { data: data.to_owned(), revocations: Revocations::of(&revoked.entries), text })
    }
}

/// Reads the file again and again for as long as something uses its list, on a thread of its own. The
/// file is polled, because file events cannot be relied on (see `live/watch.rs`).
pub(crate) fn watch(mut watched: RevocationWatch) -> std::io::Result<()> {
    acknowledge(&watched.data, watched.text.as_deref());
    let thread = thread::Builder::new().name("revocations".to_owned());
    thread.spawn(move || {
        let path = path(&watched.data);
        let mut refused = None;
        let mut seen = None;
        let mut unseen = 0;
        while !watched.revocations.is_unused() {
            thread::sleep(INTERVAL);
            watched.revocations.heartbeat().beat();
            // A large list is read only if its file looks different, and now and then all the same,
            // because not every change shows.
            let looks = Looks::of(&path);
            unseen += 1;
            if looks.is_some() && looks == seen && unseen < EVERY {
                continue;
            }
            (seen, unseen) = (looks, 0);
            let text = read(&path);
            if let Ok(text) = &text
                && *text == watched.text
            {
                refused = None;
                continue;
            }
            let text = text.and_then(|text| settled(&path, text));
            let loaded = text.map_err(|error| error.to_string()).and_then(|text| {
                // A list that is deleted must not let revoked callers in again.
                let text = text.ok_or_else(|| format!("{} is gone", path.display()))?;
                let parse = |text: &str| {
                    RevokedList::parse(&path, text).map_err(|error| error.to_string())
                };
                let revoked = parse(&text)?;
                let before = watched.text.as_deref().map_or(Ok(RevokedList::default()), parse)?;
                if before.entries.iter().any(|entry| !revoked.entries.contains(entry)) {
                    // A list from which somebody is missing may be the beginning of one that is being
                    // written, so it has to stay as it is for a while.
                    thread::sleep(SHRINKING);
                    if read(&path).ok().flatten().as_ref() != Some(&text) {
                        return Err(format!("{} is being written", path.display()));
                    }
                }
                Ok((text, revoked))
            });
            match loaded {
                Ok((text, revoked)) => {
                    watched.revocations.replace(&revoked.entries);
                    acknowledge(&watched.data, Some(&text));
                    watched.text = Some(text);
                    refused = None;
                    tracing::warn!(target: TARGET, entries = revoked.entries.len(), "revocations are loaded");
                }
                Err(reason) if refused.as_ref() != Some(&reason) => {
                    watched.revocations.refuse();
                    tracing::error!(target: TARGET, "{reason}; what was revoked before stays revoked");
                    refused = Some(reason);
                }
                Err(_) => {}
            }
        }
    })?;
    Ok(())
}

/// What a file's entry says of its content.
#[derive(Debug, PartialEq, Eq)]
struct Looks {
    length: u64,
    changed: std::time::SystemTime,
    #[cfg(unix)]
    number: u64,
}

impl Looks {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            length: metadata.len(),
            changed: metadata.modified().ok()?,
            #[cfg(unix)]
            number: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

/// Reads until two reads in a row give the same text, so that a half-written file is not loaded.
fn settled(path: &Path, mut text: Option<String>) -> Result<Option<String>, RevokedError> {
    loop {
        let again = read(path)?;
        if again == text {
            return Ok(text);
        }
        text = again;
        thread::sleep(INTERVAL / 10);
    }
}

fn acknowledgement(data: &Path) -> PathBuf {
    data.join("revoked.served")
}

/// Writes the digest of the served text, so that a waiting command sees that its change is loaded.
fn acknowledge(data: &Path, text: Option<&str>) {
    if let Err(error) = fs::write(acknowledgement(data), fingerprint(text.unwrap_or_default())) {
        tracing::warn!(target: TARGET, "cannot confirm that revocations are loaded: {error}");
    }
}

fn fingerprint(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// Waits until the server of this folder serves this text. `false` if that takes longer than
/// [`MAX_WAIT`].
pub(crate) fn is_served(data: &Path, text: &str) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < MAX_WAIT {
        if file::read_bytes(&acknowledgement(data)).is_ok_and(|served| served == fingerprint(text))
        {
            return true;
        }
        thread::sleep(INTERVAL);
    }
    false
}
