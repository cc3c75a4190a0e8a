//! `serve`: checks, opens, listens, and stops without cutting anyone off.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::net::TcpListener;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    Deployment, Environment, Failure, Verdict, deployment::Checked, policy::table, provider,
};
use crate::{
    audit,
    authority::Authority,
    check,
    diagnostic::Source,
    live::{LivePolicy, Refused, Watcher},
    policy::{Check, CompiledPolicy, Provider},
    provider::{Preset, Registered},
    registry::ScopedTools,
    server,
};

/// Calls in flight have this long to finish once the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn serve<S, F, Fut, E>(deployment: &Deployment, open: F) -> Result<Verdict, Failure>
where
    S: ScopedTools,
    F: FnOnce(Environment) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    E: Display,
{
    let Checked { policy, connections, registered } = deployment.checked(&S::REGISTRY)?;
    let policy = Arc::new(policy);
    let live = LivePolicy::from(&policy);
    std::fs::create_dir_all(&deployment.data).map_err(|error| {
        Failure::refused(format!("cannot use {}: {error}", deployment.data.display()))
    })?;
    let _audit = start_logging(&deployment.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    runtime.block_on(async {
        let authority = provider::authority(deployment, &connections, &live, S::SERVER.0)?;
        let environment = Environment { data: deployment.data.clone() };
        let tools = open(environment).await.map_err(Failure::failed)?;
        // With the provider down it starts all the same, and recovers by itself.
        authority.tried().await;
        let listeners = listen(deployment.host(), deployment.port(&policy)).await?;
        let greeting = greeting::<S>(&policy, &authority, &registered);
        let watcher = tokio::spawn(watcher::<S>(deployment, &live, registered).run());
        let told_to_stop = told_to_stop();
        // Whoever reads this may send signals.
        print!("{greeting}");
        let router = if deployment.sessions {
            server::router_with_sessions(tools, &live, &authority)
        } else {
            server::router(tools, &live, &authority)
        };
        run(listeners, &router, &live, told_to_stop).await?;
        watcher.abort();
        Ok(Verdict::Good)
    })
}

/// What is logged unless `RUST_LOG` says otherwise. What was allowed is in the audit file only: at the
/// console it would hide the rest.
const LOGGED: &str = "info,rmcp=warn,scopeward::audit::allowed=warn";

/// Logs to standard error, and decisions to their own file as well, until the writer is dropped.
fn start_logging(data: &Path) -> Result<audit::file::Writer, Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let log = tracing_subscriber::fmt::layer().with_writer(anstream::stderr).compact();
    let (records, guard) = audit::file::layer(data).map_err(|error| {
        let path = audit::file::path(data);
        Failure::refused(format!("cannot write {}: {error}", path.display()))
    })?;
    // A server that already logs keeps its own subscriber.
    let _ = tracing_subscriber::registry().with(log.with_filter(filter)).with(records).try_init();
    Ok(guard)
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

/// Loads the policy again when its file changes, checked as at the start.
fn watcher<S: ScopedTools>(
    deployment: &Deployment,
    live: &LivePolicy,
    registered: Registered,
) -> Watcher<impl Fn(Source) -> Result<CompiledPolicy, Refused> + Clone + Send + Sync + 'static> {
    let deployment = deployment.clone();
    Watcher {
        path: deployment.policy_path().to_owned(),
        shown: live.current().source().path().to_owned(),
        live: live.clone(),
        load: move |source| {
            let (policy, found) = check::compile(&source, &S::REGISTRY, registered.snapshot())
                .map_err(Refused::Findings)?;
            if found.has_errors() && policy.check_mode() == Check::Enforce {
                return Err(Refused::Findings(found));
            }
            if !found.is_empty() {
                tracing::warn!("{}", found.render(false));
            }
            deployment.deploy(policy).map_err(|failure| Refused::because(failure.message))
        },
    }
}

async fn run(
    listeners: Vec<TcpListener>,
    router: &axum::Router,
    live: &LivePolicy,
    told_to_stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut servers = tokio::task::JoinSet::new();
    for listener in listeners {
        let mut stopped = stopped.clone();
        let server = axum::serve(listener, router.clone()).with_graceful_shutdown(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        servers.spawn(async move { server.await });
    }
    told_to_stop.await;
    tracing::info!("stopping: calls in flight have {} seconds", GRACE.as_secs());
    let _ = stop.send(true);
    live.stop();
    let finish = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::warn!("some calls did not finish in time");
    }
    Ok(())
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
    authority: &Authority,
    registered: &Registered,
) -> String {
    let (name, version) = S::SERVER;
    let provider = match Preset::of(policy.provider()) {
        None => "embedded issuer: development sign-in, this machine only".to_owned(),
        Some(preset) => format!("{}: {}", preset.title, authority.urls().join(", ")),
    };
    let scopes = registered
        .snapshot()
        .map_or_else(String::new, |snapshot| format!("  Scopes    {}\n", snapshot.describe()));
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
         Provider  {provider}\n{scopes}\n\
         {table}\n\
         Connect an MCP client to the URL and sign in{trial}\n\n",
        url = policy.resource(),
        path = policy.source().path(),
        revision = policy.revision(),
        table = table(policy),
    )
}
