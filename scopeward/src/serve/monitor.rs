//! The monitor: the health and the metrics of a server, for its operator. The monitor has an
//! address of its own, which is on loopback by default, and tells nothing about single callers.
//!
//! | path | for |
//! |---|---|
//! | `/health/live` | supervisors that restart a process which does not answer |
//! | `/health/ready` | load balancers: 503 while the server could not answer requests |
//! | `/health` | people, and `policy status`: everything, as JSON |
//! | `/metrics` | Prometheus, in the OpenMetrics format |

mod health;
mod numbers;

use std::net::IpAddr;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header, uri};

use tokio::{net::TcpListener, sync::watch};

use crate::{
    heartbeat::Heartbeat,
    http::TrustedProxies,
    identity::revocation::Revocations,
    limits::{Capacity, Limits},
    live::LivePolicy,
    record::audit::Recorder,
    serve::{
        listen::{App, ConnectionServer},
        providers::Providers,
    },
};

/// The parts of a server whose health and metrics are shown.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    pub(crate) live: LivePolicy,
    pub(crate) providers: Providers,
    pub(crate) recorder: Recorder,
    pub(crate) revocations: Revocations,
    pub(crate) capacity: Capacity,
    /// The server of MCP's connections, not the monitor's own; `None` where the program accepts the
    /// connections.
    pub(crate) connections: Option<ConnectionServer>,
}

impl Monitor {
    /// The heartbeats of what watches files, by name.
    fn watchers(&self) -> Vec<(&'static str, Heartbeat)> {
        let certificate = self.connections.as_ref().and_then(ConnectionServer::heartbeat);
        [
            Some(("policy", self.live.heartbeat().clone())),
            Some(("revocations", self.revocations.heartbeat().clone())),
            certificate.map(|heartbeat| ("certificate", heartbeat)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Serves the monitor for as long as the process lives, so that the operator can watch the
    /// server stop as well.
    pub(crate) fn spawn(self, listener: TcpListener) {
        let is_on_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
        let app = App {
            router: self.router(is_on_loopback),
            others: None,
            proxies: TrustedProxies::default(),
        };
        let server = ConnectionServer::new(app, &Limits::default(), None);
        tokio::spawn(async move {
            let (_never, never) = watch::channel(false);
            server.serve(listener, never).await;
        });
    }

    /// The router of the monitor. On loopback, requests must name `localhost` or an IP address as
    /// their host, so that a web page whose name resolves to this machine (DNS rebinding) cannot
    /// read it.
    pub(crate) fn router(self, is_on_loopback: bool) -> Router {
        let router = Router::new()
            .route("/health/live", get(|| async { "ok\n" }))
            .route("/health/ready", get(health::ready))
            .route("/health", get(health::health))
            .route("/metrics", get(numbers::metrics))
            .with_state(self);
        if is_on_loopback { router.layer(from_fn(only_by_local_names)) } else { router }
    }
}

async fn only_by_local_names(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<uri::Authority>().ok());
    let is_local = host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    });
    if is_local { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
}
