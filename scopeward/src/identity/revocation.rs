//! Tokens, people and clients whose access was taken away before it expired.
//!
//! `revoked.toml` in the data folder is written by `revocation add`, or by hand, and read again when
//! it changes. Each token is held against it at each request, whether its signature is checked anew
//! or was before.

mod file;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use jiff::Timestamp;

pub(crate) use file::{Entry, Revoked, Whom, edit, path, read};
pub(crate) use watch::{Watched, is_served, watch};

use crate::identity::token::AccessToken;

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
    /// Those of a file.
    pub(crate) fn of(revoked: &Revoked) -> Self {
        let this = Self::default();
        this.replace(revoked);
        this
    }

    /// Puts others in their place, in one step.
    pub(crate) fn replace(&self, revoked: &Revoked) {
        let mut list = List { count: revoked.entries.len(), ..List::default() };
        for Entry { whom, issuer, issued_before, .. } in &revoked.entries {
            let scope = || (issuer.as_deref().map(Box::from), *issued_before);
            match whom {
                Whom::Token(id) => drop(list.tokens.insert(id.as_str().into())),
                Whom::Subject(id) => {
                    list.subjects.entry(id.as_str().into()).or_default().push(scope());
                }
                Whom::Client(id) => {
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
                    |issuer: &str| issuer == token.issuer() || issuer == token.authority();
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

    fn refuse(&self) {
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
