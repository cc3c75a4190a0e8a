//! An open server: its routes, its monitor, and serving them until the process is told to stop.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{
    Providers, StartError,
    deployment::{Deployment, MonitorAt},
    listen::{App, ConnectionServer, raise_open_files},
    listeners::{listen, listen_for_monitor},
    lock::DataLock,
    monitor::Monitor,
    options::Options,
    server::Routes,
    stop::told_to_stop,
};
use crate::{
    identity::{provider::Registered, revocation::Revocations},
    limits::{Capacity, Limits},
    live::LivePolicy,
    policy::diagnostic::counted,
    record::audit::Recorder,
};

/// How long streams may take to end after the last call in flight has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// What goes on in the background for as long as routes are served.
#[derive(Debug)]
pub(crate) struct Running {
    /// The task that loads the policy again when its file changes.
    pub(super) reloads: Option<JoinHandle<()>>,
    #[expect(dead_code, reason = "held, so that no other server uses the data folder")]
    pub(super) lock: DataLock,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(reloads) = &self.reloads {
            reloads.abort();
        }
    }
}

/// An open server, whose routes are mounted in a program of one's own. [`Mount`](super::Mount) opens
/// it.
///
/// The parts in the background (reload, audit, the lock on the data folder) live as long as this value
/// or one of its routers.
///
/// ```no_run
/// use scopeward::{Guarded, Mount, ScopedTools};
///
/// async fn serve<S: ScopedTools>(notes: S) -> Result<(), Box<dyn std::error::Error>> {
///     let guarded: Guarded = Mount::from_env()?.audit().open(notes).await?;
///     println!("policy {}", guarded.policy().current().revision());
///     let app = guarded.router().nest("/internal", guarded.monitor());
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3002").await?;
///     let stopping = async move {
///         let _ = tokio::signal::ctrl_c().await;
///         guarded.stop();
///     };
///     axum::serve(listener, app).with_graceful_shutdown(stopping).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Guarded {
    pub(super) routes: Routes,
    pub(super) live: LivePolicy,
    pub(super) providers: Providers,
    pub(super) registered: Registered,
    pub(super) recorder: Recorder,
    pub(super) revocations: Revocations,
    pub(super) deployment: Deployment,
    pub(super) options: Options,
}

impl Guarded {
    /// The routes of the server: the MCP endpoint at the path of the policy's `url`, the metadata
    /// under `/.well-known`, and the endpoints of the embedded issuer if that is in use. Every other
    /// path, and the fallback, are the program's own.
    ///
    /// Merge the router at the root (`Router::merge`), because clients look for these paths there.
    pub fn router(&self) -> Router {
        self.routes.mounted()
    }

    /// The routes of health and metrics: `/health`, `/health/live`, `/health/ready`, `/metrics`.
    /// They tell nothing about single callers. Put them where callers cannot reach them, such as on a
    /// listener of their own.
    pub fn monitor(&self) -> Router {
        self.monitored(None).router(false)
    }

    /// The policy that is served now, and its successors.
    pub fn policy(&self) -> &LivePolicy {
        &self.live
    }

    /// Ends the open streams, and tells load balancers through `/health/ready` that the server stops.
    /// Call it when the program's own listener stops, because a listener that waits for its
    /// connections would wait for the streams.
    pub fn stop(&self) {
        self.live.closing();
        self.live.stop();
    }

    /// Serves `app` at the server's own address, with its limits of connections, its TLS and its
    /// monitor, until the process gets SIGINT or SIGTERM. Then calls in flight have the grace period
    /// to end. The address is `HOST` and `PORT`, or loopback and the port of the policy's `url`.
    ///
    /// ```no_run
    /// # use scopeward::{Mount, scoped_tools};
    /// # struct Notes;
    /// # #[scoped_tools]
    /// # impl Notes {
    /// #     /// Counts the notes.
    /// #     #[scoped_tool(scopes = ["note:read"])]
    /// #     fn count(&self) -> String { "7".to_owned() }
    /// # }
    /// # async fn run() -> Result<(), scopeward::StartError> {
    /// let guarded = Mount::from_env()?.audit().open(Notes).await?;
    /// let app = axum::Router::new().merge(guarded.router());
    /// guarded.serve(app).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on, or a certificate that cannot be used.
    pub async fn serve(self, app: Router) -> Result<(), StartError> {
        self.serve_and(app, |_, _| {}).await
    }

    /// Serves `app`, and calls `announce` with the monitor's address once clients can connect.
    pub(crate) async fn serve_and(
        self,
        app: Router,
        announce: impl FnOnce(&Self, Option<SocketAddr>),
    ) -> Result<(), StartError> {
        if let Err(error) = raise_open_files() {
            tracing::warn!("the limit of open files stays as it is: {error}");
        }
        let policy = self.live.current();
        let listeners = listen(self.deployment.host(), self.deployment.port(&policy)).await?;
        let monitoring = match self.deployment.monitor {
            MonitorAt::Address(address) => Some(listen_for_monitor(address).await?),
            MonitorAt::Off => None,
        };
        let health = monitoring.as_ref().and_then(|listener| listener.local_addr().ok());
        let limits = &self.options.limits();
        let others = Some((self.routes.paths.clone(), self.routes.door.clone()));
        let proxies = self.routes.proxies.clone();
        let app = App { router: app, others, proxies };
        let connections = ConnectionServer::new(app, limits, self.options.tls(&policy)?);
        // Before it is announced, because a program that reads the greeting may send signals.
        let told_to_stop = told_to_stop();
        announce(&self, health);
        if let Some(listener) = monitoring {
            self.monitored(Some(connections.clone())).spawn(listener);
        }
        run(listeners, &connections, &self.routes.capacity, &self.live, limits, told_to_stop).await;
        Ok(())
    }

    /// The routes of a program that has no others: every other path is answered with 404, by the
    /// rules of Host and Origin that hold for the routes.
    pub(crate) fn whole(&self) -> Router {
        self.routes.whole()
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.providers
    }

    pub(crate) fn registered(&self) -> &Registered {
        &self.registered
    }

    fn monitored(&self, connections: Option<ConnectionServer>) -> Monitor {
        Monitor {
            live: self.live.clone(),
            providers: self.providers.clone(),
            recorder: self.recorder.clone(),
            revocations: self.revocations.clone(),
            capacity: self.routes.capacity.clone(),
            connections,
        }
    }
}

/// Serves until it is told to stop. Then no more connections are accepted, calls in flight have the
/// grace period to end, and streams are ended after them.
async fn run(
    listeners: Vec<TcpListener>,
    connections: &ConnectionServer,
    capacity: &Capacity,
    live: &LivePolicy,
    limits: &Limits,
    told_to_stop: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(connections.clone().serve(listener, stopped.clone()));
    }
    told_to_stop.await;
    let grace = Duration::from_secs(limits.grace);
    tracing::info!("stopping: calls in flight have {}", counted(limits.grace, "second"));
    let deadline = Instant::now() + grace;
    let _ = stop.send(true);
    live.closing();
    wait_for_calls(capacity, deadline).await;
    live.stop();
    let finish = async {
        while servers.join_next().await.is_some() {}
        // A call whose client has gone away has no connection any more, and is still a call.
        wait_for_calls(capacity, deadline).await;
    };
    let finished = tokio::time::timeout_at(deadline.max(Instant::now() + FAREWELL), finish).await;
    if finished.is_err() || capacity.places.taken() > 0 {
        tracing::warn!("some calls did not finish in time");
    }
}

/// Waits until no call is executed any more, at the longest until the deadline.
async fn wait_for_calls(capacity: &Capacity, deadline: Instant) {
    while capacity.places.taken() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
