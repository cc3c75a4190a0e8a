//! The answer at `/metrics`.

use std::{collections::HashSet, fmt, time::UNIX_EPOCH};

use axum::{extract::State, http::header, response::IntoResponse};
use http::StatusCode;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

use super::Monitor;
use crate::{record::metrics, serve::providers::KeysState};

pub(super) async fn metrics(State(monitor): State<Monitor>) -> impl IntoResponse {
    let mut registry = Registry::with_prefix("scopeward");
    registry.register_collector(Box::new(monitor));
    let mut text = String::new();
    let status = match encode(&mut text, &registry) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (status, [(header::CONTENT_TYPE, kind)], text)
}

impl Collector for Monitor {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.policy(&mut encoder)?;
        decisions(&mut encoder)?;
        self.callers(&mut encoder)?;
        self.load(&mut encoder)?;
        self.audit(&mut encoder)
    }
}

fn export(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &dyn EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// A gauge of a number. A number that `i64` cannot hold, which does not happen, is its largest
/// value.
fn gauge(number: impl TryInto<i64>) -> ConstGauge<i64> {
    ConstGauge::new(number.try_into().unwrap_or(i64::MAX))
}

fn decisions(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut all = encoder.encode_descriptor(
        "decisions",
        "Decisions about tools, resources and prompts; (unknown) stands for names without a rule",
        None,
        MetricType::Counter,
    )?;
    for (feature, name, allowed, denied) in metrics::metrics().decisions() {
        for (outcome, count) in [("allow", allowed), ("deny", denied)] {
            let labels = [("feature", feature.word()), ("name", &*name), ("outcome", outcome)];
            ConstCounter::new(count).encode(all.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

impl Monitor {
    fn policy(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.live.status();
        let revision = self.live.current().revision().to_string();
        export(
            encoder,
            "policy",
            "The policy that is served",
            &Info::new([("revision", revision)]),
        )?;
        export(
            encoder,
            "policy_loads",
            "Policies that were loaded, the first one included",
            &ConstCounter::new(status.loaded),
        )?;
        export(
            encoder,
            "policy_refusals",
            "Changed policy files that were refused",
            &ConstCounter::new(status.refused),
        )?;
        export(
            encoder,
            "policy_file_refused",
            "1 while the policy file is refused and an older policy keeps serving",
            &gauge(i64::from(status.is_refused)),
        )?;
        let loaded_at = status.loaded_at.duration_since(UNIX_EPOCH);
        export(
            encoder,
            "policy_loaded_timestamp_seconds",
            "When the policy that is served was loaded, in seconds since 1970",
            &gauge(loaded_at.map_or(0, |since| since.as_secs())),
        )
    }

    fn callers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counted = metrics::metrics();
        export(
            encoder,
            "authentication_failures",
            "Requests that were refused for want of a valid token, by reason",
            &counted.unauthenticated,
        )?;
        export(
            encoder,
            "revocations",
            "Tokens, subjects and clients that are revoked",
            &gauge(self.revocations.len()),
        )?;
        export(
            encoder,
            "revocation_refusals",
            "Changed lists of revocations that were refused",
            &ConstCounter::new(self.revocations.refused()),
        )?;
        let mut ages = encoder.encode_descriptor(
            "key_age_seconds",
            "How long ago the keys of an issuer were fetched; -1 if they never were",
            None,
            MetricType::Gauge,
        )?;
        let mut seen = HashSet::new();
        for KeysState { issuer, age, .. } in self.providers.keys() {
            if seen.insert(issuer.to_owned()) {
                let age = age.map_or(ConstGauge::new(-1), |age| gauge(age.as_secs()));
                age.encode(ages.encode_family(&[("issuer", issuer)])?)?;
            }
        }
        let mut silent = encoder.encode_descriptor(
            "watcher_silent_seconds",
            "How long ago a watcher of a file last looked at it",
            None,
            MetricType::Gauge,
        )?;
        for (name, heartbeat) in self.watchers() {
            if let Some(age) = heartbeat.age() {
                gauge(age.as_secs()).encode(silent.encode_family(&[("watcher", name)])?)?;
            }
        }
        Ok(())
    }

    fn load(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counted = metrics::metrics();
        export(
            encoder,
            "refused_by_limit",
            "Connections and requests that a limit refused",
            &counted.limited,
        )?;
        export(
            encoder,
            "misdirected",
            "Requests that were refused because of their Host, their Origin or their path",
            &counted.misdirected,
        )?;
        if let Some(connections) = &self.connections {
            export(
                encoder,
                "connections",
                "Connections that are open now",
                &gauge(connections.connections()),
            )?;
        }
        export(
            encoder,
            "requests_in_flight",
            "Requests that are being executed now, also those whose clients have gone away",
            &gauge(self.capacity.places.taken()),
        )?;
        export(
            encoder,
            "requests_waiting",
            "Requests that wait for an issuer or a key, or are at an endpoint beside the MCP endpoint",
            &gauge(self.capacity.waiting.taken()),
        )?;
        export(
            encoder,
            "bytes_in_flight",
            "Bytes of bodies that are being read, and of large answers that are not taken yet",
            &gauge(self.capacity.bytes.taken()),
        )?;
        export(
            encoder,
            "certificate_reloads",
            "Certificates that were loaded while the server runs",
            &counted.certificate_reloads,
        )?;
        export(
            encoder,
            "certificate_refusals",
            "Changed certificates that were refused",
            &counted.certificate_refusals,
        )
    }

    fn audit(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(health) = self.recorder.health() else {
            return Ok(());
        };
        export(
            encoder,
            "audit_records",
            "The number of the last audit record that was written",
            &ConstCounter::new(health.head.number),
        )?;
        export(
            encoder,
            "audit_lost",
            "Audit records that are lost for good",
            &ConstCounter::new(health.lost),
        )?;
        export(
            encoder,
            "audit_write_failures",
            "Writes to the audit file that failed",
            &ConstCounter::new(health.failures),
        )?;
        export(
            encoder,
            "audit_failing",
            "1 while the audit file cannot be written",
            &gauge(i64::from(health.is_failing)),
        )?;
        export(
            encoder,
            "audit_pending_bytes",
            "Bytes that wait to be written to the audit file",
            &gauge(health.pending),
        )?;
        export(
            encoder,
            "audit_interruptions",
            "Times that somebody else removed, replaced, truncated or wrote the audit file",
            &ConstCounter::new(health.interruptions),
        )?;
        let Some(health) = self.recorder.unauthenticated_health() else {
            return Ok(());
        };
        export(
            encoder,
            "audit_unauthenticated_records",
            "The number of the last record about a request without a valid token",
            &ConstCounter::new(health.head.number),
        )?;
        export(
            encoder,
            "audit_unauthenticated_lost",
            "Records about requests without a valid token that are lost for good",
            &ConstCounter::new(health.lost),
        )?;
        export(
            encoder,
            "audit_unauthenticated_failing",
            "1 while the file of requests without a valid token cannot be written",
            &gauge(i64::from(health.is_failing)),
        )
    }
}
