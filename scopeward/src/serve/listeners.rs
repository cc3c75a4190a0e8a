//! Listens on the addresses of a server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use super::StartError;

/// Listens on the address that is set. If none is set, listens on both addresses of loopback,
/// because `localhost` may mean either.
pub(crate) async fn listen(
    host: Option<IpAddr>,
    port: u16,
) -> Result<Vec<TcpListener>, StartError> {
    let address = SocketAddr::from((host.unwrap_or(Ipv4Addr::LOCALHOST.into()), port));
    let first = TcpListener::bind(address).await.map_err(|error| {
        StartError::failed(format!(
            "cannot listen on {address}: {error}\n  = help: choose another port: PORT={} …",
            port.wrapping_add(1)
        ))
    })?;
    if host.is_some() {
        return Ok(vec![first]);
    }
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let second = TcpListener::bind(address).await;
    if let Err(error) = &second
        && error.kind() == std::io::ErrorKind::AddrInUse
    {
        // A client that resolves `localhost` to this address would send its token to that process.
        tracing::warn!(
            "another process listens on {address}: clients that take `localhost` for ::1 reach it, \
             and not this server"
        );
    }
    Ok(std::iter::once(first).chain(second.ok()).collect())
}

pub(crate) async fn listen_for_monitor(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| {
        StartError::failed(format!(
            "cannot listen on {address} for /health and /metrics: {error}\n  = help: choose \
             another address: MONITOR=127.0.0.1:9465 …, or MONITOR=off"
        ))
    })
}
