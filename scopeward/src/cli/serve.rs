//! `serve`: checks, opens, listens, and stops without cutting anyone off.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::Instant};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    Deployment, Environment, Failure, Verdict,
    deployment::MonitorAt,
    lock::DataLock,
    policy::table,
    providers,
    startup::{self, Served},
};
use crate::{
    file,
    identity::{
        provider::{Preset, Registered},
        revocation::{self, RevocationWatch},
    },
    limits::Limits,
    live::{LivePolicy, RefusedPolicy, Watcher},
    mcp::ScopedTools,
    policy::{
        CompiledPolicy, Provider,
        agreement::{self, Checked},
        diagnostic::Source,
    },
    record::audit::{
        Recorder,
        journal::{self, Rotation},
        writer::AuditWriter,
    },
    serve::{
        Providers,
        listen::{
            ConnectionServer, raise_open_files,
            tls::{self, Tls},
        },
        monitor::Monitor,
        server::Server,
    },
};

/// Streams have this long to end once no call is in flight any more.
const FAREWELL: Duration = Duration::from_secs(1);

/// How it is served.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The certificate for TLS, and those that lead to its root, as PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", env = "TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// When the audit file is as large as this, in MiB, another one is begun; 0 for never
    #[arg(long, value_name = "MIB", env = "AUDIT_SIZE", default_value_t = 100)]
    audit_size: u64,
    /// How many of those before it are kept; 0 for all
    #[arg(long, value_name = "COUNT", env = "AUDIT_KEPT", default_value_t = 10)]
    audit_kept: usize,
    #[command(flatten)]
    limits: Limits,
}

impl Options {
    fn rotation(&self) -> Rotation {
        Rotation { size: self.audit_size.saturating_mul(1024 * 1024), kept: self.audit_kept }
    }

    /// Called inside a runtime, where the files are looked at again.
    fn tls(&self, policy: &CompiledPolicy) -> Result<Option<Tls>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else {
            return Ok(None);
        };
        if !policy.resource().origin().starts_with("https:") {
            return Err(Failure::refused(format!(
                "TLS is set up, and clients are told to come to {} without it\n  = help: write \
                 https:// in the policy's `url`, or in MCP_URL",
                policy.resource()
            )));
        }
        let files = tls::Files { certificate: certificate.clone(), key: key.clone() };
        Tls::watch(files).map(Some).map_err(Failure::refused)
    }
}

pub(super) fn serve<S, F, Fut, E>(
    deployment: &Deployment,
    options: &Options,
    open: F,
) -> Result<Verdict, Failure>
where
    S: ScopedTools,
    F: FnOnce(Environment) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    E: Display,
{
    let Served { policy, configured, registered } = startup::checked(deployment, &S::REGISTRY)?;
    let policy = Arc::new(policy);
    let live = LivePolicy::from(&policy);
    file::make_folder(&deployment.data).map_err(|error| {
        Failure::refused(format!("cannot use {}: {error}", deployment.data.display()))
    })?;
    let _lock = DataLock::take(&deployment.data)?;
    // With a list that cannot be read, nobody is let in.
    let watched = RevocationWatch::open(&deployment.data).map_err(Failure::refused)?;
    let revocations = watched.revocations.clone();
    start_logging();
    let audit = start_audit(&deployment.data, options.rotation())?;
    if let Err(error) = raise_open_files() {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    runtime.block_on(async {
        let providers = providers::providers(deployment, &configured, &live, S::SERVER.0)?;
        let environment = Environment { data: deployment.data.clone() };
        let tools = open(environment).await.map_err(Failure::failed)?;
        // With the provider down it starts all the same, and recovers by itself.
        providers.tried().await;
        let listeners = listen(deployment.host(), deployment.port(&policy)).await?;
        let monitoring = match deployment.monitor {
            MonitorAt::Address(address) => Some(bind_monitor(address).await?),
            MonitorAt::Off => None,
        };
        let health = monitoring.as_ref().and_then(|listener| listener.local_addr().ok());
        let tls = options.tls(&policy)?;
        let greeting = greeting::<S>(&policy, &providers, &registered, health);
        let reloads = tokio::spawn(watcher::<S>(deployment, &live, registered).run());
        let told_to_stop = told_to_stop();
        // Whoever reads this may send signals.
        print!("{greeting}");
        let recorder = Recorder::new(Some(audit.sink().clone()));
        let mut server = Server::new(tools, &live, &providers)
            .with_limits(&options.limits)
            .with_revocations(&revocations)
            .with_recorder(&recorder);
        if deployment.sessions {
            server = server.with_sessions();
        }
        revocation::watch(watched).map_err(Failure::failed)?;
        let door = ConnectionServer::new(server.router(), &options.limits, tls);
        let monitor =
            Monitor { live: live.clone(), providers, recorder, revocations, door: door.clone() };
        let (_never, never) = watch::channel(false);
        if let Some(listener) = monitoring {
            // As long as the process lives: how it stops is worth a look as well.
            let is_on_loopback = health.is_some_and(|address| address.ip().is_loopback());
            let door =
                ConnectionServer::new(monitor.router(is_on_loopback), &Limits::default(), None);
            tokio::spawn(door.serve(listener, never));
        }
        run(listeners, &door, &live, &options.limits, told_to_stop).await;
        reloads.abort();
        Ok(Verdict::Good)
    })
}

/// What is logged unless `RUST_LOG` says otherwise. What was allowed is in the audit file only: at the
/// console it would hide the rest.
const LOGGED: &str = "info,rmcp=warn,scopeward::audit::allowed=warn";

/// Logs to standard error, unless the program has a subscriber already.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let log = tracing_subscriber::fmt::layer().with_writer(anstream::stderr).compact();
    // A program that already logs keeps its own subscriber: the audit file needs none.
    let _ = tracing_subscriber::registry().with(log.with_filter(filter)).try_init();
}

/// Writes decisions to their own file until the writer is dropped.
fn start_audit(data: &Path, rotation: Rotation) -> Result<AuditWriter, Failure> {
    AuditWriter::start(data, rotation).map_err(|error| {
        let path = journal::path(data);
        Failure::refused(format!("cannot write {}: {error}", path.display()))
    })
}

/// Where it was told to; else on loopback, by both of its addresses: `localhost` may mean either.
async fn listen(host: Option<IpAddr>, port: u16) -> Result<Vec<TcpListener>, Failure> {
    let address = SocketAddr::from((host.unwrap_or(Ipv4Addr::LOCALHOST.into()), port));
    let first = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!(
            "cannot listen on {address}: {error}\n  = help: choose another port: PORT={} …",
            port.wrapping_add(1)
        ))
    })?;
    if host.is_some() {
        return Ok(vec![first]);
    }
    let second = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
    Ok(std::iter::once(first).chain(second.ok()).collect())
}

async fn bind_monitor(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!(
            "cannot listen on {address} for /health and /metrics: {error}\n  = help: choose \
             another address: MONITOR=127.0.0.1:9465 …, or MONITOR=off"
        ))
    })
}

/// Loads the policy again when its file changes, checked as at the start.
fn watcher<S: ScopedTools>(
    deployment: &Deployment,
    live: &LivePolicy,
    registered: Registered,
) -> Watcher<impl Fn(Source) -> Result<CompiledPolicy, RefusedPolicy> + Clone + Send + Sync + 'static>
{
    let deployment = deployment.clone();
    Watcher {
        path: deployment.policy_path().to_owned(),
        shown: live.current().source().path().to_owned(),
        live: live.clone(),
        load: move |source| {
            let Checked { policy, found } =
                agreement::check(&source, &S::REGISTRY, registered.snapshot())
                    .map_err(RefusedPolicy::Findings)?;
            if !found.is_empty() {
                tracing::warn!("{}", found.render(false));
            }
            deployment.deploy(policy).map_err(|failure| RefusedPolicy::because(failure.message))
        },
    }
}

/// Serves until it is told to stop. Then no more configured are taken, calls in flight have their
/// time, and streams are ended after them.
async fn run(
    listeners: Vec<TcpListener>,
    door: &ConnectionServer,
    live: &LivePolicy,
    limits: &Limits,
    told_to_stop: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(door.clone().serve(listener, stopped.clone()));
    }
    told_to_stop.await;
    let grace = Duration::from_secs(limits.grace);
    tracing::info!("stopping: calls in flight have {} seconds", limits.grace);
    let deadline = Instant::now() + grace;
    let _ = stop.send(true);
    live.closing();
    while door.requests() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    live.stop();
    let finish = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout_at(deadline.max(Instant::now() + FAREWELL), finish).await.is_err() {
        tracing::warn!("some calls did not finish in time");
    }
}

/// From this call on the signals to stop are heard, and do not end the process by themselves.
#[cfg(unix)]
fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    async fn one(signal: std::io::Result<tokio::signal::unix::Signal>) {
        match signal {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
        }
    }
}

#[cfg(not(unix))]
async fn told_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}

/// What a person sees first: where it is, who may do what, and what to try.
fn greeting<S: ScopedTools>(
    policy: &CompiledPolicy,
    providers: &Providers,
    registered: &Registered,
    health: Option<SocketAddr>,
) -> String {
    let (name, version) = S::SERVER;
    let provider = match Preset::of(policy.provider()) {
        None => "embedded issuer: development sign-in, this machine only".to_owned(),
        Some(preset) => format!("{}: {}", preset.title, providers.urls().join(", ")),
    };
    let scopes = registered
        .snapshot()
        .map_or_else(String::new, |snapshot| format!("  Scopes    {}\n", snapshot.describe()));
    let health =
        health.map_or_else(String::new, |address| format!("  Health    http://{address}/health\n"));
    let program = if std::env::var_os("CARGO").is_some() {
        "cargo run -q --".to_owned()
    } else {
        std::env::args().next().unwrap_or_else(|| name.to_owned())
    };
    let scope = policy.sign_in_scopes().next().map_or("", |scope| scope.as_str());
    let trial = match policy.provider() {
        Provider::Embedded => format!(", or try:\n\n  {program} token --scope \"{scope}\""),
        _ => ".".to_owned(),
    };
    format!(
        "\n{name} {version}, guarded by Scopeward\n\n  \
         URL       {url}\n  \
         Policy    {path} (revision {revision})\n  \
         Provider  {provider}\n{scopes}{health}\n\
         {table}\n\
         Connect an MCP client to the URL and sign in{trial}\n\n",
        url = policy.resource(),
        path = policy.source().path(),
        revision = policy.revision(),
        table = table(policy),
    )
}
