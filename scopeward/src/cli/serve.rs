//! The command `serve`: checks the policy, opens the tools, listens, and stops without cutting
//! calls off.

mod greeting;
mod listeners;
mod logging;
mod stop;

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::Instant};

use greeting::greeting;
use listeners::{listen, listen_for_monitor};
use stop::told_to_stop;

use super::{
    Deployment, Environment, Failure, Verdict, deployment::MonitorAt, lock::DataLock, providers,
    startup,
};
use crate::{
    file,
    identity::{
        provider::Registered,
        revocation::{self, RevocationWatch},
    },
    limits::Limits,
    live::{LivePolicy, RefusedPolicy, Watcher},
    mcp::ScopedTools,
    policy::{
        CompiledPolicy,
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

/// How long streams may take to end after the last call in flight has ended.
const FAREWELL: Duration = Duration::from_secs(1);

/// The options of serving that only `serve` uses.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The certificate for TLS with its intermediate certificates, as PEM; loaded again when it
    /// changes
    #[arg(long, value_name = "FILE", env = "TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", env = "TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The size at which a new audit file is begun, in MiB; 0 for never
    #[arg(long, value_name = "MIB", env = "AUDIT_SIZE", default_value_t = 100)]
    audit_size: u64,
    /// How many older audit files are kept; 0 for all
    #[arg(long, value_name = "COUNT", env = "AUDIT_KEPT", default_value_t = 10)]
    audit_kept: usize,
    #[command(flatten)]
    limits: Limits,
}

impl Options {
    fn rotation(&self) -> Rotation {
        Rotation { size: self.audit_size.saturating_mul(1024 * 1024), kept: self.audit_kept }
    }

    /// Loads the certificate, if one is set. Must be called inside a Tokio runtime, because the
    /// files are watched in the background.
    fn tls(&self, policy: &CompiledPolicy) -> Result<Option<Tls>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else {
            return Ok(None);
        };
        if !policy.resource().origin().starts_with("https:") {
            return Err(Failure::refused(format!(
                "TLS is set up, but the URL for clients, {}, is not https\n  = help: write https:// in \
                 the policy's `url`, or in MCP_URL",
                policy.resource()
            )));
        }
        let files = tls::Files { certificate: certificate.clone(), key: key.clone() };
        Tls::watch(files).map(Some).map_err(Failure::refused)
    }
}

/// Checks the policy, opens the tools and serves. Returns when the server was stopped.
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
    let served = startup::checked(deployment, &S::REGISTRY)?;
    file::make_folder(&deployment.data).map_err(|error| {
        Failure::refused(format!("cannot use {}: {error}", deployment.data.display()))
    })?;
    let _lock = DataLock::take(&deployment.data)?;
    // A list of revocations that cannot be read stops the start, because nobody would know whom to
    // refuse.
    let revocations = RevocationWatch::open(&deployment.data).map_err(Failure::refused)?;
    logging::start();
    let audit = start_audit(&deployment.data, options.rotation())?;
    if let Err(error) = raise_open_files() {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    runtime.block_on(async {
        let live = LivePolicy::from(Arc::new(served.policy));
        let providers = providers::providers(deployment, &served.configured, &live, S::SERVER.0)?;
        let environment = Environment { data: deployment.data.clone() };
        let tools = open(environment).await.map_err(Failure::failed)?;
        let recorder = Recorder::new(Some(audit.sink().clone()));
        let serving =
            Serving { live, providers, registered: served.registered, revocations, recorder };
        serving.serve(tools, deployment, options).await
    })
}

/// The parts of a server that are open before it listens.
struct Serving {
    live: LivePolicy,
    providers: Providers,
    registered: Registered,
    revocations: RevocationWatch,
    recorder: Recorder,
}

impl Serving {
    async fn serve<S: ScopedTools>(
        self,
        tools: S,
        deployment: &Deployment,
        options: &Options,
    ) -> Result<Verdict, Failure> {
        let Self { live, providers, registered, revocations: watched, recorder } = self;
        let policy = live.current();
        // The server starts even if a provider is down, because the keys are fetched again later.
        providers.tried().await;
        let listeners = listen(deployment.host(), deployment.port(&policy)).await?;
        let monitoring = match deployment.monitor {
            MonitorAt::Address(address) => Some(listen_for_monitor(address).await?),
            MonitorAt::Off => None,
        };
        let health = monitoring.as_ref().and_then(|listener| listener.local_addr().ok());
        let tls = options.tls(&policy)?;
        let greeting = greeting::<S>(&policy, &providers, &registered, health);
        let reloads = tokio::spawn(watcher::<S>(deployment, &live, registered).run());
        // Before the greeting, because a program that reads the greeting may send signals.
        let told_to_stop = told_to_stop();
        print!("{greeting}");
        let revocations = watched.revocations.clone();
        let mut server = Server::new(tools, &live, &providers)
            .with_limits(&options.limits)
            .with_revocations(&revocations)
            .with_recorder(&recorder);
        if deployment.sessions {
            server = server.with_sessions();
        }
        revocation::watch(watched).map_err(Failure::failed)?;
        let connections = ConnectionServer::new(server.router(), &options.limits, tls);
        if let Some(listener) = monitoring {
            let monitored = connections.clone();
            let monitor = Monitor {
                live: live.clone(),
                providers,
                recorder,
                revocations,
                connections: monitored,
            };
            monitor.spawn(listener);
        }
        run(listeners, &connections, &live, &options.limits, told_to_stop).await;
        reloads.abort();
        Ok(Verdict::Good)
    }
}

/// Starts the writer of the audit file, which writes until it is dropped.
fn start_audit(data: &Path, rotation: Rotation) -> Result<AuditWriter, Failure> {
    AuditWriter::start(data, rotation).map_err(|error| {
        let path = journal::path(data);
        Failure::refused(format!("cannot write {}: {error}", path.display()))
    })
}

/// The watcher that loads the policy file again when it changes, with the same check as at the
/// start.
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

/// Serves until it is told to stop. Then no more connections are accepted, calls in flight have the
/// grace period to end, and streams are ended after them.
async fn run(
    listeners: Vec<TcpListener>,
    connections: &ConnectionServer,
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
    tracing::info!("stopping: calls in flight have {} seconds", limits.grace);
    let deadline = Instant::now() + grace;
    let _ = stop.send(true);
    live.closing();
    while connections.requests() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    live.stop();
    let finish = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout_at(deadline.max(Instant::now() + FAREWELL), finish).await.is_err() {
        tracing::warn!("some calls did not finish in time");
    }
}
