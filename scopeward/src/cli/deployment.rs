//! Where the policy is, where the data is, and under which address the server is reached.

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
        CompiledPolicy, Provider, ResourceUrl, Snapshot,
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
    /// The URL under which clients reach this server, in place of the policy's
    #[arg(long, global = true, value_name = "URL", env = "MCP_URL")]
    url: Option<String>,
    /// The port to listen on, in place of the URL's
    #[arg(long, global = true, env = "PORT")]
    port: Option<u16>,
    /// The address to listen on; both addresses of loopback unless written
    #[arg(long, global = true, value_name = "ADDRESS", env = "HOST")]
    host: Option<IpAddr>,
    /// Keep sessions for callers of revisions until 2025-11-25, for tools that ask their callers something
    #[arg(long, global = true, env = "MCP_SESSIONS")]
    pub(super) sessions: bool,
    /// Where /health and /metrics are: an address of their own, on loopback or in a network that
    /// callers do not reach; `off` for nowhere
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS:PORT",
        env = "MONITOR",
        default_value = "127.0.0.1:9464"
    )]
    pub(super) monitor: MonitorAt,
}

/// Where the monitor listens.
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
    /// Reads and compiles the policy, for the address that this deployment has.
    pub(super) fn compile(&self) -> Result<CompiledPolicy, Failure> {
        let policy = CompiledPolicy::compile(self.source()?)
            .map_err(|found| refuse(&found, "the command does not run"))?;
        self.deploy(policy)
    }

    /// The policy file's text.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        read(&self.policy)
    }

    /// Where the policy file is.
    pub(super) fn policy_path(&self) -> &Path {
        &self.policy
    }

    /// The snapshot of the registered scopes: the file that is named, or the one beside the policy
    /// if it is there.
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

    /// The snapshot that a server would hold this policy against, if its provider does not answer.
    pub(super) fn snapshot_of(&self, source: &Source) -> Result<Option<Snapshot>, Failure> {
        match CompiledPolicy::compile(source.clone()) {
            Ok(policy)
                if policy.provider() != Provider::Embedded && policy.registered_at().is_none() =>
            {
                self.snapshot(None)
            }
            _ => Ok(None),
        }
    }

    /// The address that a policy with mistakes gives, as far as it can be read.
    pub(super) fn address_of(&self, source: &Source) -> Result<ResourceUrl, Failure> {
        let written = written_url(source).and_then(|url| ResourceUrl::parse(&url).ok());
        self.override_url(written.as_ref())
    }

    /// The policy, for the address that this deployment has.
    pub(super) fn deploy(&self, policy: CompiledPolicy) -> Result<CompiledPolicy, Failure> {
        let url = self.override_url(Some(policy.resource()))?;
        Ok(policy.at(url))
    }

    /// The policy's address, unless the environment says otherwise.
    fn override_url(&self, policy: Option<&ResourceUrl>) -> Result<ResourceUrl, Failure> {
        match (&self.url, self.port, policy) {
            (Some(url), _, policy) => {
                let parsed = ResourceUrl::parse(url)
                    .map_err(|error| Failure::refused(format!("MCP_URL is \"{url}\": {error}")))?;
                // Where the server is, without its endpoint: that stays where the policy has it.
                let path = policy.map_or("", ResourceUrl::path);
                Ok(if parsed.path().is_empty() { parsed.with_path(path) } else { parsed })
            }
            // On loopback there is nothing in between: moving the port moves the URL.
            (None, Some(port), Some(url)) if url.is_loopback() => Ok(url.with_port(port)),
            (None, _, Some(url)) => Ok(url.clone()),
            (None, _, None) => {
                Err(Failure::refused("the policy does not say where the server is: set MCP_URL"))
            }
        }
    }

    /// The address to listen on, if one is written.
    pub(super) fn host(&self) -> Option<IpAddr> {
        self.host
    }

    /// The port to listen on.
    pub(super) fn port(&self, policy: &CompiledPolicy) -> u16 {
        self.port.unwrap_or(policy.resource().port())
    }
}

/// A path as messages show it: without the `./` that some shells complete.
fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

/// Reads a TOML file.
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

/// The findings, for the terminal.
pub(super) fn render(found: &Diagnostics) -> String {
    found.render(std::io::stderr().is_terminal())
}

/// The findings, how many there are, and what follows from them.
pub(super) fn refuse(found: &Diagnostics, so: &str) -> Failure {
    let path = found.source().path();
    let count = match found.count(Severity::Error) {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    Failure {
        code: super::REFUSED,
        message: format!("{}error: {path} has {count}; {so}", render(found)),
    }
}
