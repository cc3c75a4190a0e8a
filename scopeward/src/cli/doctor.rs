//! The command `doctor`, which examines the whole deployment and says how to fix problems.

mod outside;
mod provider_health;
mod report;
mod settings;
mod token;

use std::{path::PathBuf, sync::Arc};

use super::{
    Deployment, Failure, Verdict, accepted, env_file, files::read_token, own::OwnSetting,
    runtime::block_on,
};
use crate::{
    identity::provider::ConfiguredProvider,
    live::LivePolicy,
    policy::{
        CompiledPolicy, Registry, agreement,
        diagnostic::{Severity, counted},
    },
    remote::Remote,
    serve::startup,
};
use report::DoctorReport;

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArguments {
    /// A file with an access token to examine; `-` is standard input
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
}

pub(super) fn doctor(
    deployment: &Deployment,
    registry: &Registry,
    name: &str,
    own: &[OwnSetting],
    arguments: &DoctorArguments,
) -> Result<Verdict, Failure> {
    let token = arguments.token.as_deref().map(read_token).transpose()?;
    let mut report = DoctorReport::default();
    settings::of_own_settings(&mut report, own, |name| deployment.settings.get(name));
    let examined = examine(&mut report, deployment, registry, name, token.as_deref());
    out!("{report}");
    examined?;
    Ok(Verdict::of(report.is_good()))
}

fn examine(
    report: &mut DoctorReport,
    deployment: &Deployment,
    registry: &Registry,
    name: &str,
    token: Option<&str>,
) -> Result<(), Failure> {
    let source = deployment.source()?;
    let Ok(policy) = CompiledPolicy::compile(source.clone()) else {
        report.wrong("policy", "it has mistakes", "run `policy lint`, which shows them");
        return Ok(());
    };
    let policy = Arc::new(deployment.deploy(policy)?);
    let configured = match startup::try_configured(deployment, &policy) {
        Ok(configured) => configured,
        Err(error) => {
            let env_file = env_file::find().map(|path| path.display().to_string());
            settings::of_faults(report, &error.into_faults(), env_file.as_deref());
            return Ok(());
        }
    };
    settings::of_settings(report, &policy, &configured, |name| deployment.settings.get(name));
    block_on(async {
        let remote = Remote::default();
        for unset in startup::unset_secrets(&policy) {
            report.wrong("client", unset.message(), unset.help());
        }
        for doubt in policy.provider_doubts(&|name| deployment.settings.get(name)) {
            report.wrong("sign-in", doubt.message(), doubt.help());
        }
        for configured in configured.all() {
            provider_health::examine(report, &remote, configured, &policy).await;
        }
        if policy.provider().is_embedded() {
            report.ok("provider", "the embedded issuer, for development on this machine only");
        }
        let registered = startup::ask_registered(&policy, configured.main.as_ref(), &remote).await;
        let snapshot = match registered {
            Some(snapshot) => Some(snapshot),
            None => deployment.snapshot_of(&source)?,
        };
        match agreement::check(&source, registry, snapshot.as_ref()) {
            Ok(checked) if !checked.found().has_errors() => {
                let policy = checked.policy();
                let (rules, revision) =
                    (counted(policy.rules().count(), "rule"), policy.revision());
                let path = source.path();
                report.ok("policy", format!("{path}: {rules}, revision {revision}"));
            }
            outcome => {
                let count = outcome.map_or_else(
                    |found| found.count(Severity::Error),
                    |checked| checked.found().count(Severity::Error),
                );
                let text = format!("errors that stop the start: {count}");
                report.wrong("policy", text, "run `policy check`, which shows them");
            }
        }
        // The embedded issuer is not opened, because opening it makes its files and `doctor`
        // changes nothing.
        let own = policy.resource().origin();
        let embedded = configured.main.is_none().then_some(&*own);
        let elsewhere = configured.all().map(ConfiguredProvider::authorization_server);
        let servers: Vec<&str> = embedded.into_iter().chain(elsewhere).collect();
        outside::seen_from_outside(report, &remote, &policy, &servers).await;
        if let Some(token) = token {
            let unserved = LivePolicy::unserved(Arc::clone(&policy));
            let validator = accepted::validator(deployment, &configured, &unserved, name).await?;
            token::examine(report, &validator, &policy, token).await;
        }
        Ok(())
    })?
}
