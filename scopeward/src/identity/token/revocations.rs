//! The revocations in force: tokens, people and clients whose access ended before it expired.
//!
//! Each request checks its token against this list, even if the token's signature is cached.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::AccessToken;
use crate::{
    heartbeat::Heartbeat,
    text::{escaped, shown},
};

/// The token, subject or client that a revocation names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RevocationTarget {
    /// One token, by `jti`.
    Token(String),
    /// All tokens of a subject, by `sub`.
    Subject(String),
    /// All tokens of a client, by `client_id`.
    Client(String),
}

impl RevocationTarget {
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Subject(_) => "subject",
            Self::Client(_) => "client",
        }
    }

    pub(crate) fn id(&self) -> &str {
        let (Self::Token(id) | Self::Subject(id) | Self::Client(id)) = self;
        id
    }
}

/// One entry of the list of revocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revocation {
    pub(crate) whom: RevocationTarget,
    /// The issuer whose tokens are revoked; `None` for every issuer.
    pub(crate) issuer: Option<String>,
    /// Only tokens that were issued before this time are revoked, so that somebody who signs in
    /// again is let in.
    pub(crate) issued_before: Option<Timestamp>,
    pub(crate) reason: Option<String>,
}

/// Writes the entry in one line. Control characters become spaces, because an entry may hold any
/// text.
impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.whom.key(), shown(self.whom.id()))?;
        if let Some(issuer) = &self.issuer {
            write!(f, "  of {}", shown(issuer))?;
        }
        if let Some(before) = self.issued_before {
            write!(f, "  issued before {before}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, "  ({})", escaped(reason))?;
        }
        Ok(())
    }
}

/// The list of revocations in force. Clones share one list.
///
/// ```
/// use scopeward::identity::{revocation::Revocations, token::{AccessToken, Validator}};
///
/// /// One list for the validator and for whoever holds a token longer than a request.
/// fn share(validator: Validator) -> (Validator, impl Fn(&AccessToken) -> bool) {
///     let revocations = Revocations::default();
///     let validator = validator.with_revocations(revocations.clone());
///     (validator, move |token| revocations.has(token))
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Revocations(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    current: ArcSwap<List>,
    /// The sign-ins that the embedded issuer has ended, by `sid`. They are no part of the file.
    ended: ArcSwap<HashSet<Box<str>>>,
    /// Wakes the tasks that wait for another list.
    changes: tokio::sync::watch::Sender<()>,
    /// The number of changed files that were refused.
    refused: AtomicU64,
    /// Beats each time the file was looked at.
    heartbeat: Heartbeat,
}

/// A sign-in at the embedded issuer, which could still give tokens.
#[cfg(feature = "embedded-issuer")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignIn<'a> {
    /// The names of the issuer.
    pub(crate) issuers: [&'a str; 2],
    pub(crate) subject: &'a str,
    pub(crate) client: &'a str,
    /// When the person signed in, in seconds since 1970.
    pub(crate) at: u64,
    /// What the `jti` of its tokens begins with.
    pub(crate) id: &'a str,
}

/// The bounds of a revocation: the issuer whose tokens are revoked (`None` for every issuer), and
/// the time before which they were issued (`None` for any time).
type Bounds = (Option<Box<str>>, Option<Timestamp>);

/// The revocations, as they are looked up.
#[derive(Debug, Default)]
struct List {
    /// By `jti` (RFC 7519, section 4.1.7).
    tokens: HashSet<Box<str>>,
    /// By `sub`.
    subjects: HashMap<Box<str>, Vec<Bounds>>,
    /// By `client_id`.
    clients: HashMap<Box<str>, Vec<Bounds>>,
    /// The number of entries in the file.
    count: usize,
}

impl Revocations {
    /// Makes a list of these revocations.
    pub(crate) fn of(entries: &[Revocation]) -> Self {
        let this = Self::default();
        this.replace(entries);
        this
    }

    /// Replaces all revocations in one step.
    pub(crate) fn replace(&self, entries: &[Revocation]) {
        let mut list = List { count: entries.len(), ..List::default() };
        for Revocation { whom, issuer, issued_before, .. } in entries {
            let bounds = || (issuer.as_deref().map(Box::from), *issued_before);
            match whom {
                RevocationTarget::Token(id) => drop(list.tokens.insert(id.as_str().into())),
                RevocationTarget::Subject(id) => {
                    list.subjects.entry(id.as_str().into()).or_default().push(bounds());
                }
                RevocationTarget::Client(id) => {
                    list.clients.entry(id.as_str().into()).or_default().push(bounds());
                }
            }
        }
        self.0.current.store(Arc::new(list));
        self.0.changes.send_replace(());
    }

    /// Also refuses the tokens of these sign-ins. Each comes with the time until which one of its
    /// tokens could be valid.
    #[cfg(feature = "embedded-issuer")]
    pub(crate) fn end<'a>(&self, sign_ins: impl Iterator<Item = (&'a str, u64)>) {
        let ended: HashSet<Box<str>> = sign_ins.map(|(id, _)| id.into()).collect();
        if **self.0.ended.load() != ended {
            self.0.ended.store(Arc::new(ended));
            self.0.changes.send_replace(());
        }
    }

    /// Whether no token may be given for this sign-in any more: it has ended, one of its tokens was
    /// revoked, or its subject or client is revoked.
    #[cfg(feature = "embedded-issuer")]
    pub(crate) fn has_sign_in(&self, sign_in: &SignIn<'_>) -> bool {
        let list = self.0.current.load();
        let is_of = |entries: &Vec<Bounds>| {
            entries.iter().any(|(issuer, before)| {
                issuer.as_deref().is_none_or(|issuer| sign_in.issuers.contains(&issuer))
                    && before.is_none_or(|before| {
                        i64::try_from(sign_in.at).is_ok_and(|at| at < before.as_second())
                    })
            })
        };
        let is_its_token = |id: &str| id.split_once('.').is_some_and(|(of, _)| of == sign_in.id);
        self.0.ended.load().contains(sign_in.id)
            || list.subjects.get(sign_in.subject).is_some_and(is_of)
            || list.clients.get(sign_in.client).is_some_and(is_of)
            || list.tokens.iter().any(|id| is_its_token(id))
    }

    /// Waits until this token is revoked.
    pub(crate) async fn revoked(&self, token: &AccessToken) {
        let mut changes = self.0.changes.subscribe();
        while !self.has(token) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether the token, its subject or its client is revoked.
    pub fn has(&self, token: &AccessToken) -> bool {
        let (list, ended) = (self.0.current.load(), self.0.ended.load());
        if list.count == 0 && ended.is_empty() {
            return false;
        }
        let text = |name| token.claim(name).and_then(serde_json::Value::as_str);
        let is_of = |entries: &Vec<Bounds>| {
            entries.iter().any(|(issuer, before)| {
                let is_issuer =
                    |issuer: &str| issuer == token.issuer() || issuer == token.canonical_issuer();
                issuer.as_deref().is_none_or(is_issuer)
                    && before.is_none_or(|before| was_issued_before(token, before))
            })
        };
        text("jti").is_some_and(|id| list.tokens.contains(id))
            || text("sid").is_some_and(|id| ended.contains(id))
            || list.subjects.get(token.subject()).is_some_and(is_of)
            || token.client().and_then(|client| list.clients.get(client)).is_some_and(is_of)
    }

    /// The heartbeat of the thread that watches the file.
    pub(crate) fn heartbeat(&self) -> &Heartbeat {
        &self.0.heartbeat
    }

    /// Whether nobody else has this list any more, so that it need not be kept up to date.
    pub(crate) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The number of entries in the list.
    pub(crate) fn len(&self) -> usize {
        self.0.current.load().count
    }

    /// The number of changed files that were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Counts a changed file that was refused.
    pub(crate) fn refuse(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the person behind a token signed in before this time. The age of a token is that of the
/// sign-in (`auth_time`, RFC 9068, section 2.2.1), because a refresh makes nobody sign in again; of a
/// token that does not say it, its own (`iat`). A token with neither counts as older, because it could
/// be from any time.
fn was_issued_before(token: &AccessToken, before: Timestamp) -> bool {
    let time = |name| token.claim(name).and_then(serde_json::Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let before = before.as_second() as f64;
    let times = [time("auth_time"), time("iat")];
    let oldest = times.into_iter().flatten().reduce(f64::min);
    oldest.is_none_or(|oldest| oldest < before)
}
