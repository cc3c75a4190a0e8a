//! The hostile kinds of the benchmark `fairness`, each at full rate from two addresses, in turns.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Builder,
    task::JoinSet,
};

use super::World;

/// How long one kind lasts.
const TURN: Duration = Duration::from_secs(3);
/// How long a connection with half a request is kept open.
const HALF: Duration = Duration::from_secs(1);
/// The connections of each kind, from each address.
const CONNECTIONS: usize = 60;

/// One kind: what is sent again and again, and whether it is only half a request.
struct Kind {
    sent: Vec<u8>,
    is_half: bool,
}

/// When an attack ends: after its turn, or with the test.
#[derive(Clone)]
struct Until {
    end: Instant,
    is_over: Arc<AtomicBool>,
}

impl Until {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed) && Instant::now() < self.end
    }
}

impl World<'_> {
    /// Attacks from the address `127.0.0.last`, one kind after the other.
    pub(super) fn flood(&self, last: u8) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let token = self.token(&format!("flood-{last}"), "todo:read");
        let kinds = kinds(self.server.port, &token);
        runtime.block_on(async {
            for kind in kinds.iter().cycle().take_while(|_| self.goes_on()) {
                let until =
                    Until { end: Instant::now() + TURN, is_over: Arc::clone(&self.is_over) };
                let mut all = JoinSet::new();
                for _ in 0..CONNECTIONS {
                    all.spawn(attack(from, self.server.port, Arc::clone(kind), until.clone()));
                }
                all.join_all().await;
            }
        });
    }
}

fn kinds(port: u16, token: &str) -> Vec<Arc<Kind>> {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}}}"#;
    let batch = format!("[{}]", vec![list; 100].join(","));
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"purge_todos","arguments":{{"x":[{}0]}}}}}}"#,
        "0,".repeat(500_000)
    );
    let request = |path: &str, headers: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\n{headers}content-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let bearer = format!("authorization: Bearer {token}\r\n");
    let old = format!("{bearer}mcp-protocol-version: 2025-03-26\r\n");
    let half = |mut sent: Vec<u8>, kept: usize| {
        sent.truncate(kept.min(sent.len() - 1));
        Arc::new(Kind { sent, is_half: true })
    };
    let whole = |sent| Arc::new(Kind { sent, is_half: false });
    vec![
        half(request("/mcp", "", list), usize::MAX),
        half(request("/mcp", &bearer, list), usize::MAX),
        half(request("/.well-known/oauth-protected-resource", "", list), usize::MAX),
        half(request("/mcp", "", list), 20),
        whole(request("/mcp", "", list)),
        whole(request("/mcp", "authorization: Bearer bm90.YXQ.YWxs\r\n", list)),
        whole(request("/mcp", &bearer, list)),
        whole(request("/mcp", &bearer, &large)),
        whole(request("/mcp", &old, &batch)),
        whole(request("/oauth/register", "", "{}")),
    ]
}

async fn attack(from: IpAddr, port: u16, kind: Arc<Kind>, until: Until) {
    while until.goes_on() {
        let Ok(mut stream) = connect(from, port).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        if kind.is_half {
            let _ = stream.write_all(&kind.sent).await;
            tokio::time::sleep(HALF).await;
            continue;
        }
        while until.goes_on() && exchange(&mut stream, &kind.sent).await.is_some() {}
    }
}

async fn connect(from: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Sends a request and reads what comes, up to a pause. `None` if the connection ended.
async fn exchange(stream: &mut TcpStream, sent: &[u8]) -> Option<()> {
    let (mut reading, mut writing) = stream.split();
    let write = async { writing.write_all(sent).await };
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        let mut read = reading.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        // The rest of a large answer arrives at once, or is left.
        while read == buffer.len() {
            let more = tokio::time::timeout(HALF, reading.read(&mut buffer)).await.ok()?;
            read = more.ok().filter(|read| *read > 0)?;
        }
        Some(())
    };
    let (written, read) = tokio::join!(write, tokio::time::timeout(Duration::from_secs(5), read));
    written.ok()?;
    read.ok()?
}
