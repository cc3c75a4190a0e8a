//! The command `health`: whether the server that runs beside it is ready, for a supervisor and for a
//! container without a shell.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{Deployment, Failure, Verdict, runtime::block_on};
use crate::serve::deployment::MonitorAt;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct HealthArguments {
    /// Ask only whether the process answers, and not whether it could answer requests
    #[arg(long)]
    live: bool,
}

/// Asks the monitor. Good when it says so, and bad when it says otherwise or does not answer.
pub(super) fn health(
    deployment: &Deployment,
    arguments: &HealthArguments,
) -> Result<Verdict, Failure> {
    let MonitorAt::Address(address) = deployment.monitor else {
        return Err(Failure::failed(
            "MONITOR is off, so nobody answers for the server\n  = help: set MONITOR to an address \
             and a port, for the server and for this command",
        ));
    };
    let path = if arguments.live { "live" } else { "ready" };
    let url = format!("http://{}/health/{path}", reachable(address));
    match block_on(ask(&url))? {
        Ok((true, _)) => {
            outln!("{}", if arguments.live { "live" } else { "ready" });
            Ok(Verdict::Good)
        }
        Ok((false, said)) => {
            errln!("not {path}: {}", said.trim());
            Ok(Verdict::Bad)
        }
        Err(()) => {
            errln!("no answer from {url}: is the server running, with the same MONITOR?");
            Ok(Verdict::Bad)
        }
    }
}

/// The address to ask: an address that stands for all addresses is no address of its own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}

/// Whether the answer is 2xx, and its text.
async fn ask(url: &str) -> Result<(bool, String), ()> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build();
    let answer = client.map_err(|_| ())?.get(url).send().await.map_err(|_| ())?;
    let is_good = answer.status().is_success();
    Ok((is_good, answer.text().await.map_err(|_| ())?))
}
