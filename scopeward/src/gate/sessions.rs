//! The owners of sessions: no caller can use another caller's session, even if it knows its id.
//!
//! MCP, "Security Best Practices", session hijacking: a session is bound to the caller that began
//! it, and every request in it is authenticated all the same.
//!
//! A caller has a number of sessions at a time, and so have all callers together. Beyond either, the
//! session that was unused for longest ends, of the caller that has the most: no flood of one caller
//! costs another a session.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use rmcp::{ErrorData, model::ErrorCode};

use super::challenge::json_rpc_error;
use crate::{
    identity::{Caller, Principal},
    limits::{Limit, Limits},
    mcp::SESSION_HEADER,
    record::metrics::metrics,
};

/// How long an unused session is remembered: 24 hours. A request in a forgotten session gets 404,
/// so that its client begins a new one.
const MAX_IDLE: Duration = Duration::from_hours(24);

/// Ends a session in the service behind the gate.
pub(crate) type EndSession = Arc<dyn Fn(&str) + Send + Sync>;

/// The open sessions: for each id, the caller and the client that began the session. Clones share
/// them.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    table: Arc<Mutex<Table>>,
    end: Option<EndSession>,
}

#[derive(Default)]
struct Table {
    by_id: HashMap<Arc<str>, Session>,
    /// The sessions of each caller, in the order of their last use.
    by_caller: HashMap<u64, BTreeMap<u64, Arc<str>>>,
    /// The number of the next use.
    uses: u64,
}

struct Session {
    owner: Owner,
    caller: u64,
    last_use: u64,
    used_at: Instant,
}

/// The owner of a session: the caller and its client; `None` for callers without a token.
type Owner = Option<(String, Option<String>)>;

/// The number of all callers without a token together, among those of callers.
const ANONYMOUS: u64 = 0;

/// Marks a request that may begin a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct BeginsSession;

/// The relation of a request to the session that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// The request names no session.
    None,
    /// The request names one of its caller's own sessions.
    Own,
    /// The request names another caller's session, an unknown session, or several sessions.
    Foreign,
}

impl Table {
    /// Notes a use of a session by this caller; `false` if the session is not the caller's.
    fn touch(&mut self, id: &str, caller: Caller<'_>, now: Instant) -> bool {
        let Some((id, session)) = self.by_id.get_key_value(id) else { return false };
        let (is_own, is_old) = (
            session.owner == owner(caller),
            now.saturating_duration_since(session.used_at) >= MAX_IDLE,
        );
        let id = Arc::clone(id);
        if is_own && is_old {
            self.remove(&id);
        }
        if !is_own || is_old {
            return false;
        }
        self.uses += 1;
        let (uses, Some(session)) = (self.uses, self.by_id.get_mut(&id)) else { return false };
        if let Some(all) = self.by_caller.get_mut(&session.caller) {
            all.remove(&session.last_use);
            all.insert(uses, id);
        }
        session.last_use = uses;
        session.used_at = now;
        true
    }

    fn remove(&mut self, id: &str) {
        let Some(session) = self.by_id.remove(id) else { return };
        if let Some(all) = self.by_caller.get_mut(&session.caller) {
            all.remove(&session.last_use);
            if all.is_empty() {
                self.by_caller.remove(&session.caller);
            }
        }
    }

    /// Adds a session, and returns the sessions that end for it.
    fn add(
        &mut self,
        id: Arc<str>,
        (caller, owner): (u64, Owner),
        limits: &Limits,
        now: Instant,
    ) -> Vec<Arc<str>> {
        self.remove(&id);
        let mut ended = vec![];
        let count = |table: &Self| table.by_caller.get(&caller).map_or(0, BTreeMap::len);
        while count(self) >= limits.max_sessions_per_caller.max(1) {
            metrics().limited(Limit::SessionsOfCaller);
            let Some(oldest) = self.end_oldest(caller) else { break };
            ended.push(oldest);
        }
        while self.by_id.len() >= limits.max_sessions.max(1) {
            metrics().limited(Limit::Sessions);
            // The caller that would have the most loses one, so nobody who has fewer does.
            let most = self.by_caller.iter().max_by_key(|(of, all)| (all.len(), **of == caller));
            let Some(oldest) = most.map(|(of, _)| *of).and_then(|of| self.end_oldest(of)) else {
                break;
            };
            ended.push(oldest);
        }
        self.uses += 1;
        let last_use = self.uses;
        self.by_caller.entry(caller).or_default().insert(last_use, Arc::clone(&id));
        self.by_id.insert(id, Session { owner, caller, last_use, used_at: now });
        ended
    }

    /// Forgets the session of a caller that was unused for longest.
    fn end_oldest(&mut self, caller: u64) -> Option<Arc<str>> {
        let (_, id) = self.by_caller.get(&caller)?.first_key_value()?;
        let id = Arc::clone(id);
        self.remove(&id);
        Some(id)
    }
}

impl Sessions {
    /// The same sessions, which are ended with this function as well.
    pub(super) fn ended_by(self, end: EndSession) -> Self {
        Self { end: Some(end), ..self }
    }

    /// Whether the service behind the gate keeps sessions.
    pub(super) fn are_kept(&self) -> bool {
        self.end.is_some()
    }

    /// Finds whether a request names a session, and whether the session is its caller's own.
    ///
    /// A caller that has signed in takes over the session that it began without a token. Only its
    /// client knows the session's id.
    pub(super) fn membership(
        &self,
        headers: &HeaderMap,
        caller: Caller<'_>,
        limits: &Limits,
    ) -> Membership {
        let mut named = headers.get_all(SESSION_HEADER).iter();
        match (named.next(), named.next()) {
            (None, _) => Membership::None,
            (Some(session), None) => {
                let Ok(id) = session.to_str() else { return Membership::Foreign };
                let is_own = self.table.lock().touch(id, caller, Instant::now())
                    || self.take_over(id, caller, limits);
                if is_own { Membership::Own } else { Membership::Foreign }
            }
            (Some(_), Some(_)) => Membership::Foreign,
        }
    }

    /// Remembers the session that an answer begins, or forgets the session that a request ended.
    /// `asked` is the session that the request named.
    pub(super) fn follow(
        &self,
        method: &Method,
        asked: Option<&HeaderValue>,
        answer: (StatusCode, &HeaderMap),
        caller: Caller<'_>,
        limits: &Limits,
    ) {
        let name = |header: Option<&HeaderValue>| header?.to_str().ok().map(Arc::<str>::from);
        let (status, answered) = answer;
        if !status.is_success() {
            return;
        }
        if *method == Method::DELETE {
            if let Some(session) = name(asked) {
                self.table.lock().remove(&session);
            }
        } else if let Some(session) = name(answered.get(SESSION_HEADER))
            && name(asked).is_none()
        {
            self.add(session, caller, limits);
        }
    }

    /// Adds a session, and ends those for which there is no more room.
    fn add(&self, session: Arc<str>, caller: Caller<'_>, limits: &Limits) {
        let number = caller.principal().map_or(ANONYMOUS, Principal::number);
        let of = (number, owner(caller));
        let ended = self.table.lock().add(session, of, limits, Instant::now());
        if let Some(end) = &self.end {
            for session in &ended {
                end(session);
            }
        }
    }

    /// Makes a session that began without a token this caller's; `false` if it is not such a session,
    /// or if the caller has no token either.
    fn take_over(&self, id: &str, caller: Caller<'_>, limits: &Limits) -> bool {
        let is_nobodys = || self.table.lock().by_id.get(id).is_some_and(|one| one.owner.is_none());
        if caller.principal().is_none() || !is_nobodys() {
            return false;
        }
        self.add(id.into(), caller, limits);
        true
    }
}

/// The owner of a session.
fn owner(caller: Caller<'_>) -> Owner {
    let caller = caller.principal()?;
    Some((caller.id(), caller.client().map(str::to_owned)))
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// The answer to a request in a foreign session: 404, upon which the client begins a new session
/// (MCP, "Session Management").
pub(super) fn no_such_session() -> Response {
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, "Session not found", None);
    json_rpc_error(StatusCode::NOT_FOUND, None, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(all: usize, each: usize) -> Limits {
        let mut limits = Limits::default();
        (limits.max_sessions, limits.max_sessions_per_caller) = (all, each);
        limits
    }

    fn add(table: &mut Table, caller: u64, id: usize, limits: &Limits) -> Vec<Arc<str>> {
        let owner = Some((caller.to_string(), None));
        table.add(format!("{caller}-{id}").into(), (caller, owner), limits, Instant::now())
    }

    /// 100,000 sessions of one caller: the table holds the caller's share, and nobody else lost one.
    #[test]
    fn a_flood_of_one_caller_costs_nobody_else_a_session() {
        let limits = limits(50, 10);
        let mut table = Table::default();
        for other in 1..=4 {
            assert!(add(&mut table, other, 0, &limits).is_empty());
        }
        for id in 0..100_000 {
            let ended = add(&mut table, 0, id, &limits);
            assert!(ended.iter().all(|id| id.starts_with("0-")), "{ended:?}");
            assert_eq!(ended.len(), usize::from(id >= 10), "the oldest ends, and no more");
        }
        assert_eq!((table.by_id.len(), table.by_caller[&0].len()), (14, 10));
        assert!(table.by_id.contains_key("0-99999") && !table.by_id.contains_key("0-99989"));
        assert!((1..=4).all(|other| table.by_id.contains_key(format!("{other}-0").as_str())));
    }

    /// Ten callers that fill the table: a newcomer takes a place of one that has the most.
    #[test]
    fn a_newcomer_takes_the_place_of_one_that_has_the_most() {
        let limits = limits(50, 10);
        let mut table = Table::default();
        for id in 0..10 {
            for caller in 0..10 {
                add(&mut table, caller, id, &limits);
            }
        }
        assert_eq!(table.by_id.len(), 50);
        let counts: Vec<usize> = table.by_caller.values().map(BTreeMap::len).collect();
        assert!(counts.iter().all(|count| *count == 5), "each has its share: {counts:?}");
        for newcomer in 100..140 {
            let ended = add(&mut table, newcomer, 0, &limits);
            assert_eq!(ended.len(), 1);
            assert!(ended.iter().all(|id| id.split('-').next().is_some_and(|of| of.len() == 1)));
        }
        assert_eq!(table.by_id.len(), 50);
        assert_eq!(table.by_caller.values().map(BTreeMap::len).sum::<usize>(), 50);
    }
}
