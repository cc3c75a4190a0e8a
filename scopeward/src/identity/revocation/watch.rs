//! The file, read again when it changes; and the word to whoever changed it that it is served.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::{
    Revocations, RevokedList,
    file::{RevokedError, path, read},
};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(50);
/// A command waits so long for a server to have read what it wrote.
const PATIENCE: Duration = Duration::from_secs(5);

const TARGET: &str = "scopeward::revocation";

/// The file as it was read at the start.
#[derive(Debug)]
pub(crate) struct RevocationWatch {
    data: PathBuf,
    text: Option<String>,
    pub(crate) revocations: Revocations,
}

impl RevocationWatch {
    /// Reads it, or says what is wrong: with a list that cannot be read, nobody is let in.
    pub(crate) fn open(data: &Path) -> Result<Self, RevokedError> {
        let path = path(data);
        let text = read(&path)?;
        let revoked = RevokedList::parse(&path, text.as_deref().unwrap_or_default())?;
        Ok(Self { data: data.to_owned(), revocations: Revocations::of(&revoked.entries), text })
    }
}

/// Reads it again and again, for as long as the process lives, on a thread of its own: it is looked
/// at, not waited for, for the reasons that the policy file is.
pub(crate) fn watch(mut watched: RevocationWatch) -> std::io::Result<()> {
    acknowledge(&watched.data, watched.text.as_deref());
    let thread = thread::Builder::new().name("revocations".to_owned());
    thread.spawn(move || {
        let path = path(&watched.data);
        let mut refused = None;
        loop {
            thread::sleep(INTERVAL);
            let text = read(&path);
            if let Ok(text) = &text
                && *text == watched.text
            {
                refused = None;
                continue;
            }
            let text = text.and_then(|text| settled(&path, text));
            let loaded = text.map_err(|error| error.to_string()).and_then(|text| {
                // A list that is taken away must not let everyone in again.
                let text = text.ok_or_else(|| format!("{} is gone", path.display()))?;
                let revoked = RevokedList::parse(&path, &text).map_err(|error| error.to_string())?;
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

/// What was read twice the same: a file that is being written is left alone.
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

/// Tells whoever waits for it which text is served.
fn acknowledge(data: &Path, text: Option<&str>) {
    if let Err(error) = fs::write(acknowledgement(data), mark(text.unwrap_or_default())) {
        tracing::warn!(target: TARGET, "nobody can be told that revocations are loaded: {error}");
    }
}

fn mark(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// Waits until the server of this folder serves this text. `false` if it does not in time.
pub(crate) fn is_served(data: &Path, text: &str) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if fs::read(acknowledgement(data)).is_ok_and(|served| served == mark(text)) {
            return true;
        }
        thread::sleep(INTERVAL);
    }
    false
}
