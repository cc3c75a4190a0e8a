//! Examines the settings of the deployment and the URL of the server.

use super::report::DoctorReport;
use crate::cli::own::OwnSetting;
use crate::{
    identity::provider::ConfiguredProviders,
    policy::{CompiledPolicy, provider::Setup, served::ProviderFault},
};

/// Reports the settings of the providers and the URL, with the mistakes that are likely in them.
pub(crate) fn of_settings(
    report: &mut DoctorReport,
    policy: &CompiledPolicy,
    configured: &ConfiguredProviders,
    variable: impl Fn(&str) -> Option<String>,
) {
    const ABOUT: &str = "settings";
    if policy.provider().preset().is_some_and(|preset| preset.setup == Setup::Scalekit) {
        let id = variable("SCALEKIT_RESOURCE_ID").unwrap_or_default();
        if id.starts_with("res_") {
            report.ok(ABOUT, format!("SCALEKIT_ENVIRONMENT_URL and SCALEKIT_RESOURCE_ID ({id})"));
        } else {
            report.wrong(
                ABOUT,
                format!("SCALEKIT_RESOURCE_ID is {id}, and the ids of MCP servers begin with res_"),
                "copy the resource id from Scalekit's dashboard, MCP Servers",
            );
        }
        let secret = variable("SCALEKIT_CLIENT_SECRET");
        let secret = secret.or_else(|| variable("SCALEKIT_CLIENT_SECRET_FILE"));
        let credentials = [variable("SCALEKIT_CLIENT_ID"), secret];
        if let [Some(_), None] | [None, Some(_)] = credentials {
            report.note(
                ABOUT,
                "of SCALEKIT_CLIENT_ID and SCALEKIT_CLIENT_SECRET only one is set, so Scalekit's \
                 API is not asked which scopes are registered",
                "set both, or neither",
            );
        }
    }
    for configured in configured.all() {
        let audiences = configured.audiences.join(" or ");
        report
            .ok("audience", format!("tokens of {} must be for {audiences}", configured.issuers[0]));
    }
    let url = policy.resource();
    let text = match variable("MCP_URL") {
        Some(written) if written.trim_end_matches('/') != url.as_str() => {
            format!("{url}: MCP_URL is {written}, and the path is the policy's")
        }
        Some(written) if written.ends_with('/') => {
            format!("{url}: the slash at the end of MCP_URL makes no difference")
        }
        _ => url.to_string(),
    };
    report.ok("url", text);
}

/// Reports which of the author's own settings are set, never their values.
pub(crate) fn of_own_settings(
    report: &mut DoctorReport,
    settings: &[OwnSetting],
    variable: impl Fn(&str) -> Option<String>,
) {
    for OwnSetting { name, help } in settings {
        match variable(name) {
            Some(_) => report.ok("own settings", format!("{name} is set: {help}")),
            None => report.ok("own settings", format!("{name} is not set: {help}")),
        }
    }
}

/// Reports settings that are missing or wrong, so that no provider can be asked. `env_file` is the
/// `.env` that was read.
pub(crate) fn of_faults(
    report: &mut DoctorReport,
    faults: &[ProviderFault],
    env_file: Option<&str>,
) {
    let env_file = match env_file {
        Some(path) => format!("{path} was read"),
        None => "no .env was found in this folder or above it".to_owned(),
    };
    for fault in faults {
        report.wrong("settings", format!("{} ({env_file})", fault.message()), fault.help());
    }
}
