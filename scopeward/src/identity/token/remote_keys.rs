//! Fetches an issuer's keys in the background, so that requests do not depend on a remote server.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::JwkSet;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{Rejected, TokenError, VerificationKeys, keys::Generation};
use crate::remote::{Metadata, Remote, RemoteError};

/// The shortest time for which fetched keys are kept, whatever their headers say, so that the
/// issuer is not asked all the time.
const SHORTEST_KEPT: Duration = Duration::from_mins(1);
/// The longest time for which fetched keys are kept, so that a key that the issuer withdraws is not
/// used for longer.
const LONGEST_KEPT: Duration = Duration::from_hours(1);
/// How long keys are used that cannot be fetched any more, unless it is set: a day. A withdrawn key
/// would otherwise be good for as long as somebody keeps the issuer's endpoint from answering.
pub(crate) const OLDEST: Duration = Duration::from_hours(24);
/// The wait after a first failure. Each further failure doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest wait between two fetches that fail, so that an issuer that is back is noticed soon.
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// The shortest time between two fetches that tokens with unknown keys cause, so that a flood of
/// such tokens does not become a flood at the issuer.
const INTERVAL: Duration = Duration::from_secs(10);
/// The same while there are no keys at all, so that a provider that comes up after the server is
/// noticed at once.
const INTERVAL_WITHOUT_KEYS: Duration = Duration::from_secs(1);
/// At most this many tokens are remembered whose key was looked for in vain.
const MAX_IN_VAIN: usize = 1024;
/// At most this many withdrawn keys are remembered; the oldest is forgotten.
const MAX_WITHDRAWN: usize = 64;
/// How long a request with an unknown key waits for the fetch that it caused. After that the token
/// is refused, so that waiting requests do not pile up.
const MAX_WAIT: Duration = Duration::from_secs(3);

const EXPECTED: &str = "a JWK Set (RFC 7517)";
const TARGET: &str = "scopeward::keys";

/// Where an issuer's keys are published.
#[derive(Debug, Clone)]
pub(crate) enum KeysAt {
    /// In the issuer's metadata (`jwks_uri`).
    Discovered {
        /// The issuer identifier.
        issuer: String,
    },
    /// At this address.
    Url(String),
}

/// The keys of the last fetch, and the task that fetches them again.
#[derive(Debug, Clone)]
pub(crate) struct RemoteKeys(Arc<KeyStore>);

/// The fetches that have ended.
#[derive(Debug, Default, Clone, Copy)]
struct Tries {
    count: u64,
    /// Whether the last one gave keys.
    has_succeeded: bool,
}

#[derive(Debug)]
struct KeyStore {
    at: KeysAt,
    current: ArcSwapOption<VerificationKeys>,
    wanted: Notify,
    /// The fetches that have ended, in success or failure.
    tries: watch::Sender<Tries>,
    /// When the last fetch ended that a request asked for.
    last_look: Mutex<Option<Instant>>,
    hasher: RandomState,
    /// The hashes of the tokens whose key was looked for in vain, since the last fetch.
    in_vain: Mutex<Vec<u64>>,
    /// The identifiers of keys that the issuer has taken away.
    withdrawn: Mutex<Vec<String>>,
    fetched: Mutex<Option<Instant>>,
}

impl KeyStore {
    fn new(at: KeysAt, current: Option<Arc<VerificationKeys>>) -> Self {
        Self {
            at,
            current: ArcSwapOption::new(current),
            wanted: Notify::new(),
            tries: watch::Sender::default(),
            last_look: Mutex::new(None),
            hasher: RandomState::new(),
            in_vain: Mutex::default(),
            withdrawn: Mutex::default(),
            fetched: Mutex::new(None),
        }
    }

    /// Remembers which keys these ones leave out.
    fn follow(&self, keys: &VerificationKeys) {
        let mut withdrawn = self.withdrawn.lock();
        withdrawn.retain(|gone| keys.ids().all(|id| id != gone));
        let Some(before) = self.current.load_full() else { return };
        let gone = before.ids().filter(|id| keys.ids().all(|kept| kept != *id));
        for id in gone {
            if withdrawn.len() == MAX_WITHDRAWN {
                withdrawn.remove(0);
            }
            withdrawn.push(id.to_owned());
        }
    }
}

impl RemoteKeys {
    /// Fetches the keys now, and again and again for as long as the runtime lives.
    ///
    /// Keys that cannot be fetched any more are used until they are `oldest`.
    pub(crate) fn watch(at: KeysAt, remote: Remote, oldest: Duration) -> Self {
        let keys = Self(Arc::new(KeyStore::new(at, None)));
        tokio::spawn(keys.clone().run(remote, oldest));
        keys
    }

    /// Keys that are never fetched, for tests of a change of keys.
    #[cfg(test)]
    pub(super) fn standing(keys: VerificationKeys) -> Self {
        Self(Arc::new(KeyStore::new(KeysAt::Url(String::new()), Some(Arc::new(keys)))))
    }

    #[cfg(test)]
    pub(super) fn replace(&self, keys: VerificationKeys) {
        self.0.current.store(Some(Arc::new(keys)));
    }

    /// The current keys; `None` until they were fetched once.
    pub(crate) fn current(&self) -> Option<Arc<VerificationKeys>> {
        self.0.current.load_full()
    }

    /// The generation of the current keys; `None` until they were fetched once.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.0.current.load().as_ref().map(|keys| keys.generation())
    }

    /// Whether there are keys to check tokens with.
    pub(crate) fn are_usable(&self) -> bool {
        self.0.current.load().is_some()
    }

    /// The time since the keys were fetched; `None` until they were fetched once.
    pub(crate) fn age(&self) -> Option<Duration> {
        let fetched = *self.0.fetched.lock();
        fetched.map(|fetched| fetched.elapsed())
    }

    /// Waits for the first fetch to end, in success or failure.
    pub(crate) async fn tried(&self) {
        let _ = self.0.tries.subscribe().wait_for(|tries| tries.count > 0).await;
    }

    /// Fetches the keys again, because they are missing or a token names an unknown one, and verifies
    /// the token `again`. Only a key that was looked for in vain, or that the issuer took away, is an
    /// unknown key: if the issuer did not answer, or was asked for other tokens a moment ago, the token
    /// could not be checked.
    pub(crate) async fn look_for<T>(
        &self,
        token: &str,
        key: Option<&str>,
        again: impl Fn() -> Result<T, Rejected>,
    ) -> Result<T, Rejected> {
        let hash = self.0.hasher.hash_one(token);
        let is_withdrawn = |key: &str| self.0.withdrawn.lock().iter().any(|gone| gone == key);
        if key.is_some_and(is_withdrawn) || self.0.in_vain.lock().contains(&hash) {
            return Err(TokenError::UnknownKey.into());
        }
        if !self.refresh().await {
            return Err(TokenError::Unavailable.into());
        }
        let found = again();
        if let Err(Rejected { error: TokenError::UnknownKey, .. }) = found {
            let mut in_vain = self.0.in_vain.lock();
            if in_vain.len() < MAX_IN_VAIN {
                in_vain.push(hash);
            }
        }
        found
    }

    /// Fetches the keys again. `false` if requests had them fetched a moment ago, or if the fetch
    /// fails or takes too long.
    async fn refresh(&self) -> bool {
        let mut tries = self.0.tries.subscribe();
        if !self.may_look() {
            return false;
        }
        self.0.wanted.notify_one();
        let ended = tokio::time::timeout(MAX_WAIT, tries.changed()).await;
        matches!(ended, Ok(Ok(()))) && tries.borrow().has_succeeded
    }

    /// Whether a request may have the keys fetched now.
    fn may_look(&self) -> bool {
        let interval = if self.are_usable() { INTERVAL } else { INTERVAL_WITHOUT_KEYS };
        self.0.last_look.lock().is_none_or(|last| last.elapsed() >= interval)
    }

    async fn run(self, remote: Remote, oldest: Duration) {
        let mut retry = FIRST_RETRY;
        let mut is_asked = false;
        loop {
            let had_keys = self.are_usable();
            let fetched = fetch(&remote, &self.0.at).await;
            let has_succeeded = fetched.is_ok();
            let wait = match fetched {
                Ok(Fetched { keys, fresh_for, .. }) => {
                    self.0.follow(&keys);
                    self.0.current.store(Some(Arc::new(keys)));
                    self.0.in_vain.lock().clear();
                    *self.0.fetched.lock() = Some(Instant::now());
                    retry = FIRST_RETRY;
                    fresh_for.clamp(SHORTEST_KEPT, LONGEST_KEPT)
                }
                Err(error) => {
                    if self.age().is_some_and(|age| age >= oldest) {
                        self.0.current.store(None);
                    }
                    let (kept, left) = match self.age() {
                        None => ("no token can be checked yet", None),
                        Some(age) if age >= oldest => {
                            ("the keys are too old, so no token can be checked", None)
                        }
                        Some(age) => ("the keys that are there stay", oldest.checked_sub(age)),
                    };
                    tracing::error!(target: TARGET, "{error}; {kept}");
                    // The moment at which the keys are too old is not slept through.
                    let wait = left.map_or(retry, |left| retry.min(left));
                    retry = (retry * 2).min(LONGEST_RETRY);
                    wait
                }
            };
            let now = Instant::now();
            if has_succeeded && !had_keys {
                // The looks that brought the first keys were no looks for an unknown one.
                *self.0.last_look.lock() = None;
            } else if is_asked {
                *self.0.last_look.lock() = Some(now);
            }
            self.0.tries.send_modify(|tries| {
                *tries = Tries { count: tries.count + 1, has_succeeded };
            });
            let next = tokio::time::sleep_until(now + wait);
            tokio::pin!(next);
            is_asked = loop {
                tokio::select! {
                    () = &mut next => break false,
                    // During a flood, some requests ask for a fetch that is already under way.
                    () = self.0.wanted.notified() => if self.may_look() { break true },
                }
            };
        }
    }
}

/// Keys that were just fetched.
pub(crate) struct Fetched {
    pub(crate) keys: VerificationKeys,
    pub(crate) url: String,
    /// How long the keys may be kept.
    pub(crate) fresh_for: Duration,
}

/// Fetches an issuer's keys once.
pub(crate) async fn fetch(remote: &Remote, at: &KeysAt) -> Result<Fetched, RemoteError> {
    let url = match at {
        KeysAt::Url(url) => url.clone(),
        // The address is discovered each time, because a provider may move its keys.
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
    // A key of an unknown kind is skipped, so that it does not hide the others.
    let keys = keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
    let keys = VerificationKeys::new(&JwkSet { keys });
    if keys.is_empty() {
        return Err(wrong("none of its keys can verify an access token"));
    }
    Ok(Fetched { keys, url, fresh_for: answer.fresh_for })
}
