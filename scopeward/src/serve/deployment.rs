//! The deployment of a server: its policy file, its data folder and its addresses.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{Environment, StartError, environment::Settings, given::GivenSettings};
use crate::{
    file,
    identity::{
        provider::CustomProvider,
        token::{LONGEST_TOKEN, OLDEST_KEYS},
    },
    policy::{CompiledPolicy, ResourceUrl, Snapshot, diagnostic::Source, written_url},
};

/// The longest time for which keys can be used that are not fetched any more, in seconds: a year.
const LONGEST_KEY_AGE: u64 = 365 * 24 * 60 * 60;
/// The largest value of `MAX_TOKEN`: 1 MiB, which is more than any client sends in a header.
const LARGEST_TOKEN: u64 = 1024 * 1024;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Deployment {
    /// The policy file
    #[arg(long, value_name = "FILE", env = "SCOPEWARD_POLICY", default_value = "policy.toml")]
    pub(crate) policy: PathBuf,
    /// The folder for keys and databases
    #[arg(long, value_name = "FOLDER", env = "SCOPEWARD_DATA", default_value = "data")]
    pub(crate) data: PathBuf,
    /// The URL at which clients reach this server, in place of the URL in the policy
    #[arg(long, value_name = "URL", env = "MCP_URL")]
    pub(crate) url: Option<String>,
    /// The port to listen on, in place of the port in the URL
    #[arg(long, env = "PORT")]
    port: Option<u16>,
    /// The address to listen on; by default both addresses of loopback
    #[arg(long, value_name = "ADDRESS", env = "HOST")]
    host: Option<IpAddr>,
    /// Keep sessions for clients of MCP revisions until 2025-11-25, because some tools need them to
    /// ask the caller something
    #[arg(long, env = "MCP_SESSIONS")]
    pub(crate) sessions: bool,
    /// The address for /health and /metrics, on loopback or in a network that callers cannot reach;
    /// `off` for none
    #[arg(long, value_name = "ADDRESS:PORT", env = "MONITOR", default_value = "127.0.0.1:9464")]
    pub(crate) monitor: MonitorAt,
    /// How old a provider's keys may become that cannot be fetched any more, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "MAX_KEY_AGE",
        default_value_t = OLDEST_KEYS.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=LONGEST_KEY_AGE)
    )]
    pub(crate) max_key_age: u64,
    /// The longest access token, in bytes. The head of a request must have room for it (`MAX_HEAD`)
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "MAX_TOKEN",
        default_value_t = LONGEST_TOKEN as u64,
        value_parser = clap::value_parser!(u64).range(1..=LARGEST_TOKEN)
    )]
    pub(crate) max_token: u64,
    #[arg(skip)]
    pub(crate) settings: Settings,
    /// The settings that an option or a variable gave.
    #[arg(skip)]
    pub(crate) given: GivenSettings,
    /// The provider that the program brings, in place of the one that the settings describe.
    #[arg(skip)]
    pub(crate) custom: Option<CustomProvider>,
}

/// The address of the monitor, if it is on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MonitorAt {
    Address(SocketAddr),
    Off,
}

impl FromStr for MonitorAt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::Address).map_err(|_| "not ADDRESS:PORT or `off`")
    }
}

impl Deployment {
    /// The environment for the author's own code.
    pub(crate) fn environment(&self) -> Environment {
        Environment::new(self.data.clone(), self.settings.clone())
    }

    /// Reads and compiles the policy, with the URL of this deployment.
    pub(crate) fn compile(&self) -> Result<CompiledPolicy, StartError> {
        let policy = CompiledPolicy::compile(self.source()?)
            .map_err(|found| StartError::found(found, "the command does not run"))?;
        self.deploy(policy)
    }

    /// The text of the policy file.
    pub(crate) fn source(&self) -> Result<Source, StartError> {
        let help = "for a first policy, `policy init` writes one from what the tools declare";
        read(&self.policy)
            .map_err(|error| if self.policy.exists() { error } else { error.with_help(help) })
    }

    /// The path of the policy file.
    pub(crate) fn policy_path(&self) -> &Path {
        &self.policy
    }

    /// The snapshot of the registered scopes: the named file, or the file beside the policy if it
    /// exists.
    pub(crate) fn snapshot(&self, named: Option<&Path>) -> Result<Option<Snapshot>, StartError> {
        let beside = self.policy.with_file_name(Snapshot::FILE);
        let path = match named {
            Some(path) => path,
            None if beside.exists() => &beside,
            None => return Ok(None),
        };
        let snapshot = Snapshot::parse(&read(path)?);
        snapshot.map(Some).map_err(|found| StartError::found(found, "the command does not run"))
    }

    /// The snapshot that the startup check of this policy uses if the provider does not answer.
    pub(crate) fn snapshot_of(&self, source: &Source) -> Result<Option<Snapshot>, StartError> {
        match CompiledPolicy::compile(source.clone()) {
            Ok(policy) if !policy.provider().is_embedded() && policy.registered_at().is_none() => {
                self.snapshot(None)
            }
            _ => Ok(None),
        }
    }

    /// The snapshot that this policy is linted with: none beside `registered`, which counts before it.
    ///
    /// # Errors
    ///
    /// A named file for a policy with `registered`.
    pub(crate) fn snapshot_beside(
        &self,
        source: &Source,
        named: Option<&Path>,
    ) -> Result<Option<Snapshot>, StartError> {
        let policy = CompiledPolicy::compile(source.clone());
        if !policy.is_ok_and(|policy| policy.registered_at().is_some()) {
            return self.snapshot(named);
        }
        named.map_or(Ok(None), |_| {
            Err(StartError::refused(
                "--snapshot has no effect, because `registered` in `[server]` says which scopes are \
                 registered\n  = help: leave the option out",
            ))
        })
    }

    /// The URL of the server for a policy with mistakes, as far as the URL can be read.
    pub(crate) fn address_of(&self, source: &Source) -> Result<ResourceUrl, StartError> {
        let written = written_url(source).and_then(|url| ResourceUrl::parse(&url).ok());
        self.override_url(written.as_ref())
    }

    /// Whether this deployment says its URL, in place of the policy.
    pub(crate) fn says_url(&self) -> bool {
        self.url.is_some() || self.settings.get("MCP_URL").is_some()
    }

    /// The URL of the server before there is a policy: that of this deployment, or a port on loopback.
    pub(crate) fn first_url(&self) -> Result<ResourceUrl, StartError> {
        let default =
            ResourceUrl::parse("http://localhost:3002/mcp").map_err(StartError::failed)?;
        self.override_url(Some(&default))
    }

    /// The policy with the URL of this deployment.
    pub(crate) fn deploy(&self, policy: CompiledPolicy) -> Result<CompiledPolicy, StartError> {
        let url = self.url_of(&policy)?;
        Ok(policy.at(url))
    }

    /// The URL of this deployment for a policy.
    pub(crate) fn url_of(&self, policy: &CompiledPolicy) -> Result<ResourceUrl, StartError> {
        self.override_url(Some(policy.resource()))
    }

    /// The URL of the server: by `--url`, by `--port` on loopback, or by the policy.
    fn override_url(&self, policy: Option<&ResourceUrl>) -> Result<ResourceUrl, StartError> {
        // The option has read MCP_URL, and the settings know its other name, BASE_URL.
        let written = self.url.clone().or_else(|| self.settings.get("MCP_URL"));
        match (&written, self.port, policy) {
            (Some(url), _, policy) => {
                let parsed = ResourceUrl::parse(url);
                let parsed = parsed.and_then(|url| url.check_path().map(|()| url));
                let parsed = parsed.map_err(|error| {
                    StartError::refused(format!("MCP_URL is \"{url}\": {error}"))
                })?;
                // A URL without a path names the server alone, so the path stays that of the
                // policy.
                let path = policy.map_or("", ResourceUrl::path);
                Ok(if parsed.path().is_empty() { parsed.with_path(path) } else { parsed })
            }
            // On loopback there is no proxy in between, so another port means another URL.
            (None, Some(port), Some(url)) if url.is_loopback() => Ok(url.with_port(port)),
            (None, _, Some(url)) => Ok(url.clone()),
            (None, _, None) => {
                Err(StartError::refused("the policy does not say where the server is: set MCP_URL"))
            }
        }
    }

    /// The address to listen on, if one is set.
    pub(crate) fn host(&self) -> Option<IpAddr> {
        self.host
    }

    /// The port to listen on.
    pub(crate) fn port(&self, policy: &CompiledPolicy) -> u16 {
        self.port.unwrap_or(policy.resource().port())
    }
}

/// A path for messages, without the `./` that some shells complete.
fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

/// Reads the text of a TOML file.
pub(crate) fn read(path: &Path) -> Result<Source, StartError> {
    let text = file::read(path).map_err(|error| {
        StartError::refused(format!(
            "cannot read {}: {error}\n  = help: run from the folder that holds policy.toml, \
             or name the file with --policy",
            path.display()
        ))
    })?;
    Ok(Source::new(shown(path), text))
}
