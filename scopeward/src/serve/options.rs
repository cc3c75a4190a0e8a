//! The settings of serving: TLS, the audit file, and the limits.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;

use super::{
    StartError,
    behind::Behind,
    limit_options::LimitOptions,
    listen::tls::{self, Tls},
};
use crate::{limits::Limits, policy::CompiledPolicy, record::audit::journal::Rotation};

/// The largest audit file, in MiB: 1 TiB, which is more than one machine writes.
const MOST_MIB: u64 = 1024 * 1024;
/// The most older audit files, because each new file looks at all of them.
const MOST_KEPT: u64 = 100_000;

/// The options of serving that only `serve` uses.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The certificate for TLS with its intermediate certificates, as PEM; loaded again when it
    /// changes
    #[arg(long, value_name = "FILE", env = "TLS_CERTIFICATE")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", env = "TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// The size at which a new audit file is begun, in MiB; 0 for never
    #[arg(long, value_name = "MIB", env = "AUDIT_SIZE", value_parser = clap::value_parser!(u64).range(..=MOST_MIB), default_value_t = 100)]
    audit_size: u64,
    /// How many older audit files are kept; 0 for all
    #[arg(long, value_name = "COUNT", env = "AUDIT_KEPT", value_parser = RangedU64ValueParser::<usize>::new().range(..=MOST_KEPT), default_value_t = 10)]
    audit_kept: usize,
    #[command(flatten)]
    pub(crate) behind: Behind,
    #[command(flatten)]
    limits: LimitOptions,
    /// The limits that the program sets in place of those of the options.
    #[arg(skip)]
    pub(crate) own_limits: Option<Limits>,
}

impl Options {
    pub(crate) fn limits(&self) -> Limits {
        self.own_limits.as_ref().map_or_else(|| self.limits.clone().into(), Limits::within_ranges)
    }

    pub(crate) fn rotation(&self) -> Rotation {
        Rotation { size: self.audit_size.saturating_mul(1024 * 1024), kept: self.audit_kept }
    }

    /// Loads the certificate, if one is set. Must be called inside a Tokio runtime, because the
    /// files are watched in the background.
    pub(crate) fn tls(&self, policy: &CompiledPolicy) -> Result<Option<Tls>, StartError> {
        let (certificate, key) = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(lone("TLS_CERTIFICATE", "TLS_KEY")),
            (None, Some(_)) => return Err(lone("TLS_KEY", "TLS_CERTIFICATE")),
        };
        if !policy.resource().origin().starts_with("https:") {
            return Err(StartError::refused(format!(
                "TLS is set up, but the URL for clients, {}, is not https\n  = help: write https:// in \
                 the policy's `url`, or in MCP_URL",
                policy.resource()
            )));
        }
        let files = tls::Files { certificate: certificate.clone(), key: key.clone() };
        Tls::watch(files).map(Some).map_err(StartError::refused)
    }
}

fn lone(set: &str, unset: &str) -> StartError {
    StartError::refused(format!(
        "{set} is set and {unset} is not\n  = help: set both, as a variable or an option, or neither"
    ))
}
