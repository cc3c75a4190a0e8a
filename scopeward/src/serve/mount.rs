//! A server in a program of one's own: its parts, chosen one by one and opened together.

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{
    Server, StartError,
    deployment::Deployment,
    environment::Settings,
    guarded::{Guarded, Running},
    lock::DataLock,
    opened::Opened,
    options::Options,
    server_settings::ServerSettings,
    startup::{self, Served},
};
use crate::{
    file,
    identity::{
        provider::{ConfiguredProviders, CustomProvider, Registered},
        revocation::{self, RevocationWatch, Revocations},
    },
    limits::Limits,
    live::{LivePolicy, RefusedPolicy, Watcher},
    mcp::{ScopedTools, ServerDetails},
    policy::{
        CheckedPolicy, Snapshot, agreement,
        diagnostic::{Diagnostics, Source},
    },
    record::audit::{Recorder, journal},
    remote::Remote,
};

/// Mounts a server in an axum program of one's own. The program keeps its runtime, its subscriber, its
/// routes and its fallback.
///
/// A mount begins with the policy, the tools and the provider, and each further part is one call:
/// [`audit`](Self::audit), [`reload`](Self::reload), [`revocations`](Self::revocations).
/// [`open`](Self::open) runs the startup check, opens the tools, and gives the routes.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use scopeward::{Mount, Principal, scoped_tools};
///
/// struct Notes;
///
/// #[scoped_tools]
/// impl Notes {
///     /// Says whose notes these are.
///     #[scoped_tool(scopes = ["note:read"])]
///     async fn whose(&self, caller: Principal) -> String {
///         caller.subject().to_owned()
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let guarded = Mount::from_env()?.audit().reload().revocations().open(Notes).await?;
///     let app = Router::new()
///         .route("/", get(|| async { "Notes" }))
///         .fallback(|| async { "nothing here" })
///         .merge(guarded.router())
///         .nest("/internal", guarded.monitor());
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3002").await?;
///     axum::serve(listener, app).await?;
///     Ok(())
/// }
/// ```
///
/// Every setting can be set in code as well:
///
/// ```no_run
/// use scopeward::{CustomProvider, Limits, Mount, StartError};
///
/// fn mount() -> Result<Mount, StartError> {
///     let mut limits = Limits::default();
///     limits.rate_per_caller = 20;
///     Ok(Mount::from_env()?
///         .policy("config/policy.toml")
///         .data("/var/lib/notes")
///         .url("https://notes.example.com/mcp")
///         .settings(|name| std::env::var(format!("NOTES_{name}")).ok())
///         .provider(CustomProvider::oidc("https://id.example.com"))
///         .sessions()
///         .limits(limits)
///         .title("Notes")
///         .instructions("Create a note before you share it."))
/// }
/// ```
#[derive(Debug)]
#[must_use = "a mount serves nothing until it is opened"]
pub struct Mount {
    deployment: Deployment,
    options: Options,
    details: ServerDetails,
    has_audit: bool,
    has_reload: bool,
    has_revocations: bool,
}

impl Mount {
    /// A mount with the settings of the process environment, by the same names as the command line
    /// of [`main`](crate::main): `SCOPEWARD_POLICY`, `SCOPEWARD_DATA`, `MCP_URL`, `MCP_SESSIONS`,
    /// `MAX_BODY` and so on. A file named `.env` is not read, because it is the program's to read.
    ///
    /// # Errors
    ///
    /// A setting whose value cannot be read.
    pub fn from_env() -> Result<Self, StartError> {
        let ServerSettings { deployment, options } = ServerSettings::read(None)?;
        Ok(Self::of(deployment, options))
    }

    pub(crate) fn of(deployment: Deployment, options: Options) -> Self {
        Self {
            deployment,
            options,
            details: ServerDetails::default(),
            has_audit: false,
            has_reload: false,
            has_revocations: false,
        }
    }

    /// Everything that [`main`](crate::main) has: audit, reload and revocations.
    pub(crate) fn with_everything(self) -> Self {
        self.audit().reload().revocations()
    }

    /// Reads the policy from this file, instead of `SCOPEWARD_POLICY` or `policy.toml`.
    pub fn policy(mut self, file: impl Into<PathBuf>) -> Self {
        self.deployment.policy = file.into();
        self
    }

    /// Keeps data in this folder, instead of `SCOPEWARD_DATA` or `data`. Only one server uses a
    /// folder at a time.
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.deployment.data = folder.into();
        self
    }

    /// The URL at which clients reach the MCP endpoint, in place of the URL in the policy.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.deployment.url = Some(url.into());
        self
    }

    /// Reads settings, such as `ISSUER_URL` and `SCALEKIT_CLIENT_ID`, with this function and not from
    /// the process environment.
    pub fn settings(
        mut self,
        read: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.deployment.settings = Settings::by(read);
        self
    }

    /// Takes tokens of this provider, which the program configures itself.
    pub fn provider(mut self, provider: CustomProvider) -> Self {
        self.deployment.custom = Some(provider);
        self
    }

    /// Records each decision in `audit.jsonl` in the data folder.
    pub fn audit(mut self) -> Self {
        self.has_audit = true;
        self
    }

    /// Loads the policy file again when it changes, after the same check as at the start.
    pub fn reload(mut self) -> Self {
        self.has_reload = true;
        self
    }

    /// Refuses tokens and callers that `revocation add` has revoked, from the next request on.
    pub fn revocations(mut self) -> Self {
        self.has_revocations = true;
        self
    }

    /// Adds sessions, as [`Server::with_sessions`] describes them.
    pub fn sessions(mut self) -> Self {
        self.deployment.sessions = true;
        self
    }

    /// Replaces the limits. Those of connections count only for
    /// [`Guarded::serve`](Guarded::serve), which accepts the connections itself.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.own_limits = Some(limits);
        self
    }

    /// The title of the server, as MCP's `serverInfo` gives it to people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.details.title = Some(title.into());
        self
    }

    /// The instructions of the server, which clients may give to their model.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.details.instructions = Some(instructions.into());
        self
    }

    pub(crate) fn details(mut self, details: ServerDetails) -> Self {
        self.details = details;
        self
    }

    /// Checks the policy, the tools and the registered scopes against each other, opens the tools
    /// and the parts that were chosen, and gives the routes. `tools` is a value, or a function that
    /// takes an [`Environment`](crate::Environment) and makes one.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The findings of the startup check, a setting or a file that cannot be used, or the error of
    /// the function that makes the tools.
    pub async fn open<Marker, T: Opened<Marker>>(self, tools: T) -> Result<Guarded, StartError> {
        let (guarded, report) = self.open_checked(tools).await?;
        report.log();
        Ok(guarded)
    }

    /// Opens the mount, and gives the startup check's outcome as well.
    pub(crate) async fn open_checked<Marker, T: Opened<Marker>>(
        self,
        tools: T,
    ) -> Result<(Guarded, Report), StartError> {
        let Self { deployment, options, details, .. } = &self;
        let registry = &T::Tools::REGISTRY;
        let name = T::Tools::SERVER.0;
        let Served { policy, configured, registered, warnings } =
            startup::checked(deployment, registry).await?;
        if options.own_limits.is_some() {
            deployment.given.check_beside_own_limits()?;
        }
        let report = Report { found: policy.found().clone(), warnings };
        file::make_data_folder(&deployment.data).map_err(|error| {
            StartError::refused(format!("cannot use {}: {error}", deployment.data.display()))
        })?;
        let lock = DataLock::take(&deployment.data)?;
        let revoked = self.has_revocations.then(|| RevocationWatch::open(&deployment.data));
        // A list of revocations that cannot be read stops the start, because nobody would know whom
        // to refuse.
        let revoked = revoked.transpose().map_err(StartError::refused)?;
        let revocations = revoked
            .as_ref()
            .map_or_else(Revocations::default, |watched| watched.revocations.clone());
        let recorder = if self.has_audit {
            self.audit_file()?
        } else {
            deployment.given.check_without_audit()?;
            Recorder::default()
        };
        let live = LivePolicy::from(policy);
        let providers = startup::open_providers(deployment, &configured, &live, name)?;
        let environment = deployment.environment();
        let tools = tools.open(environment).await.map_err(StartError::by_author)?;
        let reloads =
            self.has_reload.then(|| self.watcher::<T::Tools>(&live, &configured, &registered));
        // The server starts even if a provider is down, because the keys are fetched again later.
        providers.tried().await;
        let mut server = Server::new(tools, &live, &providers)
            .map_err(StartError::refused)?
            .with_limits(&options.limits())
            .with_revocations(&revocations)
            .with_recorder(&recorder)
            .with_details(details.clone())
            .behind(options.behind.clone());
        if deployment.sessions {
            server = server.with_sessions();
        }
        if let Some(watched) = revoked {
            revocation::watch(watched).map_err(StartError::failed)?;
        }
        let running = Running { reloads: reloads.map(|reloads| tokio::spawn(reloads.run())), lock };
        let guarded = Guarded {
            routes: server.routes(Arc::new(running)),
            live,
            providers,
            registered,
            recorder,
            revocations,
            deployment: self.deployment,
            options: self.options,
        };
        Ok((guarded, report))
    }

    /// The recorder of the audit file, whose writer lives as long as the recorder.
    fn audit_file(&self) -> Result<Recorder, StartError> {
        let data = &self.deployment.data;
        Recorder::open(data, self.options.rotation()).map_err(|error| {
            let path = journal::CALLERS.path(data);
            StartError::refused(format!("cannot write {}: {error}", path.display()))
        })
    }

    /// The watcher that loads the policy file again when it changes, with the same check as at the
    /// start.
    fn watcher<S: ScopedTools>(
        &self,
        live: &LivePolicy,
        configured: &ConfiguredProviders,
        registered: &Registered,
    ) -> Watcher<
        impl Fn(Source) -> Result<CheckedPolicy, RefusedPolicy> + Clone + Send + Sync + use<S>,
    > {
        let deployment = self.deployment.clone();
        let main = configured.main.clone();
        let registered = Arc::new(Mutex::new(registered.clone()));
        let runtime = Handle::current();
        // One for all reloads, because making a client takes longer than asking with it.
        let remote = Remote::default();
        Watcher {
            path: deployment.policy.clone(),
            snapshot: deployment.policy.with_file_name(Snapshot::FILE),
            shown: live.current().source().path().to_owned(),
            live: live.clone(),
            load: move |source| {
                let known = registered.lock().clone();
                let main = main.as_ref().map(|main| (main, &remote));
                let asked = startup::registered_again(&deployment, &source, main, known);
                let now = runtime.block_on(asked).map_err(RefusedPolicy::because)?;
                let checked = agreement::check(&source, &S::REGISTRY, now.snapshot());
                *registered.lock() = now;
                let checked = checked.map_err(RefusedPolicy::Findings)?;
                if !checked.found().is_empty() {
                    tracing::warn!("{}", checked.found().render(false));
                }
                for unset in startup::unset_secrets(checked.policy()) {
                    tracing::warn!("{unset}");
                }
                let url = deployment.url_of(checked.policy()).map_err(RefusedPolicy::because)?;
                Ok(checked.at(url))
            },
        }
    }
}

/// What the startup check has to say although the server starts.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) found: Diagnostics,
    /// Why the committed snapshot stands in for the provider, and which secrets are not set.
    pub(crate) warnings: Vec<String>,
}

impl Report {
    fn log(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
        if !self.found.is_empty() {
            tracing::warn!("{}", self.found.render(false));
        }
    }
}
