//! TCP connections: accepted within limits, served, and ended without cutting a call off.
//!
//! Each limit stands above the refusal that it gives:
//!
//! ```text
//! accept ─ connections ─ TLS ─ HTTP/1.1 ─ rate of the address ─ requests ─ router
//!          closed              408, 431   429                   503
//! ```

pub(crate) mod tls;

use std::{
    collections::HashMap, convert::Infallible, error::Error, io, net::IpAddr, sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::{
    http::{Peer, drain},
    limits::{ConcurrencyLimit, ConcurrencyPermit, Limit, Limits, RateLimiter, refused},
    record::metrics::metrics,
};

use tls::Tls;

/// The smallest buffer for a request's head that hyper takes, in bytes.
const SMALLEST_HEAD: usize = 8 * 1024;
/// How long a client is told to wait when too many requests are being answered.
const SHORT: Duration = Duration::from_secs(1);
/// How long to wait after a failure to accept (no more open files, for example), because an
/// immediate try would fail as well.
const RETRY: Duration = Duration::from_millis(50);
/// How often the rates of addresses that have not come back are forgotten, so that they do not fill
/// the memory.
const TIDY: Duration = Duration::from_secs(30);

/// Serves the connections of listeners within the limits. Clones share the limits and the router.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    router: Router,
    http: http1::Builder,
    limits: Limits,
    tls: Option<Tls>,
    connections: ConcurrencyLimit,
    requests: ConcurrencyLimit,
    rate: RateLimiter<IpAddr>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl ConnectionServer {
    pub(crate) fn new(router: Router, limits: &Limits, tls: Option<Tls>) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(limits.head_timeout))
            .max_buf_size(limits.max_head.max(SMALLEST_HEAD));
        Self(Arc::new(Inner {
            router,
            http,
            tls,
            connections: ConcurrencyLimit::new(limits.max_connections),
            requests: ConcurrencyLimit::new(limits.max_requests),
            rate: RateLimiter::per_second(limits.rate_per_address),
            addresses: Mutex::default(),
            limits: limits.clone(),
        }))
    }

    /// The number of connections that are open now.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.taken()
    }

    /// The number of requests that are being answered now.
    pub(crate) fn requests(&self) -> usize {
        self.0.requests.taken()
    }

    /// Accepts connections until it is told to stop, and then waits until the open connections have
    /// ended, each after the answer that it is sending.
    pub(crate) async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let ending = GracefulShutdown::new();
        let mut tidy = tokio::time::interval(TIDY);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = tidy.tick() => {
                    self.0.rate.tidy();
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = Peer::from(address);
                    if let Some(permit) = self.permit(peer) {
                        let connection = self.clone().connected(stream, peer, ending.watcher());
                        tokio::spawn(async move {
                            connection.await;
                            drop(permit);
                        });
                    }
                }
                Err(error) => {
                    tracing::error!("cannot accept a connection: {error}");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        drop(listener);
        ending.shutdown().await;
    }

    /// A permit for one connection. `None` if a limit refuses it.
    fn permit(&self, peer: Peer) -> Option<ConnectionPermit> {
        let Some(held) = self.0.connections.take() else {
            metrics().limited(Limit::Connections);
            return None;
        };
        let address = peer.network();
        // The lock guards numbers alone, so a panic cannot leave them half-written.
        let mut addresses = self.0.addresses.lock();
        let count = addresses.entry(address).or_default();
        if *count >= self.0.limits.max_connections_per_address {
            metrics().limited(Limit::ConnectionsOfAddress);
            return None;
        }
        *count += 1;
        drop(addresses);
        Some(ConnectionPermit { server: Arc::clone(&self.0), address, _held: held })
    }

    async fn connected(self, stream: TcpStream, peer: Peer, ending: Watcher) {
        // TCP_NODELAY, because an answer is small and waiting for more data would only delay it.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(Duration::from_secs(self.0.limits.write_timeout)));
        let stream = Box::pin(stream);
        match &self.0.tls {
            None => self.serve_http(stream, peer, ending).await,
            Some(tls) => {
                let deadline = Duration::from_secs(self.0.limits.head_timeout);
                match tokio::time::timeout(deadline, tls.accept(stream)).await {
                    Ok(Ok(stream)) => self.serve_http(stream, peer, ending).await,
                    // The client speaks another protocol, or broke the connection off.
                    Ok(Err(error)) => tracing::debug!(address = %peer, "no TLS: {error}"),
                    Err(_) => tracing::debug!(address = %peer, "no TLS in time"),
                }
            }
        }
    }

    async fn serve_http<I>(&self, stream: I, peer: Peer, ending: Watcher)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| self.answer(request, peer));
        let connection = self.0.http.serve_connection(TokioIo::new(stream), service);
        // Broken off, timed out, or not HTTP. The error is logged only, because no client waits for
        // it.
        if let Err(error) = ending.watch(connection).await {
            if let Some(limit) = limit_of(&error) {
                metrics().limited(limit);
            }
            tracing::debug!(address = %peer, "a connection ended: {error}");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Result<Response<Body>, Infallible> {
        let Inner { rate, requests, router, .. } = &*self.0;
        let mut request = request.map(Body::new);
        let refusal = match (rate.admit(&peer.network()), requests.take()) {
            (Err(wait), _) => Err((Limit::Address, wait)),
            (_, None) => Err((Limit::Requests, SHORT)),
            (Ok(()), Some(held)) => Ok(held),
        };
        let _held = match refusal {
            Ok(held) => held,
            Err((limit, wait)) => {
                metrics().limited(limit);
                drain::discard(request.into_body()).await;
                return Ok(refused(limit, wait));
            }
        };
        request.extensions_mut().insert(peer);
        router.clone().call(request).await
    }
}

/// The limit that ended a connection, if one did. An idle connection counts as one whose next head
/// does not come in time.
fn limit_of(error: &hyper::Error) -> Option<Limit> {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if error.is_parse_too_large() {
        Some(Limit::Head)
    } else if source.is_some_and(|source| source.kind() == io::ErrorKind::TimedOut) {
        Some(Limit::WriteTime)
    } else {
        error.is_timeout().then_some(Limit::HeadTime)
    }
}

/// A permit for one connection, which is given back when it is dropped.
#[derive(Debug)]
struct ConnectionPermit {
    server: Arc<Inner>,
    address: IpAddr,
    _held: ConcurrencyPermit,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut addresses = self.server.addresses.lock();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Raises the limit of open files to the highest that the system allows, because each connection is
/// an open file.
pub(crate) fn raise_open_files() -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum {
            setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        }
    }
    Ok(())
}
