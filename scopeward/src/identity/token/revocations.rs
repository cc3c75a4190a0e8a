//! The revocations in force: tokens, people and clients whose access ended before it expired.
//!
//! Each token is held against them at each request, whether its signature is checked anew or was
//! before.

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

/// The token, person or client that an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RevocationTarget {
    /// One token, by `jti`.
    Token(String),
    /// Whoever a token speaks for, by `sub`.
    Subject(String),
    /// Whatever it was issued to, by `client_id`.
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

/// One that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revocation {
    pub(crate) whom: RevocationTarget,
    /// At which issuer; at each, if it is not said.
    pub(crate) issuer: Option<String>,
    /// Only what was issued before: who signs in anew is let in again.
    pub(crate) issued_before: Option<Timestamp>,
    pub(crate) reason: Option<String>,
}

/// In one line, whatever stands in it.
impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{} {}", self.whom.key(), self.whom.id());
        if let Some(issuer) = &self.issuer {
            line += &format!("  of {issuer}");
        }
        if let Some(before) = self.issued_before {
            line += &format!("  issued before {before}");
        }
        if let Some(reason) = &self.reason {
            line += &format!("  ({reason})");
        }
        f.write_str(&line.replace(char::is_control, " "))
    }
}

/// What is revoked now. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Revocations(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    current: ArcSwap<List>,
    /// Wakes whoever waits for another list.
    changes: tokio::sync::watch::Sender<()>,
    /// How often a changed file was refused.
    refused: AtomicU64,
}

/// At which issuer, or at each; and only what was issued before, if that is said.
type Bounds = (Option<Box<str>>, Option<Timestamp>);

/// What is revoked, as it is looked up.
#[derive(Debug, Default)]
struct List {
    /// By `jti` (RFC 7519, section 4.1.7).
    tokens: HashSet<Box<str>>,
    /// By `sub`.
    subjects: HashMap<Box<str>, Vec<Bounds>>,
    /// By `client_id`.
    clients: HashMap<Box<str>, Vec<Bounds>>,
    /// The entries of the file.
    count: usize,
}

impl Revocations {
    /// These revocations.
    pub(crate) fn of(entries: &[Revocation]) -> Self {
        let this = Self::default();
        this.replace(entries);
        this
    }

    /// Puts others in their place, in one step.
    pub(crate) fn replace(&self, entries: &[Revocation]) {
        let mut list = List { count: entries.len(), ..List::default() };
        for Revocation { whom, issuer, issued_before, .. } in entries {
            let scope = || (issuer.as_deref().map(Box::from), *issued_before);
            match whom {
                RevocationTarget::Token(id) => drop(list.tokens.insert(id.as_str().into())),
                RevocationTarget::Subject(id) => {
                    list.subjects.entry(id.as_str().into()).or_default().push(scope());
                }
                RevocationTarget::Client(id) => {
                    list.clients.entry(id.as_str().into()).or_default().push(scope());
                }
            }
        }
        self.0.current.store(Arc::new(list));
        self.0.changes.send_replace(());
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

    /// Whether this token is revoked, or whom it speaks for, or the client that it was issued to.
    pub fn has(&self, token: &AccessToken) -> bool {
        let list = self.0.current.load();
        if list.count == 0 {
            return false;
        }
        let text = |name| token.claim(name).and_then(serde_json::Value::as_str);
        let is_of = |entries: &Vec<Bounds>| {
            entries.iter().any(|(issuer, before)| {
                let is_there =
                    |issuer: &str| issuer == token.issuer() || issuer == token.canonical_issuer();
                issuer.as_deref().is_none_or(is_there)
                    && before.is_none_or(|before| was_issued_before(token, before))
            })
        };
        text("jti").is_some_and(|id| list.tokens.contains(id))
            || list.subjects.get(token.subject()).is_some_and(is_of)
            || token.client().and_then(|client| list.clients.get(client)).is_some_and(is_of)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.0.current.load().count
    }

    /// How often a changed file was refused.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Remembers that a changed file was refused.
    pub(crate) fn refuse(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// A token that does not say when it was issued (`iat`) could have been at any time.
fn was_issued_before(token: &AccessToken, before: Timestamp) -> bool {
    let issued = token.claim("iat").and_then(serde_json::Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let before = before.as_second() as f64;
    issued.is_none_or(|issued| issued < before)
}
