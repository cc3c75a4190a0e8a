//! What the issuer remembers: clients and refresh tokens in a file, sign-ins under way in memory.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{IssuerError, client::Client, credentials};
use crate::{
    file::{self, Access},
    policy::Scope,
};

/// A sign-in must be finished within this many seconds.
const PENDING_LIFETIME: u64 = 10 * 60;
/// An authorization code must be used within this many seconds (RFC 6749, section 4.1.2).
const CODE_LIFETIME: u64 = 60;
/// A refresh token that is not used for this many seconds is void.
const REFRESH_LIFETIME: u64 = 30 * 24 * 60 * 60;
/// More of anything than this, and the oldest goes: a flood must not fill the memory.
const MOST: usize = 1_000;

/// A registered client (RFC 7591).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RegisteredClient {
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) may_refresh: bool,
    pub(super) registered_at: u64,
}

/// What a person granted to a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
}

/// The line of refresh tokens that began with one sign-in. Only the newest is good; an older one
/// that comes back means that somebody else has it, and ends the line (RFC 9700, section 4.14.2).
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
    /// Binds the page to the browser that was shown it.
    pub(super) browser: String,
}

/// An authorization code's meaning.
#[derive(Debug, Clone)]
pub(super) struct AuthorizationCode {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    may_refresh: bool,
    used: CodeUse,
}

/// What became of a code.
#[derive(Debug, Clone)]
enum CodeUse {
    NotYet,
    /// It gave this line of refresh tokens, if its client may have any.
    Gave(Option<String>),
}

impl AuthorizationCode {
    pub(super) fn new(grant: Grant, pending: &PendingSignIn) -> Self {
        Self {
            grant,
            redirect_uri: pending.redirect_uri.clone(),
            challenge: pending.challenge.clone(),
            may_refresh: pending.client.may_refresh,
            used: CodeUse::NotYet,
        }
    }
}

/// What became of a token that was to be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RevocationOutcome {
    /// There is none (any more).
    Gone,
    /// It belongs to another client, and stays.
    OfAnother,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct PersistedState {
    clients: BTreeMap<String, RegisteredClient>,
    families: BTreeMap<String, RefreshFamily>,
}

/// A thing and when it is void.
#[derive(Debug)]
struct Expiring<T> {
    expires_at: u64,
    value: T,
}

#[derive(Debug)]
pub(super) struct State {
    file: PathBuf,
    kept: PersistedState,
    pending: HashMap<String, Expiring<PendingSignIn>>,
    codes: HashMap<String, Expiring<AuthorizationCode>>,
}

impl State {
    pub(super) fn open(file: &Path) -> Result<Self, IssuerError> {
        let path = || file.display().to_string();
        let kept = match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| IssuerError::Damaged {
                path: path(),
                reason: format!("line {}, column {}", error.line(), error.column()),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => PersistedState::default(),
            Err(source) => {
                return Err(IssuerError::Io { path: path(), source });
            }
        };
        let file = file.to_owned();
        Ok(Self { file, kept, pending: HashMap::new(), codes: HashMap::new() })
    }

    /// Replaces the file as a whole, so that a crash leaves the old one or the new one.
    fn save(&self) -> io::Result<()> {
        file::replace(&self.file, &serde_json::to_vec(&self.kept)?, Access::OwnerOnly)
    }

    pub(super) fn client(&self, id: &str) -> Option<&RegisteredClient> {
        self.kept.clients.get(id)
    }

    pub(super) fn add_client(&mut self, client: RegisteredClient) -> io::Result<String> {
        if self.kept.clients.len() >= MOST {
            let oldest = self.kept.clients.iter().min_by_key(|(_, client)| client.registered_at);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.kept.clients.remove(&id);
                self.kept.families.retain(|_, family| family.grant.client_id != id);
            }
        }
        let id = credentials::random();
        self.kept.clients.insert(id.clone(), client);
        self.save()?;
        Ok(id)
    }

    pub(super) fn add_pending(&mut self, pending: PendingSignIn, now: u64) -> String {
        keep_newest(&mut self.pending, now);
        let id = credentials::random();
        self.pending
            .insert(id.clone(), Expiring { expires_at: now + PENDING_LIFETIME, value: pending });
        id
    }

    /// A sign-in under way, if it is not too old.
    pub(super) fn pending(&self, id: &str, now: u64) -> Option<&PendingSignIn> {
        self.pending.get(id).filter(|pending| pending.expires_at > now).map(|until| &until.value)
    }

    /// Ends a sign-in: the answer is given. Of two answers, the second finds nothing to end.
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

    /// What a code means, to be checked before it is [used](Self::use_code). A code that was used
    /// already gives nothing, and takes back the refresh tokens that it gave (RFC 6749, section
    /// 4.1.2).
    pub(super) fn code(&mut self, text: &str, now: u64) -> io::Result<Option<AuthorizationCode>> {
        let Some(until) = self.codes.get(&credentials::fingerprint(text)) else {
            return Ok(None);
        };
        if let CodeUse::Gave(family) = &until.value.used {
            if let Some(family) = family.clone() {
                self.kept.families.remove(&family);
                self.save()?;
            }
            return Ok(None);
        }
        Ok(Some(&until.value).filter(|_| until.expires_at > now).cloned())
    }

    /// Marks a code used; gives a refresh token if its client may have one.
    pub(super) fn use_code(&mut self, text: &str, now: u64) -> io::Result<Option<String>> {
        let Some(code) = self.codes.get(&credentials::fingerprint(text)) else {
            return Ok(None);
        };
        let (grant, may_refresh) = (code.value.grant.clone(), code.value.may_refresh);
        let started = if may_refresh { Some(self.start_family(grant, now)?) } else { None };
        let family = started.as_ref().map(|(family, _)| family.clone());
        if let Some(code) = self.codes.get_mut(&credentials::fingerprint(text)) {
            code.value.used = CodeUse::Gave(family);
        }
        Ok(started.map(|(_, token)| token))
    }

    fn start_family(&mut self, grant: Grant, now: u64) -> io::Result<(String, String)> {
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
        self.save()?;
        let token = format!("{id}.{secret}");
        Ok((id, token))
    }

    /// The grant behind a refresh token, if it is its client's and the newest of its line. One
    /// that was replaced already ends the whole line.
    pub(super) fn refreshable(
        &mut self,
        token: &str,
        client_id: &str,
        now: u64,
    ) -> io::Result<Option<Grant>> {
        let Some((id, secret)) = token.split_once('.') else {
            return Ok(None);
        };
        let Some(family) = self.kept.families.get(id) else {
            return Ok(None);
        };
        let is_newest = credentials::same(&family.newest, &credentials::fingerprint(secret));
        if is_newest && family.expires_at > now && family.grant.client_id == client_id {
            return Ok(Some(family.grant.clone()));
        }
        self.kept.families.remove(id);
        self.save()?;
        Ok(None)
    }

    /// Ends the line of a refresh token, if it is its client's. Any token of the line will do.
    pub(super) fn revoke(&mut self, token: &str, client_id: &str) -> io::Result<RevocationOutcome> {
        let id = token.split_once('.').map_or(token, |(id, _)| id);
        match self.kept.families.get(id) {
            None => Ok(RevocationOutcome::Gone),
            Some(family) if family.grant.client_id != client_id => Ok(RevocationOutcome::OfAnother),
            Some(_) => {
                self.kept.families.remove(id);
                self.save()?;
                Ok(RevocationOutcome::Gone)
            }
        }
    }

    /// The token that replaces a [refreshable](Self::refreshable) one.
    pub(super) fn rotate(&mut self, token: &str, now: u64) -> io::Result<Option<String>> {
        let id = token.split_once('.').map_or(token, |(id, _)| id);
        let Some(family) = self.kept.families.get_mut(id) else {
            return Ok(None);
        };
        let next = credentials::random();
        family.newest = credentials::fingerprint(&next);
        family.expires_at = now + REFRESH_LIFETIME;
        self.save()?;
        Ok(Some(format!("{id}.{next}")))
    }
}

/// Drops what is void, and the oldest if there is too much.
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
