//! The embedded issuer's state: clients, refresh tokens and ended sign-ins in a file, pending sign-ins
//! and codes in memory.
//!
//! [`Store`](super::store::Store) changes the state and saves it. Nothing here waits for a disk.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt, io,
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ACCESS_TOKEN_LIFETIME, IssuerError, client::Client, credentials};
use crate::{file, identity::token::LEEWAY, policy::Scope};

/// How long a person may take to answer the consent page, in seconds: ten minutes.
const PENDING_LIFETIME: u64 = 10 * 60;
/// How long an authorization code can be used, in seconds, so that a stolen code is soon useless
/// (RFC 6749, section 4.1.2).
const CODE_LIFETIME: u64 = 60;
/// How long a refresh token can be used after it was issued, in seconds: 30 days.
const REFRESH_LIFETIME: u64 = 30 * 24 * 60 * 60;
/// For how long the newest token's predecessor is answered as it was the first time, in seconds.
/// Clients that refresh in several places at once do so within one round trip.
pub(super) const GRACE: u64 = 10;
/// At most this many clients, families, pending sign-ins and codes are kept, each, so that a flood
/// of requests cannot fill the memory. When there are more, the oldest is removed.
const MOST: usize = 1_000;
/// At most this many ended sign-ins are kept. Each of them is forgotten when its last token expires.
const MOST_ENDED: usize = 10_000;

/// A registered client (RFC 7591).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RegisteredClient {
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) may_refresh: bool,
    pub(super) registered_at: u64,
}

/// The scopes that a person granted to a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    /// When the person signed in, in seconds since 1970. A grant without it counts as one of 1970, so
    /// that every later sign-out ends it.
    #[serde(default)]
    pub(super) signed_in_at: u64,
    /// The sign-in, as its access tokens name it (`sid`).
    #[serde(default)]
    pub(super) sign_in: String,
}

impl Grant {
    /// The grant of a person who signs in now.
    pub(super) fn now(client_id: String, subject: String, scopes: Vec<String>, now: u64) -> Self {
        let sign_in = credentials::random();
        Self { client_id, subject, scopes, signed_in_at: now, sign_in }
    }
}

/// A family of refresh tokens: all that followed from one sign-in. Only the newest token is valid, and
/// for [`GRACE`] the one before it, which gets the same answer again. When an older token is used,
/// somebody has stolen a token, so the family ends (RFC 9700, section 4.14.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RefreshFamily {
    grant: Grant,
    newest: String,
    expires_at: u64,
}

/// An authorization request that waits for a person's answer.
#[derive(Debug, Clone)]
pub(super) struct PendingSignIn {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    pub(super) scopes: Vec<Scope>,
    /// The cookie that binds the page to the browser that was shown it.
    pub(super) browser: String,
}

/// The grant behind an authorization code, and the checks before it is used.
#[derive(Debug, Clone)]
pub(super) struct AuthorizationCode {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    may_refresh: bool,
}

impl AuthorizationCode {
    pub(super) fn new(grant: Grant, pending: &PendingSignIn) -> Self {
        Self {
            grant,
            redirect_uri: pending.redirect_uri.clone(),
            challenge: pending.challenge.clone(),
            may_refresh: pending.client.may_refresh,
        }
    }
}

/// The answer that a refresh token was given.
#[derive(Clone)]
pub(super) struct Answered {
    /// The scopes that the client asked for.
    pub(super) wanted: Option<String>,
    /// The body of the answer.
    pub(super) answer: Value,
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// A refresh token that may be used.
#[derive(Debug)]
pub(super) struct Refreshable {
    pub(super) grant: Grant,
    /// The answer that the token was given, if it was replaced a moment ago.
    pub(super) answered: Option<Arc<Answered>>,
}

/// The outcome of a request to revoke a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RevocationOutcome {
    /// The token does not exist, or does not exist any more.
    Gone,
    /// The token belongs to another client, and stays valid.
    IssuedToAnotherClient,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PersistedState {
    clients: BTreeMap<String, RegisteredClient>,
    families: BTreeMap<String, RefreshFamily>,
    /// The sign-ins whose access tokens are refused although they have not expired, each with the time
    /// after which none of its tokens is valid any more.
    #[serde(default)]
    ended: BTreeMap<String, u64>,
}

/// A value, and the time when it expires, in seconds since 1970.
#[derive(Debug, Clone)]
struct Expiring<T> {
    expires_at: u64,
    value: T,
}

/// The whole state of an issuer. A clone of it is changed, and takes its place when it is saved.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    kept: PersistedState,
    /// The identifiers of the clients, the oldest first.
    clients: VecDeque<Arc<str>>,
    pending: HashMap<String, Expiring<PendingSignIn>>,
    codes: HashMap<String, Expiring<AuthorizationCode>>,
    /// The codes that were used, with the sign-in that each gave. They are remembered for as long as a
    /// token that they gave is valid, so that a replay ends it.
    used_codes: HashMap<String, Expiring<String>>,
    /// The newest answer of each family, with the fingerprint of the token that it was for. It holds
    /// tokens, so that it is never written to the disk.
    answered: HashMap<String, Expiring<(String, Arc<Answered>)>>,
    /// Whether what is kept in the file was changed since the state was taken.
    is_changed: bool,
}

impl State {
    /// Reads the file. Without a file the state is empty.
    pub(super) fn read(file: &Path) -> Result<Self, IssuerError> {
        let path = || file.display().to_string();
        let kept = match file::read(file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| IssuerError::Damaged {
                path: path(),
                reason: format!("line {}, column {}", error.line(), error.column()),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => PersistedState::default(),
            Err(source) => {
                return Err(IssuerError::Io { path: path(), source });
            }
        };
        let mut clients: Vec<_> = kept.clients.iter().collect();
        clients.sort_by_key(|(_, client)| client.registered_at);
        let clients = clients.into_iter().map(|(id, _)| id.as_str().into()).collect();
        Ok(Self { kept, clients, ..Self::default() })
    }

    /// A clone to be changed.
    pub(super) fn next(&self) -> Self {
        Self { is_changed: false, ..self.clone() }
    }

    /// The content of the file, if it was changed.
    pub(super) fn changed(&self) -> Option<&PersistedState> {
        self.is_changed.then_some(&self.kept)
    }

    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.kept.clients.len()
    }

    /// The sign-ins that have ended.
    pub(super) fn ended(&self) -> impl Iterator<Item = (&str, u64)> {
        self.kept.ended.iter().map(|(sign_in, until)| (&**sign_in, *until))
    }

    pub(super) fn client(&self, id: &str) -> Option<&RegisteredClient> {
        self.kept.clients.get(id)
    }

    pub(super) fn add_client(&mut self, client: RegisteredClient) -> String {
        self.is_changed = true;
        while self.clients.len() >= MOST
            && let Some(oldest) = self.clients.pop_front()
        {
            self.kept.clients.remove(&*oldest);
            self.kept.families.retain(|_, family| *family.grant.client_id != *oldest);
        }
        let id = credentials::random();
        self.clients.push_back(id.as_str().into());
        self.kept.clients.insert(id.clone(), client);
        id
    }

    pub(super) fn add_pending(&mut self, pending: PendingSignIn, now: u64) -> String {
        keep_newest(&mut self.pending, now);
        let id = credentials::random();
        self.pending
            .insert(id.clone(), Expiring { expires_at: now + PENDING_LIFETIME, value: pending });
        id
    }

    /// The pending sign-in with this identifier, if it has not expired.
    pub(super) fn pending(&self, id: &str, now: u64) -> Option<&PendingSignIn> {
        self.pending.get(id).filter(|pending| pending.expires_at > now).map(|until| &until.value)
    }

    /// Ends a pending sign-in, because the person has answered. `false` if it was ended before.
    pub(super) fn end_pending(&mut self, id: &str) -> bool {
        self.pending.remove(id).is_some()
    }

    pub(super) fn add_code(&mut self, code: AuthorizationCode, now: u64) -> String {
        keep_newest(&mut self.codes, now);
        let text = credentials::random();
        let until = Expiring { expires_at: now + CODE_LIFETIME, value: code };
        self.codes.insert(credentials::fingerprint(&text), until);
        text
    }

    /// The grant behind a code, to be checked before the code is [used](Self::use_code). `None` for
    /// a code that was used already: everything that it gave ends, because two parties have the code
    /// (RFC 6749, section 4.1.2; RFC 9700, section 2.1.1).
    pub(super) fn code(&mut self, text: &str, now: u64) -> Option<AuthorizationCode> {
        let key = credentials::fingerprint(text);
        if let Some(used) = self.used_codes.get(&key) {
            let sign_in = used.value.clone();
            self.end_sign_in(&sign_in, now);
            return None;
        }
        self.codes.get(&key).filter(|until| until.expires_at > now).map(|until| until.value.clone())
    }

    /// Uses a code, which can be done once. Returns a refresh token if the client may have one.
    pub(super) fn use_code(&mut self, text: &str, now: u64) -> Option<String> {
        let key = credentials::fingerprint(text);
        let AuthorizationCode { grant, may_refresh, .. } = self.codes.remove(&key)?.value;
        keep_newest(&mut self.used_codes, now);
        let expires_at = now + ACCESS_TOKEN_LIFETIME;
        self.used_codes.insert(key, Expiring { expires_at, value: grant.sign_in.clone() });
        may_refresh.then(|| self.start_family(grant, now))
    }

    /// Ends a sign-in: its refresh tokens, and its access tokens that have not expired.
    fn end_sign_in(&mut self, sign_in: &str, now: u64) {
        self.kept.families.retain(|_, family| family.grant.sign_in != sign_in);
        self.kept.ended.retain(|_, until| *until > now);
        if self.kept.ended.len() >= MOST_ENDED {
            let oldest = self.kept.ended.iter().min_by_key(|(_, until)| **until);
            if let Some(oldest) = oldest.map(|(sign_in, _)| sign_in.clone()) {
                self.kept.ended.remove(&oldest);
            }
        }
        if !sign_in.is_empty() {
            self.kept.ended.insert(sign_in.to_owned(), now + ACCESS_TOKEN_LIFETIME + LEEWAY);
        }
        self.is_changed = true;
    }

    /// Starts a family, and returns its first refresh token.
    fn start_family(&mut self, grant: Grant, now: u64) -> String {
        self.kept.families.retain(|_, family| family.expires_at > now);
        if self.kept.families.len() >= MOST {
            let oldest = self.kept.families.iter().min_by_key(|(_, family)| family.expires_at);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.kept.families.remove(&id);
            }
        }
        let (id, secret) = (credentials::random(), credentials::random());
        let newest = credentials::fingerprint(&secret);
        let family = RefreshFamily { grant, newest, expires_at: now + REFRESH_LIFETIME };
        self.kept.families.insert(id.clone(), family);
        self.is_changed = true;
        format!("{id}.{secret}")
    }

    /// The grant behind a refresh token, if the token belongs to this client and is the newest of
    /// its family, or the one before it within [`GRACE`]. Any other token of the family ends the
    /// family, with its access tokens.
    pub(super) fn refreshable(
        &mut self,
        token: &str,
        client_id: &str,
        now: u64,
    ) -> Option<Refreshable> {
        let (id, secret) = token.split_once('.')?;
        let family = self.kept.families.get(id)?;
        let shown = credentials::fingerprint(secret);
        if family.expires_at > now && family.grant.client_id == client_id {
            let before = self.answered.get(id).filter(|before| before.expires_at > now);
            let answered = if credentials::same(&family.newest, &shown) {
                Some(None)
            } else {
                before
                    .filter(|before| credentials::same(&before.value.0, &shown))
                    .map(|before| Some(Arc::clone(&before.value.1)))
            };
            if let Some(answered) = answered {
                return Some(Refreshable { grant: family.grant.clone(), answered });
            }
        }
        let sign_in = family.grant.sign_in.clone();
        self.end_family(id, &sign_in, now);
        None
    }

    /// Remembers the answer to a token that was [replaced](Self::rotate), so that it is given again.
    pub(super) fn answered(&mut self, token: &str, answered: Answered, now: u64) {
        let Some((id, secret)) = token.split_once('.') else { return };
        keep_newest(&mut self.answered, now);
        let value = (credentials::fingerprint(secret), Arc::new(answered));
        self.answered.insert(id.to_owned(), Expiring { expires_at: now + GRACE, value });
    }

    /// Ends a family, and the sign-in that it followed from.
    fn end_family(&mut self, id: &str, sign_in: &str, now: u64) {
        self.kept.families.remove(id);
        self.end_sign_in(sign_in, now);
    }

    /// Ends the family of a refresh token that will not be used again, because its caller was revoked.
    pub(super) fn end(&mut self, token: &str) {
        let id = token.split_once('.').map_or(token, |(id, _)| id);
        self.is_changed |= self.kept.families.remove(id).is_some();
    }

    /// Ends the family of a refresh token, if the token belongs to this client. Any token of the
    /// family will do, an old one as well.
    pub(super) fn revoke(&mut self, token: &str, client_id: &str, now: u64) -> RevocationOutcome {
        let id = token.split_once('.').map_or(token, |(id, _)| id).to_owned();
        match self.kept.families.get(&id) {
            None => RevocationOutcome::Gone,
            Some(family) if family.grant.client_id != client_id => {
                RevocationOutcome::IssuedToAnotherClient
            }
            Some(family) => {
                let sign_in = family.grant.sign_in.clone();
                self.end_family(&id, &sign_in, now);
                RevocationOutcome::Gone
            }
        }
    }

    /// Replaces a [refreshable](Self::refreshable) token, and returns the new one.
    pub(super) fn rotate(&mut self, token: &str, now: u64) -> Option<String> {
        let id = token.split_once('.').map_or(token, |(id, _)| id);
        let family = self.kept.families.get_mut(id)?;
        let next = credentials::random();
        family.newest = credentials::fingerprint(&next);
        family.expires_at = now + REFRESH_LIFETIME;
        self.is_changed = true;
        Some(format!("{id}.{next}"))
    }
}

/// Removes the expired values, and the oldest ones until there is room for one more.
fn keep_newest<T>(all: &mut HashMap<String, Expiring<T>>, now: u64) {
    all.retain(|_, until| until.expires_at > now);
    while all.len() >= MOST {
        let oldest = all.iter().min_by_key(|(_, until)| until.expires_at);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            return;
        };
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A state with one family, whose first token was replaced and answered at `at`.
    fn replaced(at: u64) -> (State, String, String) {
        let mut state = State::default();
        let grant = Grant::now("client".to_owned(), "ada".to_owned(), vec![], at);
        let first = state.start_family(grant, at);
        let next = state.rotate(&first, at).unwrap();
        let answer = Answered { wanted: None, answer: json!({ "refresh_token": next }) };
        state.answered(&first, answer, at);
        (state, first, next)
    }

    #[test]
    fn the_same_answer_is_given_until_the_grace_ends() {
        let (mut state, first, next) = replaced(1_000);
        for later in [0, 1, GRACE - 1] {
            let again = state.refreshable(&first, "client", 1_000 + later).unwrap();
            assert_eq!(again.answered.unwrap().answer["refresh_token"], *next);
        }
        assert!(state.refreshable(&next, "client", 1_000 + GRACE).is_some(), "the newest");
        assert!(state.refreshable(&first, "client", 1_000 + GRACE).is_none(), "the grace is over");
        assert!(state.refreshable(&next, "client", 1_000 + GRACE).is_none(), "everything ended");
        assert_eq!(state.ended().count(), 1);
    }

    #[test]
    fn what_was_revoked_is_answered_to_nobody() {
        let (mut state, first, next) = replaced(1_000);
        state.revoke(&next, "client", 1_000);
        assert!(state.refreshable(&first, "client", 1_000).is_none());
        let (mut state, first, _) = replaced(1_000);
        state.end(&first);
        assert!(state.refreshable(&first, "client", 1_000).is_none());
    }

    #[test]
    fn answers_are_not_written_to_the_file() {
        let (state, _, next) = replaced(1_000);
        let (_, secret) = next.split_once('.').unwrap();
        let written = serde_json::to_string(state.changed().unwrap()).unwrap();
        assert!(!written.contains(secret));
        assert!(!format!("{state:?}").contains(secret));
    }

    #[test]
    fn answers_of_many_families_are_bounded() {
        let mut state = State::default();
        for now in 0..3_000 {
            let grant = Grant::now("client".to_owned(), "ada".to_owned(), vec![], 0);
            let first = state.start_family(grant, now / 1_000);
            state.rotate(&first, now / 1_000);
            let answer = Answered { wanted: None, answer: Value::Null };
            state.answered(&first, answer, now / 1_000);
        }
        assert!(state.answered.len() <= MOST);
    }
}
