//! The embedded issuer's state: clients and refresh tokens in a file, pending sign-ins and codes in
//! memory.

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

/// How long a person may take to answer the consent page, in seconds: ten minutes.
const PENDING_LIFETIME: u64 = 10 * 60;
/// How long an authorization code can be used, in seconds, so that a stolen code is soon useless
/// (RFC 6749, section 4.1.2).
const CODE_LIFETIME: u64 = 60;
/// How long a refresh token can be used after it was issued, in seconds: 30 days.
const REFRESH_LIFETIME: u64 = 30 * 24 * 60 * 60;
/// At most this many clients, families, pending sign-ins and codes are kept, each, so that a flood
/// of requests cannot fill the memory. When there are more, the oldest is removed.
const MOST: usize = 1_000;

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
}

/// A family of refresh tokens: all that followed from one sign-in. Only the newest token is valid.
/// When an older token is used, somebody has stolen a token, so the family ends (RFC 9700, section
/// 4.14.2).
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
    used: CodeUse,
}

/// The use of an authorization code, which can be used once.
#[derive(Debug, Clone)]
enum CodeUse {
    NotYet,
    /// The code was used, and started this family if the client may have refresh tokens.
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

/// The outcome of a request to revoke a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RevocationOutcome {
    /// The token does not exist, or does not exist any more.
    Gone,
    /// The token belongs to another client, and stays valid.
    IssuedToAnotherClient,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct PersistedState {
    clients: BTreeMap<String, RegisteredClient>,
    families: BTreeMap<String, RefreshFamily>,
}

/// A value, and the time when it expires, in seconds since 1970.
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

    /// Replaces the file as a whole, so that a crash leaves the old content or the new content.
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
    /// a code that was used already: its family of refresh tokens ends, because two parties have
    /// the code (RFC 6749, section 4.1.2).
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

    /// Marks a code as used. Returns a refresh token if the client may have one.
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

    /// Starts a family, and returns its identifier and its first refresh token.
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

    /// The grant behind a refresh token, if the token belongs to this client and is the newest of
    /// its family. Any other token of the family ends the family.
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

    /// Ends the family of a refresh token, if the token belongs to this client. Any token of the
    /// family will do, an old one as well.
    pub(super) fn revoke(&mut self, token: &str, client_id: &str) -> io::Result<RevocationOutcome> {
        let id = token.split_once('.').map_or(token, |(id, _)| id);
        match self.kept.families.get(id) {
            None => Ok(RevocationOutcome::Gone),
            Some(family) if family.grant.client_id != client_id => {
                Ok(RevocationOutcome::IssuedToAnotherClient)
            }
            Some(_) => {
                self.kept.families.remove(id);
                self.save()?;
                Ok(RevocationOutcome::Gone)
            }
        }
    }

    /// Replaces a [refreshable](Self::refreshable) token, and returns the new one.
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
