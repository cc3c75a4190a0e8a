//! The command `policy status`: which policy the running server serves, and whether the policy file
//! is loaded or refused.

use std::{fmt::Write, time::Duration};

use serde_json::Value;

use crate::{
    cli::{Deployment, Failure, Verdict, render, runtime::block_on},
    policy::{Registry, Revision, agreement},
    serve::deployment::MonitorAt,
};

/// How long the running server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn status(deployment: &Deployment, registry: &Registry) -> Result<Verdict, Failure> {
    let source = deployment.source()?;
    let revision = Revision::of(source.text()).to_string();
    let snapshot = deployment.snapshot_of(&source)?;
    let (refused, findings, url) = match agreement::check(&source, registry, snapshot.as_ref()) {
        Ok(checked) => (false, checked.found().clone(), deployment.url_of(checked.policy())?),
        Err(found) => (true, found, deployment.address_of(&source)?),
    };
    let address = match deployment.monitor {
        MonitorAt::Address(address) => format!("http://{address}/health"),
        MonitorAt::Off => {
            return Err(Failure::failed(format!(
                "MONITOR is off, so the server at {url} cannot be asked"
            )));
        }
    };
    let health = block_on(ask(&address))?
        .map_err(|reason| Failure::failed(format!("no answer from {address}: {reason}")))?;
    let served = health["policy"]["revision"].as_str().unwrap_or("unknown");

    let mut text = format!(
        "  serving  revision {served}, loaded {}\n",
        health["policy"]["loaded_at"].as_str().unwrap_or("at an unknown time")
    );
    let state = match (served == revision, refused) {
        (true, _) => "the same",
        (false, true) => "REFUSED: the last good policy keeps serving",
        (false, false) => "not loaded yet",
    };
    let _ = writeln!(text, "  file     revision {revision} ({}): {state}", source.path());
    if let Some(at) = health["policy"]["refused_at"].as_str() {
        let count = &health["policy"]["refused"];
        let _ = writeln!(text, "  refused  {count} in all, last {at}");
    }
    out!("{text}");
    if refused {
        err!("\n{}", render(&findings));
    }
    Ok(Verdict::of(served == revision))
}

async fn ask(address: &str) -> Result<Value, String> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build();
    let answer = client.map_err(|error| error.to_string())?.get(address).send().await;
    let body = answer.map_err(|_| "is the server running?".to_owned())?.bytes().await;
    let body = body.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|_| "the answer is not JSON".to_owned())
}
