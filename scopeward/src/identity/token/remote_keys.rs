//! An issuer's keys, fetched in the background: nothing that can fail remotely stands on the way
//! of a request.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::JwkSet;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{VerificationKeys, keys::Generation};
use crate::remote::{Metadata, Remote, RemoteError};

/// Keys are kept for as long as their headers say, within these bounds.
const SHORTEST_KEPT: Duration = Duration::from_mins(1);
const LONGEST_KEPT: Duration = Duration::from_hours(1);
/// After a failure the next try comes after this, and each time after twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);
/// Tokens with unknown keys cause at most one fetch in this time, however many they are.
const INTERVAL: Duration = Duration::from_secs(10);
/// A request with an unknown key waits at most so long for the fetch that it caused.
const PATIENCE: Duration = Duration::from_secs(3);

const EXPECTED: &str = "a JWK Set (RFC 7517)";
const TARGET: &str = "scopeward::keys";

/// Where an issuer's keys are.
#[derive(Debug, Clone)]
pub(crate) enum KeysAt {
    /// Where the issuer's metadata says.
    Discovered {
        /// The issuer identifier.
        issuer: String,
    },
    /// At this address.
    Url(String),
}

/// The keys as they were last seen, and the task that looks again.
#[derive(Debug, Clone)]
pub(crate) struct RemoteKeys(Arc<KeyStore>);

#[derive(Debug)]
struct KeyStore {
    at: KeysAt,
    current: ArcSwapOption<VerificationKeys>,
    wanted: Notify,
    /// How often it was tried.
    tries: watch::Sender<u64>,
    last_try: Mutex<Option<Instant>>,
    fetched: Mutex<Option<Instant>>,
}

impl RemoteKeys {
    /// Looks for the keys now, and again and again, as long as the runtime lives.
    pub(crate) fn watch(at: KeysAt, remote: Remote) -> Self {
        let keys = Self(Arc::new(KeyStore {
            at,
            current: ArcSwapOption::empty(),
            wanted: Notify::new(),
            tries: watch::Sender::new(0),
            last_try: Mutex::new(None),
            fetched: Mutex::new(None),
        }));
        tokio::spawn(keys.clone().run(remote));
        keys
    }

    /// Keys that nobody fetches, for tests of what happens when they change.
    #[cfg(test)]
    pub(super) fn standing(keys: VerificationKeys) -> Self {
        Self(Arc::new(KeyStore {
            at: KeysAt::Url(String::new()),
            current: ArcSwapOption::new(Some(Arc::new(keys))),
            wanted: Notify::new(),
            tries: watch::Sender::new(0),
            last_try: Mutex::new(None),
            fetched: Mutex::new(None),
        }))
    }

    #[cfg(test)]
    pub(super) fn replace(&self, keys: VerificationKeys) {
        self.0.current.store(Some(Arc::new(keys)));
    }

    /// The keys; `None` until they were seen once.
    pub(crate) fn current(&self) -> Option<Arc<VerificationKeys>> {
        self.0.current.load_full()
    }

    /// Which keys they are.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.0.current.load().as_ref().map(|keys| keys.generation())
    }

    /// How long ago they were fetched; `None` until they were seen once.
    pub(crate) fn age(&self) -> Option<Duration> {
        let fetched = *self.0.fetched.lock();
        fetched.map(|fetched| fetched.elapsed())
    }

    /// Waits for the first try to end, well or badly.
    pub(crate) async fn tried(&self) {
        let _ = self.0.tries.subscribe().wait_for(|tries| *tries > 0).await;
    }

    /// Looks again because a token names a key that is not there. Whether it was looked.
    pub(crate) async fn refresh(&self) -> bool {
        let mut tries = self.0.tries.subscribe();
        let last = *self.0.last_try.lock();
        if last.is_some_and(|last| last.elapsed() < INTERVAL) {
            return false;
        }
        self.0.wanted.notify_one();
        matches!(tokio::time::timeout(PATIENCE, tries.changed()).await, Ok(Ok(())))
    }

    async fn run(self, remote: Remote) {
        let mut retry = FIRST_RETRY;
        loop {
            let fetched = fetch(&remote, &self.0.at).await;
            let wait = match fetched {
                Ok(Fetched { keys, fresh_for, .. }) => {
                    self.0.current.store(Some(Arc::new(keys)));
                    *self.0.fetched.lock() = Some(Instant::now());
                    retry = FIRST_RETRY;
                    fresh_for.clamp(SHORTEST_KEPT, LONGEST_KEPT)
                }
                Err(error) => {
                    let kept = if self.0.current.load().is_some() {
                        "the keys that are there stay"
                    } else {
                        "no token can be checked yet"
                    };
                    tracing::error!(target: TARGET, "{error}; {kept}");
                    let wait = retry;
                    retry = (retry * 2).min(LAST_RETRY);
                    wait
                }
            };
            let now = Instant::now();
            *self.0.last_try.lock() = Some(now);
            self.0.tries.send_modify(|tries| *tries += 1);
            let next = tokio::time::sleep_until(now + wait);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    // Of a flood some wishes come while their fetch is already under way.
                    () = self.0.wanted.notified() => if now.elapsed() >= INTERVAL { break },
                }
            }
        }
    }
}

/// Keys that were just fetched.
pub(crate) struct Fetched {
    pub(crate) keys: VerificationKeys,
    pub(crate) url: String,
    /// How long they may be kept.
    pub(crate) fresh_for: Duration,
}

/// Fetches the keys.
pub(crate) async fn fetch(remote: &Remote, at: &KeysAt) -> Result<Fetched, RemoteError> {
    let url = match at {
        KeysAt::Url(url) => url.clone(),
        // Looked up each time: a provider may move its keys.
        KeysAt::Discovered { issuer } => {
            Metadata::discover(remote, issuer).await?.jwks_uri()?.to_owned()
        }
    };
    let answer = remote.get(&url, EXPECTED).await?;
    let wrong = |reason: &str| RemoteError::Answer {
        url: url.clone(),
        expected: EXPECTED,
        reason: reason.to_owned(),
    };
    let keys = answer.json["keys"].as_array().ok_or_else(|| wrong("it has no `keys`"))?;
    // One key of a kind that is not known here must not hide the others.
    let keys = keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
    let keys = VerificationKeys::new(&JwkSet { keys });
    if keys.is_empty() {
        return Err(wrong("none of its keys can verify an access token"));
    }
    Ok(Fetched { keys, url, fresh_for: answer.fresh_for })
}
