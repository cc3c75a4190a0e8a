//! TCP connections: accepted within limits, served, and ended without cutting a call off.
//!
//! Each limit stands above the refusal that it gives:
//!
//! ```text
//! accept ─ connections ─ TLS ─ HTTP/1.1 ─ rate of the address ─ router
//!          429, 503            408, 431   429
//! ```

pub(crate) mod tls;

use std::{convert::Infallible, error::Error, io, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use super::{
    server::OwnPaths,
    side_door::{self, SideDoor},
};
use crate::{
    heartbeat::Heartbeat,
    http::{Peer, TrustedProxies},
    limits::{Exceeded, Holder, Limit, Limits, Patience, RateLimiter, SHORT, SharedLimit, Shares},
    record::metrics::metrics,
};

use tls::Tls;

/// The smallest buffer for a request's head that hyper takes, in bytes.
const SMALLEST_HEAD: usize = 8 * 1024;
/// How long to wait after a failure to accept (no more open files, for example), because an
/// immediate try would fail as well.
const RETRY: Duration = Duration::from_millis(50);
/// After this many accepted connections, the requests on the open ones get their turn.
const AT_A_TIME: usize = 4;
/// At most this many refused connections are told at a time why they are refused.
const MOST_TOLD: usize = 256;
/// At most this many bytes are read away from a refused connection.
const LONGEST_READ_AWAY: u64 = 64 * 1024;

/// Serves the connections of listeners within the limits. Clones share the limits and the router.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    http: http1::Builder,
    limits: Limits,
    tls: Option<Tls>,
    connections: SharedLimit,
    /// The connections that are told that they are refused.
    refused: SharedLimit,
    rate: RateLimiter<IpAddr>,
    patience: Patience,
}

/// What is served.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) router: Router,
    /// Bounds the routes that are not the server's own. The server's own routes have their limits
    /// in themselves.
    pub(crate) others: Option<(OwnPaths, SideDoor)>,
    /// The proxies that are believed where a request came from.
    pub(crate) proxies: TrustedProxies,
}

impl ConnectionServer {
    pub(crate) fn new(app: App, limits: &Limits, tls: Option<Tls>) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(limits.head_timeout))
            .max_buf_size(limits.max_head.max(SMALLEST_HEAD));
        let shares = Shares { caller: usize::MAX, address: limits.connections_per_address() };
        Self(Arc::new(Inner {
            app,
            http,
            tls,
            connections: SharedLimit::new(limits.max_connections, shares),
            refused: SharedLimit::new(MOST_TOLD, Shares { address: MOST_TOLD / 4, ..Shares::NONE }),
            rate: RateLimiter::per_second(limits.rate_per_address),
            patience: Patience::default(),
            limits: limits.clone(),
        }))
    }

    /// The number of connections that are open now.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.taken()
    }

    /// The heartbeat of the watcher of the certificate, if there is one.
    pub(crate) fn heartbeat(&self) -> Option<Heartbeat> {
        self.0.tls.as_ref().map(|tls| tls.heartbeat.clone())
    }

    /// Accepts connections until it is told to stop, and then waits until the open connections have
    /// ended, each after the answer that it is sending.
    pub(crate) async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let ending = GracefulShutdown::new();
        for turn in (0..AT_A_TIME).cycle() {
            // A crowd of new connections lets the requests on the open ones go between.
            if turn == 0 {
                tokio::task::yield_now().await;
            }
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = Peer::from(address);
                    // A proxy's connections carry the requests of many clients, which have their own
                    // limits.
                    let is_proxy = self.0.app.proxies.trusts(peer);
                    // A connection costs the server as much as a request, so it counts as one.
                    if !is_proxy && self.0.rate.admit(&peer.network()).is_err() {
                        metrics().limited(Limit::Address);
                        continue;
                    }
                    let holder = Holder::at((!is_proxy).then_some(peer));
                    match self.0.connections.take(1, holder) {
                        Ok(permit) => {
                            let connection = self.clone().connected(stream, peer, ending.watcher());
                            tokio::spawn(async move {
                                connection.await;
                                drop(permit);
                            });
                        }
                        Err(exceeded) => self.refuse(stream, peer, exceeded),
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

    /// Closes a connection that a limit refuses. Its client is told so and when to come back, if that
    /// can be done in plain HTTP and not too many are being told.
    fn refuse(&self, mut stream: TcpStream, peer: Peer, exceeded: Exceeded) {
        let limit = match exceeded {
            Exceeded::Whole => Limit::Connections,
            _ => Limit::ConnectionsOfAddress,
        };
        metrics().limited(limit);
        if self.0.tls.is_some() {
            return;
        }
        let Ok(permit) = self.0.refused.take(1, Holder::at(Some(peer))) else { return };
        tokio::spawn(async move {
            let told = async {
                let reason = limit.status().canonical_reason().unwrap_or_default();
                let answer = format!(
                    "HTTP/1.1 {} {reason}\r\nretry-after: 1\r\nconnection: close\r\n\
                     content-length: 0\r\n\r\n",
                    limit.status().as_str()
                );
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                // What the client sends is read away, because a connection that is closed before that
                // is reset, and the client does not see the answer.
                tokio::io::copy(&mut stream.take(LONGEST_READ_AWAY), &mut tokio::io::sink()).await
            };
            let _ = tokio::time::timeout(SHORT, told).await;
            drop(permit);
        });
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
        let Inner { rate, app, patience, .. } = &*self.0;
        let mut request = request.map(Body::new);
        let peer = app.proxies.client(peer, request.headers());
        if let Err(wait) = rate.admit(&peer.network()) {
            return Ok(side_door::refuse(request, peer, Limit::Address, wait, patience).await);
        }
        request.extensions_mut().insert(peer);
        let App { router, others, .. } = app;
        match others {
            Some((own, door)) if !own.has(request.uri().path()) => {
                match door.enter(request, peer) {
                    Ok((request, _permit)) => router.clone().call(request).await,
                    Err((request, limit)) => {
                        Ok(side_door::refuse(request, peer, limit, SHORT, patience).await)
                    }
                }
            }
            _ => router.clone().call(request).await,
        }
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
