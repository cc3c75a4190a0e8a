//! `/health` and `/metrics`: which policy is served, and whether the file was refused.

use std::fmt;

use axum::{Json, Router, extract::State, http::header, response::IntoResponse, routing::get};
use http::StatusCode;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};
use serde_json::{Value, json};

use super::LivePolicy;

/// Serves both. They say nothing about callers, and nothing that the policy holds.
pub fn router(live: LivePolicy) -> Router {
    Router::new().route("/health", get(health)).route("/metrics", get(metrics)).with_state(live)
}

async fn health(State(live): State<LivePolicy>) -> Json<Value> {
    let status = live.status();
    Json(json!({
        "status": if status.is_refused { "degraded" } else { "ok" },
        "policy": {
            "revision": live.current().revision().to_string(),
            "loaded_at": status.loaded_at.to_string(),
            "is_refused": status.is_refused,
            "loaded": status.loaded,
            "refused": status.refused,
            "refused_at": status.refused_at.map(|at| at.to_string()),
        },
    }))
}

async fn metrics(State(live): State<LivePolicy>) -> impl IntoResponse {
    let mut registry = Registry::with_prefix("scopeward");
    registry.register_collector(Box::new(live));
    let mut text = String::new();
    let status = match encode(&mut text, &registry) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (status, [(header::CONTENT_TYPE, kind)], text)
}

impl Collector for LivePolicy {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.status();
        let revision = self.current().revision().to_string();
        let mut say = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        say("policy", "The policy that is served", &Info::new([("revision", revision)]))?;
        say(
            "policy_loads",
            "Policies that were loaded, the first one included",
            &ConstCounter::new(status.loaded),
        )?;
        say(
            "policy_refusals",
            "Changed policy files that were refused",
            &ConstCounter::new(status.refused),
        )?;
        say(
            "policy_file_refused",
            "1 while the policy file is refused and an older policy keeps serving",
            &ConstGauge::new(i64::from(status.is_refused)),
        )?;
        say(
            "policy_loaded_timestamp_seconds",
            "When the policy that is served was loaded, in seconds since 1970",
            &ConstGauge::new(status.loaded_at.as_second()),
        )
    }
}
