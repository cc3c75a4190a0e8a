//! Whose a session is: no caller takes over another one's, whatever it knows of it.
//!
//! MCP, "Security Best Practices", session hijacking: a session is bound to the caller that began
//! it, and each request is authenticated all the same.

use std::{fmt, sync::Arc, time::Duration};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use moka::sync::Cache;
use rmcp::{ErrorData, model::ErrorCode};

use super::challenge::json_rpc_error;
use crate::identity::Principal;

/// MCP, "Session Management": until revision 2025-11-25.
pub(super) const HEADER: HeaderName = HeaderName::from_static("mcp-session-id");

/// A session that is not used for so long is forgotten; so many are remembered.
const KEPT: Duration = Duration::from_hours(24);
const MOST: u64 = 100_000;

/// Who began which session, and through which client.
pub(super) struct Sessions(Cache<Arc<str>, (String, Option<String>)>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(KEPT).build())
    }
}

/// What a request has to do with sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// It names no session.
    None,
    /// It names one of its caller's own.
    Own,
    /// It names one that is not its caller's, or none at all.
    Foreign,
}

impl Sessions {
    pub(super) fn membership(&self, headers: &HeaderMap, caller: &Principal) -> Membership {
        let mut named = headers.get_all(HEADER).iter();
        match (named.next(), named.next()) {
            (None, _) => Membership::None,
            (Some(session), None) => {
                let owner = session.to_str().ok().and_then(|session| self.0.get(session));
                if owner == Some(key(caller)) { Membership::Own } else { Membership::Foreign }
            }
            (Some(_), Some(_)) => Membership::Foreign,
        }
    }

    /// Remembers a session that an answer begins, and forgets one that was ended; `asked` is the
    /// one that the request named.
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
            self.0.insert(session, key(caller));
        }
    }
}

fn key(caller: &Principal) -> (String, Option<String>) {
    (caller.id(), caller.client().map(str::to_owned))
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// MCP, "Session Management": 404, upon which the client begins a new session.
pub(super) fn no_such_session() -> Response {
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, "Session not found", None);
    json_rpc_error(StatusCode::NOT_FOUND, None, error)
}
