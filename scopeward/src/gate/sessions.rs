//! The owners of sessions: no caller can use another caller's session, even if it knows its id.
//!
//! MCP, "Security Best Practices", session hijacking: a session is bound to the caller that began
//! it, and every request in it is authenticated all the same.

use std::{fmt, sync::Arc, time::Duration};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use moka::sync::Cache;
use rmcp::{ErrorData, model::ErrorCode};

use super::challenge::json_rpc_error;
use crate::identity::Principal;

/// The header that names a session (MCP, "Session Management", until revision 2025-11-25).
pub(super) const HEADER: HeaderName = HeaderName::from_static("mcp-session-id");

/// How long an unused session is remembered: 24 hours. A request in a forgotten session gets 404,
/// so that its client begins a new one.
const MAX_IDLE: Duration = Duration::from_hours(24);

/// At most this many sessions are remembered, so that callers cannot fill the memory.
const MAX_SESSIONS: u64 = 100_000;

/// The open sessions: for each id, the caller and the client that began the session. Clones share
/// them.
#[derive(Clone)]
pub(super) struct Sessions(Cache<Arc<str>, (String, Option<String>)>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_SESSIONS).time_to_idle(MAX_IDLE).build())
    }
}

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

impl Sessions {
    /// Finds whether a request names a session, and whether the session is its caller's own.
    pub(super) fn membership(&self, headers: &HeaderMap, caller: &Principal) -> Membership {
        let mut named = headers.get_all(HEADER).iter();
        match (named.next(), named.next()) {
            (None, _) => Membership::None,
            (Some(session), None) => {
                let known = session.to_str().ok().and_then(|session| self.0.get(session));
                if known == Some(owner(caller)) { Membership::Own } else { Membership::Foreign }
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
        caller: &Principal,
    ) {
        let name = |header: Option<&HeaderValue>| header?.to_str().ok().map(Arc::<str>::from);
        let (status, answered) = answer;
        if !status.is_success() {
            return;
        }
        if *method == Method::DELETE {
            if let Some(session) = name(asked) {
                self.0.invalidate(&session);
            }
        } else if let Some(session) = name(answered.get(HEADER))
            && name(asked).is_none()
        {
            self.0.insert(session, owner(caller));
        }
    }
}

/// The owner of a session: the caller and its client.
fn owner(caller: &Principal) -> (String, Option<String>) {
    (caller.id(), caller.client().map(str::to_owned))
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
