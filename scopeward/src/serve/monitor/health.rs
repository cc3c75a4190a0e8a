//! The answers at `/health` and `/health/ready`.

use std::time::SystemTime;

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Monitor;
use crate::{record::audit::AuditHealth, serve::providers::KeysState};

/// Answers 200 while requests would be answered, else 503 with the reasons.
pub(super) async fn ready(State(monitor): State<Monitor>) -> impl IntoResponse {
    let reasons = not_ready(&monitor);
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons })))
}

/// The reasons why requests would not be answered; empty if they would.
fn not_ready(monitor: &Monitor) -> Vec<String> {
    let mut reasons = vec![];
    if monitor.live.is_stopping() {
        reasons.push("the server is stopping".to_owned());
    }
    for KeysState { issuer, age, are_usable } in monitor.providers.keys() {
        if age.is_none() {
            reasons.push(format!("the keys of {issuer} were never seen"));
        } else if !are_usable {
            reasons.push(format!("the keys of {issuer} are too old, and cannot be fetched"));
        }
    }
    if monitor.recorder.refuses(&monitor.live.current()) {
        let why = monitor.recorder.health().and_then(|audit| audit.reason);
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        reasons.push(format!("the audit file cannot be written, and the policy requires it{why}"));
    }
    reasons
}

/// Answers with all that is known, and `degraded` if a person should look at it.
pub(super) async fn health(State(monitor): State<Monitor>) -> Json<Value> {
    let status = monitor.live.status();
    let audit = monitor.recorder.health();
    let unauthenticated = monitor.recorder.unauthenticated_health();
    let needs_a_look =
        |audit: &AuditHealth| audit.is_failing || audit.lost > 0 || audit.was_just_interrupted;
    let is_degraded = status.is_refused
        || [&audit, &unauthenticated].into_iter().flatten().any(needs_a_look)
        || monitor.watchers().iter().any(|(_, heartbeat)| heartbeat.is_late())
        || !not_ready(&monitor).is_empty();
    let watchers: serde_json::Map<String, Value> = monitor
        .watchers()
        .into_iter()
        .filter_map(|(name, heartbeat)| {
            let seconds = heartbeat.age()?.as_secs();
            let state = json!({ "silent_seconds": seconds, "is_late": heartbeat.is_late() });
            Some((name.to_owned(), state))
        })
        .collect();
    let keys: Vec<Value> = monitor
        .providers
        .keys()
        .map(|keys| {
            json!({
                "issuer": keys.issuer,
                "age_seconds": keys.age.map(|age| age.as_secs()),
                "usable": keys.are_usable,
            })
        })
        .collect();
    Json(json!({
        "status": if is_degraded { "degraded" } else { "ok" },
        "policy": {
            "revision": monitor.live.current().revision().to_string(),
            "loaded_at": written(status.loaded_at),
            "is_refused": status.is_refused,
            "loaded": status.loaded,
            "refused": status.refused,
            "refused_at": status.refused_at.map(written),
        },
        "audit": audit.as_ref().map(audited),
        "audit_unauthenticated": unauthenticated.as_ref().map(audited),
        "keys": keys,
        "watchers": watchers,
        "revocations": {
            "entries": monitor.revocations.len(),
            "refused": monitor.revocations.refused(),
        },
    }))
}

/// The health of an audit file.
fn audited(audit: &AuditHealth) -> Value {
    json!({
        "is_failing": audit.is_failing,
        "reason": audit.reason,
        "lost": audit.lost,
        "interruptions": audit.interruptions,
        "interrupted": audit.interrupted.as_ref().map(|interrupted| json!({
            "at": interrupted.at.to_string(),
            "reason": format!("the file {}", interrupted.reason),
        })),
        "pending_bytes": audit.pending,
        "head": audit.head.to_string(),
    })
}

/// A time as RFC 3339 writes it; `None` for one that no calendar has.
fn written(at: SystemTime) -> Option<String> {
    Timestamp::try_from(at).ok().map(|at| at.to_string())
}
