//! Where the policy is, where the data is, and under which address the server is reached.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::{
    check,
    diagnostic::{Diagnostics, Source},
    issuer::Issuer,
    policy::{Check, CompiledPolicy, Provider},
    registry::Registry,
    resource::ResourceUrl,
};

#[derive(Debug, clap::Args)]
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
}

impl Deployment {
    /// Reads and compiles the policy, for the address that this deployment has.
    pub(super) fn compile(&self) -> Result<CompiledPolicy, Failure> {
        let policy = CompiledPolicy::compile(self.source()?).map_err(|found| refuse(&found))?;
        self.deploy(policy)
    }

    fn source(&self) -> Result<Source, Failure> {
        let text = std::fs::read_to_string(&self.policy).map_err(|error| {
            Failure::refused(format!(
                "cannot read {}: {error}\n  = help: run from the folder that holds policy.toml, \
                 or name the file with --policy",
                self.policy.display()
            ))
        })?;
        Ok(Source::new(shown(&self.policy), text))
    }

    fn deploy(&self, policy: CompiledPolicy) -> Result<CompiledPolicy, Failure> {
        let url = self.resource_url(&policy)?;
        Ok(policy.at(url))
    }

    fn resource_url(&self, policy: &CompiledPolicy) -> Result<ResourceUrl, Failure> {
        match (&self.url, self.port) {
            (Some(url), _) => ResourceUrl::parse(url)
                .map_err(|error| Failure::refused(format!("MCP_URL is \"{url}\": {error}"))),
            // On loopback there is nothing in between: moving the port moves the URL.
            (None, Some(port)) if policy.resource().is_loopback() => {
                Ok(policy.resource().with_port(port))
            }
            (None, _) => Ok(policy.resource().clone()),
        }
    }

    /// Compiles the policy and holds it against the tools; what disagrees is printed, and an error
    /// ends the command unless the policy says `check = "warn"`.
    pub(super) fn checked(&self, registry: &Registry) -> Result<CompiledPolicy, Failure> {
        let (policy, found) =
            check::compile(self.source()?, registry).map_err(|found| refuse(&found))?;
        if found.has_errors() && policy.check_mode() == Check::Enforce {
            return Err(refuse(&found));
        }
        if !found.is_empty() {
            anstream::eprint!("{}", render(&found));
        }
        let policy = self.deploy(policy)?;
        match policy.provider() {
            Provider::Embedded => Issuer::may_serve(policy.resource()).map_err(Failure::refused)?,
        }
        Ok(policy)
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

fn render(found: &Diagnostics) -> String {
    found.render(std::io::stderr().is_terminal())
}

fn refuse(found: &Diagnostics) -> Failure {
    let errors =
        found.iter().filter(|f| f.severity() == crate::diagnostic::Severity::Error).count();
    let path = found.source().path();
    let count = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
    let message = format!("{}error: {path} has {count}; the server does not start", render(found));
    Failure { code: super::REFUSED, message }
}
