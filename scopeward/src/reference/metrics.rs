//! The page of the metrics, from what `/metrics` answers.

use std::{collections::BTreeMap, sync::Arc};

use axum::body::{Body, to_bytes};
use http::Request;
use tower::ServiceExt;

use crate::{
    Limits,
    http::TrustedProxies,
    identity::{
        provider::ConfiguredProviders,
        revocation::Revocations,
        token::{LONGEST_TOKEN, OLDEST_KEYS},
    },
    limits::{Capacity, Limit},
    live::LivePolicy,
    policy::{CompiledPolicy, Feature, diagnostic::Source},
    record::{
        audit::{Recorder, journal::Rotation},
        metrics::metrics,
    },
    remote::Remote,
    serve::{
        listen::{App, ConnectionServer},
        monitor::Monitor,
        providers::Providers,
    },
};

const INTRODUCTION: &str = "\
# Metrics

This page lists every metric that `/metrics` of the monitor answers with; it is generated from \
such an answer.

The format is OpenMetrics, which Prometheus reads. The monitor listens on `127.0.0.1:9464` unless \
[`MONITOR`](commands.md#option-serve-monitor) says otherwise.

| metric | type | labels | meaning |
|---|---|---|---|
";

/// A provider at an address where nobody answers, so that the metrics of its keys are there.
const POLICY: &str = "\
version = 1
[server]
url = \"http://localhost:3002/mcp\"
provider = \"oidc\"
issuer = \"http://127.0.0.1:9\"
";

pub(super) async fn page() -> String {
    let answer = answer().await;
    let mut page = INTRODUCTION.to_owned();
    let mut kinds = BTreeMap::new();
    for line in answer.lines() {
        let Some((what, rest)) = line.strip_prefix("# ").and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        let Some((name, text)) = rest.split_once(' ') else { continue };
        // The help comes first, and then the type.
        if what == "HELP" {
            kinds.insert(name, text);
        } else if let (true, Some(help)) = (what == "TYPE", kinds.get(name)) {
            let suffix = match text {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let labels = labels(&answer, &format!("{name}{suffix}"));
            page += &format!("| `{name}{suffix}` | {text} | {labels} | {help} |\n");
        }
    }
    page
}

/// The labels of a metric's first sample.
fn labels(answer: &str, name: &str) -> String {
    let sample = answer.lines().find_map(|line| line.strip_prefix(name));
    let sample = sample.unwrap_or_else(|| panic!("no sample of {name}"));
    let Some((labels, _)) = sample.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return String::new();
    };
    let names = labels.split("\",").filter_map(|label| label.split_once("=\""));
    let names: Vec<String> = names.map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}

/// The answer of a server in which everything that is counted has happened once.
async fn answer() -> String {
    metrics().of(Feature::Tool, "create_todo").count_allowed();
    metrics().unauthenticated("expired");
    metrics().limited(Limit::Caller);
    metrics().misdirected("host");
    let policy = CompiledPolicy::compile(Source::new("policy.toml", POLICY)).unwrap();
    let configured = ConfiguredProviders::of(&policy, |_| None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(folder.path(), Rotation { size: 0, kept: 0 }).unwrap();
    let proxies = TrustedProxies::default();
    let app = App { router: axum::Router::new(), others: None, proxies };
    let live = LivePolicy::unserved(Arc::new(policy));
    live.heartbeat().beat();
    let monitor = Monitor {
        capacity: Capacity::new(&Limits::default()),
        live,
        providers: Providers::connect(
            None,
            &configured,
            Remote::default(),
            OLDEST_KEYS,
            LONGEST_TOKEN,
        ),
        recorder,
        revocations: Revocations::default(),
        connections: Some(ConnectionServer::new(app, &Limits::default(), None)),
    };
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = monitor.router(false).oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}
