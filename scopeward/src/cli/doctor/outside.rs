//! Examines the running server from outside, as a client sees it.

use http::{Method, StatusCode, header};

use super::report::DoctorReport;
use crate::{
    policy::CompiledPolicy,
    remote::{Probe, Remote, RemoteError},
};

/// The origin of MCP Inspector's page.
const INSPECTOR: &str = "http://localhost:6274";

/// Asks the server for its metadata, calls it without a token, and calls it as a page in a browser.
pub(crate) async fn seen_from_outside(
    report: &mut DoctorReport,
    remote: &Remote,
    policy: &CompiledPolicy,
    authorization_servers: &[&str],
) {
    let resource = policy.resource();
    let url = resource.metadata_url();
    let answer = match remote.probe(Method::GET, &url, &[]).await {
        Ok(answer) => answer,
        Err(error) => {
            return report.note(
                "server",
                format!("nothing answers at {url}: {}", reason(&error)),
                format!(
                    "start the server, on port {}; if it runs, check that this address leads to it",
                    resource.port()
                ),
            );
        }
    };
    if !serves_it(report, &answer, policy, authorization_servers) {
        return;
    }
    challenges(report, remote, policy).await;
    pages(report, remote, policy).await;
}

fn reason(error: &RemoteError) -> String {
    match error {
        RemoteError::Unreachable { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Whether the metadata at the URL is that of this resource (RFC 9728).
fn serves_it(
    report: &mut DoctorReport,
    answer: &Probe,
    policy: &CompiledPolicy,
    authorization_servers: &[&str],
) -> bool {
    const ABOUT: &str = "server";
    let resource = policy.resource();
    let url = resource.metadata_url();
    if answer.status != StatusCode::OK || !answer.json.is_object() {
        report.wrong(
            ABOUT,
            format!(
                "{url} answers {}: something else is there, or a proxy in between",
                answer.status
            ),
            "let /.well-known/ and the endpoint through to this server, unchanged",
        );
        return false;
    }
    let named = answer.json["resource"].as_str().unwrap_or_default();
    if named != resource.as_str() {
        report.wrong(
            ABOUT,
            format!("it names itself {named}, so clients of {resource} refuse it"),
            "set MCP_URL to the URL that clients use, and restart the server",
        );
        return false;
    }
    let servers = answer.json["authorization_servers"].as_array();
    let servers: Vec<&str> =
        servers.into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    if servers != authorization_servers {
        report.wrong(
            ABOUT,
            format!("it still sends clients to {}", servers.join(", ")),
            "restart it: these settings are newer than it",
        );
        return false;
    }
    report.ok(ABOUT, format!("{resource} answers, and clients connect to exactly this URL"));
    true
}

/// Checks the challenge to a call without a token (RFC 6750, section 3; RFC 9728, section 5.1).
async fn challenges(report: &mut DoctorReport, remote: &Remote, policy: &CompiledPolicy) {
    const ABOUT: &str = "challenge";
    let resource = policy.resource();
    let fix = "let WWW-Authenticate and the status through, unchanged";
    match remote.probe(Method::POST, resource.as_str(), &[]).await {
        Ok(answer) => {
            let challenge = answer.header(header::WWW_AUTHENTICATE);
            let names_it = challenge.contains(&resource.metadata_url());
            if answer.status == StatusCode::UNAUTHORIZED && names_it {
                report.ok(ABOUT, "without a token: 401, and where to sign in");
            } else {
                let status = answer.status;
                let text = format!("without a token it answers {status}, without where to sign in");
                report.wrong(ABOUT, text, fix);
            }
        }
        Err(error) => report.wrong(ABOUT, reason(&error), fix),
    }
}

/// Checks CORS, because some clients are web pages.
async fn pages(report: &mut DoctorReport, remote: &Remote, policy: &CompiledPolicy) {
    const ABOUT: &str = "browser";
    let headers = [
        (header::ORIGIN, INSPECTOR),
        (header::ACCESS_CONTROL_REQUEST_METHOD, "POST"),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type"),
    ];
    let answer = remote.probe(Method::OPTIONS, policy.resource().as_str(), &headers).await;
    let allowed =
        answer.is_ok_and(|answer| answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN) == INSPECTOR);
    if allowed {
        report.ok(ABOUT, format!("MCP Inspector's page ({INSPECTOR}) may call it"));
    } else {
        report.note(
            ABOUT,
            format!(
                "pages of other origins, such as MCP Inspector's ({INSPECTOR}), may not call it"
            ),
            "connect the Inspector through its proxy, or with --cli",
        );
    }
}
