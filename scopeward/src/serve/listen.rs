//! Connections: accepted within limits, served, and ended without cutting a call off.
//!
//! ```text
//! accept ─ places ─ TLS ─ HTTP/1.1 ─ address, requests ─ router
//!          closed          408, 431      429     503
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

/// hyper takes no smaller buffer.
const SMALLEST_HEAD: usize = 8 * 1024;
/// A client that was refused comes back no sooner.
const SHORT: Duration = Duration::from_secs(1);
/// After a failure to accept (no more files, say) the next try comes after this.
const RETRY: Duration = Duration::from_millis(50);
/// What nobody needs any more is given up this often.
const TIDY: Duration = Duration::from_secs(30);

/// What connections lead to. Clones are the same door.
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

    /// How many connections there are now.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.taken()
    }

    /// How many requests are being answered now.
    pub(crate) fn requests(&self) -> usize {
        self.0.requests.taken()
    }

    /// Takes connections until it is told to stop, and then waits until those that there are have
    /// ended: each with the answer that it is sending.
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
                    if let Some(place) = self.place(peer) {
                        let connection = self.clone().connected(stream, peer, ending.watcher());
                        tokio::spawn(async move {
                            connection.await;
                            drop(place);
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

    fn place(&self, peer: Peer) -> Option<ConnectionPermit> {
        let Some(held) = self.0.connections.take() else {
            metrics().limited(Limit::Connections);
            return None;
        };
        let address = peer.network();
        // Numbers only: there is no half-written state to fear.
        let mut addresses = self.0.addresses.lock();
        let count = addresses.entry(address).or_default();
        if *count >= self.0.limits.max_connections_per_address {
            metrics().limited(Limit::ConnectionsOfAddress);
            return None;
        }
        *count += 1;
        drop(addresses);
        Some(ConnectionPermit { door: Arc::clone(&self.0), address, _held: held })
    }

    async fn connected(self, stream: TcpStream, peer: Peer, ending: Watcher) {
        // Answers are small, and each is sent at once.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(Duration::from_secs(self.0.limits.write_timeout)));
        let stream = Box::pin(stream);
        match &self.0.tls {
            None => self.speak(stream, peer, ending).await,
            Some(tls) => {
                let patience = Duration::from_secs(self.0.limits.head_timeout);
                match tokio::time::timeout(patience, tls.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream, peer, ending).await,
                    // A client that speaks something else, or nothing.
                    Ok(Err(error)) => tracing::debug!(address = %peer, "no TLS: {error}"),
                    Err(_) => tracing::debug!(address = %peer, "no TLS in time"),
                }
            }
        }
    }

    async fn speak<I>(&self, stream: I, peer: Peer, ending: Watcher)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| self.answer(request, peer));
        let connection = self.0.http.serve_connection(TokioIo::new(stream), service);
        // Broken off, timed out, or no HTTP: nobody is there who could be told.
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
                drain::read_away(request.into_body()).await;
                return Ok(refused(limit, wait));
            }
        };
        request.extensions_mut().insert(peer);
        router.clone().call(request).await
    }
}

/// The limit that ended a connection, if one did. An idle one ends like one whose head does not come.
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

/// A connection's place, given back when it ends.
#[derive(Debug)]
struct ConnectionPermit {
    door: Arc<Inner>,
    address: IpAddr,
    _held: ConcurrencyPermit,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut addresses = self.door.addresses.lock();
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Lets this process have as many files, and so connections, as the system lets it.
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
