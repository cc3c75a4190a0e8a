//! The deployment of a server: its policy file, its data folder and its addresses.

use std::{
    io::IsTerminal,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::Failure;
use crate::{
    file,
    policy::{
        CompiledPolicy, ResourceUrl, Snapshot,
        diagnostic::{Diagnostics, Severity, Source},
        written_url,
    },
};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Deployment {
    /// The policy file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SCOPEWARD_POLICY",
        default_value = "policy.toml"
    )]
    policy: PathBuf,
    /// The folder for keys and databases
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "SCOPEWARD_DATA",
        default_value = "data"
    )]
    pub(super) data: PathBuf,
    /// The URL at which clients reach this server, in place of the URL in the policy
    #[arg(long, global = true, value_name = "URL", env = "MCP_URL")]
    url: Option<String>,
    /// The port to listen on, in place of the port in the URL
    #[arg(long, global = true, env = "PORT")]
    port: Option<u16>,
    /// The address to listen on; by default both addresses of loopback
    #[arg(long, global = true, value_name = "ADDRESS", env = "HOST")]
    host: Option<IpAddr>,
    /// Keep sessions for clients of MCP revisions until 2025-11-25, because some tools need them to
    /// ask the caller something
    #[arg(long, global = true, env = "MCP_SESSIONS")]
    pub(super) sessions: bool,
    /// The address for /health and /metrics, on loopback or in a network that callers cannot reach;
    /// `off` for none
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS:PORT",
        env = "MONITOR",
        default_value = "127.0.0.1:9464"
    )]
    pub(super) monitor: MonitorAt,
}

/// The address of the monitor, if it is on.
#[derive(Debug, Clone, Copy)]
pub(super) enum MonitorAt {
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
    /// Reads and compiles the policy, with the URL of this deployment.
    pub(super) fn compile(&self) -> Result<CompiledPolicy, Failure> {
        let policy = CompiledPolicy::compile(self.source()?)
            .map_err(|found| refuse(&found, "the command does not run"))?;
        self.deploy(policy)
    }

    /// The text of the policy file.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        read(&self.policy).map_err(|mut failure| {
            if !self.policy.exists() {
                failure.message += "\n  = help: for a first policy, `policy init` writes one from what \
                                    the tools declare";
            }
            failure
        })
    }

    /// The path of the policy file.
    pub(super) fn policy_path(&self) -> &Path {
        &self.policy
    }

    /// The snapshot of the registered scopes: the named file, or the file beside the policy if it
    /// exists.
    pub(super) fn snapshot(&self, named: Option<&Path>) -> Result<Option<Snapshot>, Failure> {
        let beside = self.policy.with_file_name(Snapshot::FILE);
        let path = match named {
            Some(path) => path,
            None if beside.exists() => &beside,
            None => return Ok(None),
        };
        let snapshot = Snapshot::parse(&read(path)?);
        snapshot.map(Some).map_err(|found| refuse(&found, "the command does not run"))
    }

    /// The snapshot that the startup check of this policy uses if the provider does not answer.
    pub(super) fn snapshot_of(&self, source: &Source) -> Result<Option<Snapshot>, Failure> {
        match CompiledPolicy::compile(source.clone()) {
            Ok(policy) if !policy.provider().is_embedded() && policy.registered_at().is_none() => {
                self.snapshot(None)
            }
            _ => Ok(None),
        }
    }

    /// The URL of the server for a policy with mistakes, as far as the URL can be read.
    pub(super) fn address_of(&self, source: &Source) -> Result<ResourceUrl, Failure> {
        let written = written_url(source).and_then(|url| ResourceUrl::parse(&url).ok());
        self.override_url(written.as_ref())
    }

    /// The URL of the server before there is a policy: that of this deployment, or a port on loopback.
    pub(super) fn first_url(&self) -> Result<ResourceUrl, Failure> {
        let default = ResourceUrl::parse("http://localhost:3002/mcp").map_err(Failure::failed)?;
        self.override_url(Some(&default))
    }

    /// The policy with the URL of this deployment.
    pub(super) fn deploy(&self, policy: CompiledPolicy) -> Result<CompiledPolicy, Failure> {
        let url = self.override_url(Some(policy.resource()))?;
        Ok(policy.at(url))
    }

    /// The URL of the server: by `--url`, by `--port` on loopback, or by the policy.
    fn override_url(&self, policy: Option<&ResourceUrl>) -> Result<ResourceUrl, Failure> {
        match (&self.url, self.port, policy) {
            (Some(url), _, policy) => {
                let parsed = ResourceUrl::parse(url)
                    .map_err(|error| Failure::refused(format!("MCP_URL is \"{url}\": {error}")))?;
                // A URL without a path names the server alone, so the path stays that of the
                // policy.
                let path = policy.map_or("", ResourceUrl::path);
                Ok(if parsed.path().is_empty() { parsed.with_path(path) } else { parsed })
            }
            // On loopback there is no proxy in between, so another port means another URL.
            (None, Some(port), Some(url)) if url.is_loopback() => Ok(url.with_port(port)),
            (None, _, Some(url)) => Ok(url.clone()),
            (None, _, None) => {
                Err(Failure::refused("the policy does not say where the server is: set MCP_URL"))
            }
        }
    }

    /// The address to listen on, if one is set.
    pub(super) fn host(&self) -> Option<IpAddr> {
        self.host
    }

    /// The port to listen on.
    pub(super) fn port(&self, policy: &CompiledPolicy) -> u16 {
        self.port.unwrap_or(policy.resource().port())
    }
}

/// A path for messages, without the `./` that some shells complete.
fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

/// Reads the text of a TOML file.
pub(super) fn read(path: &Path) -> Result<Source, Failure> {
    let text = file::read(path).map_err(|error| {
        Failure::refused(format!(
            "cannot read {}: {error}\n  = help: run from the folder that holds policy.toml, \
             or name the file with --policy",
            path.display()
        ))
    })?;
    Ok(Source::new(shown(path), text))
}

/// The findings as text for the terminal.
pub(super) fn render(found: &Diagnostics) -> String {
    found.render(std::io::stderr().is_terminal())
}

/// The failure of a command because of findings: the findings, their number and the `consequence`.
pub(super) fn refuse(found: &Diagnostics, consequence: &str) -> Failure {
    let path = found.source().path();
    let count = match found.count(Severity::Error) {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    Failure {
        code: super::REFUSED,
        message: format!("{}error: {path} has {count}; {consequence}", render(found)),
    }
}
