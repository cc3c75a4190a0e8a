//! `fairness`: what honest callers notice while others attack the server.
//!
//! Two honest callers at two addresses call at a steady pace, in turns: first alone, and then beside
//! each kind of attack, which comes at full rate from two other addresses.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bench::{
    target::{Running, World},
    todo,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Builder,
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How long a turn is, in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Fail if fewer than 99 % of the honest calls are answered, or if their 99th percentile is ten
    /// times that of the quiet turn or more
    #[arg(long)]
    check: bool,
}

/// The time between two calls of an honest caller.
const BETWEEN: Duration = Duration::from_millis(12);
/// How long an honest caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an attacker keeps a connection with half a request open.
const HALF: Duration = Duration::from_secs(1);

const HONEST: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 12))];
const HOSTILE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 67))];

/// One kind of attack.
struct Attack {
    name: &'static str,
    connections: usize,
    /// What each address sends, again and again.
    sent: [Vec<u8>; 2],
    /// Whether the request is only begun, so that no answer comes.
    is_half: bool,
}

pub(crate) fn fairness(options: &Options) -> Result<()> {
    let world = World::new()?;
    let server = Running::spawn_with(&world, &mut Command::new(todo::program()?), &[], |url| {
        todo::policy(&world, url)
    })?;
    let honest = [1, 2].map(|subject| todo::call(&server, &world, ALGORITHM, subject));
    let [one, two] = honest;
    let honest = [one?.request, two?.request];
    server.wait(&todo::call(&server, &world, ALGORITHM, 0)?)?;
    let length = Duration::from_secs_f64(options.seconds);
    println!("{} s a turn, two honest callers, two hostile addresses\n", options.seconds);
    println!("attack                        answered      50 %      99 %   × quiet   slowest");
    let quiet = turn(server.address, &honest, None, length)?;
    let mut failures = vec![];
    quiet.print("none", None);
    for attack in attacks(&server, &world)? {
        let seen = turn(server.address, &honest, Some(&attack), length)?;
        let times = seen.print(attack.name, Some(&quiet));
        if seen.answered() < 0.99 || times >= 10.0 {
            failures.push(attack.name);
        }
        // What an attack has left (rates, connections) is over before the next one.
        thread::sleep(Duration::from_secs(1));
    }
    ensure!(!options.check || failures.is_empty(), "not fair: {}", failures.join(", "));
    Ok(())
}

const ALGORITHM: jsonwebtoken::Algorithm = jsonwebtoken::Algorithm::ES256;

fn attacks(server: &Running, world: &World) -> Result<Vec<Attack>> {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}}}"#;
    let batch = format!("[{}]", vec![list; 100].join(","));
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"purge_todos","arguments":{{"x":[{}0]}}}}}}"#,
        "0,".repeat(2_000_000)
    );
    let of = |subject: usize, headers: &str, body: &str| -> Result<Vec<u8>> {
        server.post(world, ALGORITHM, subject, headers, body)
    };
    let both =
        |make: &dyn Fn(usize) -> Result<Vec<u8>>| Ok::<_, anyhow::Error>([make(7)?, make(8)?]);
    let raw = |head: &str| {
        let text = format!("{head}host: {}\r\ncontent-length: 9\r\n\r\n{{", server.address);
        [text.clone().into_bytes(), text.into_bytes()]
    };
    let whole = |head: &str| {
        let text = format!("{head}host: {}\r\ncontent-length: 2\r\n\r\n{{}}", server.address);
        [text.clone().into_bytes(), text.into_bytes()]
    };
    let half_of = |mut request: Vec<u8>| {
        request.truncate(request.len() - 1);
        request
    };
    let attack = |name, connections, sent, is_half| Attack { name, connections, sent, is_half };
    Ok(vec![
        attack("half bodies, no token", 750, raw("POST /mcp HTTP/1.1\r\n"), true),
        attack("half bodies, signed in", 500, both(&|who| Ok(half_of(of(who, "", list)?)))?, true),
        attack(
            "half bodies, metadata",
            500,
            raw("GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\n"),
            true,
        ),
        attack("half heads", 750, raw("POST /mcp HTTP/1.1\r\n").map(|one| one[..20].into()), true),
        attack("no token", 64, whole("POST /mcp HTTP/1.1\r\n"), false),
        attack(
            "made-up tokens",
            64,
            whole("POST /mcp HTTP/1.1\r\nauthorization: Bearer bm90.YXQ.YWxs\r\n"),
            false,
        ),
        attack("calls beyond the rate", 64, both(&|who| of(who, "", list))?, false),
        attack("4 MB that are refused", 4, both(&|who| of(who, "", &large))?, false),
        attack(
            "batches of a hundred",
            4,
            both(&|who| of(who, "mcp-protocol-version: 2025-03-26\r\n", &batch))?,
            false,
        ),
    ])
}

/// What the honest callers have seen in one turn.
struct Seen {
    calls: usize,
    /// The latency of each call that was answered, sorted.
    latencies: Vec<Duration>,
}

impl Seen {
    #[expect(clippy::cast_precision_loss, reason = "a count below 2^52 is exact")]
    fn answered(&self) -> f64 {
        self.latencies.len() as f64 / self.calls.max(1) as f64
    }

    fn percent(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or(PATIENCE)
    }

    /// Prints a line of the table. Returns how many times the quiet 99th percentile this one is.
    fn print(&self, name: &str, quiet: Option<&Self>) -> f64 {
        let times = quiet.map_or(1.0, |quiet| {
            self.percent(99).as_secs_f64() / quiet.percent(99).as_secs_f64().max(1e-9)
        });
        println!(
            "{name:<28} {:>8.2} %  {:>8.2?}  {:>8.2?}  {times:>8.1}  {:>8.2?}",
            self.answered() * 100.0,
            self.percent(50),
            self.percent(99),
            self.percent(100)
        );
        times
    }
}

fn turn(
    server: SocketAddr,
    honest: &[Vec<u8>; 2],
    attack: Option<&Attack>,
    length: Duration,
) -> Result<Seen> {
    let is_over = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        if let Some(attack) = attack {
            for (address, sent) in HOSTILE.into_iter().zip(&attack.sent) {
                let is_over = Arc::clone(&is_over);
                scope.spawn(move || {
                    // The attackers give way to the honest callers, who share their core: the server
                    // is measured, and not this program.
                    let _ =
                        rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19);
                    attack_from(server, address, sent, attack, &is_over)
                });
            }
            // Only what is seen while the attack is under way counts.
            thread::sleep(length / 5);
        }
        let callers: Vec<_> = HONEST
            .into_iter()
            .zip(honest)
            .map(|(address, request)| scope.spawn(move || call(server, address, request, length)))
            .collect();
        let mut all = Seen { calls: 0, latencies: vec![] };
        let mut failure = None;
        for caller in callers {
            match caller.join() {
                Ok(Ok(seen)) => {
                    all.calls += seen.calls;
                    all.latencies.extend(seen.latencies);
                }
                Ok(Err(error)) => failure = Some(error),
                Err(_) => failure = Some(anyhow::anyhow!("a caller panicked")),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        all.latencies.sort_unstable();
        failure.map_or(Ok(all), Err)
    })
}

/// Calls at a steady pace, on a connection that is opened again when it breaks.
fn call(server: SocketAddr, from: IpAddr, request: &[u8], length: Duration) -> Result<Seen> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut seen = Seen { calls: 0, latencies: vec![] };
        let end = Instant::now() + length;
        let mut connection = None;
        while Instant::now() < end {
            let begin = Instant::now();
            seen.calls += 1;
            let asked = async {
                let stream = match &mut connection {
                    Some(stream) => stream,
                    none => none.insert(connect(server, from).await?),
                };
                exchange(stream, request).await
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(200)) => seen.latencies.push(begin.elapsed()),
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => connection = None,
            }
            tokio::time::sleep_until((begin + BETWEEN).into()).await;
        }
        Ok(seen)
    })
}

/// Sends what the attack sends, on all of its connections at once, until it is over.
fn attack_from(
    server: SocketAddr,
    from: IpAddr,
    sent: &[u8],
    attack: &Attack,
    is_over: &Arc<AtomicBool>,
) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let sent: Arc<[u8]> = sent.into();
    runtime.block_on(async {
        for _ in 0..attack.connections {
            let (sent, is_half, is_over) = (Arc::clone(&sent), attack.is_half, Arc::clone(is_over));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = connect(server, from).await else {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        continue;
                    };
                    if is_half {
                        let _ = stream.write_all(&sent).await;
                        tokio::time::sleep(HALF).await;
                        continue;
                    }
                    while !is_over.load(Ordering::Relaxed)
                        && exchange(&mut stream, &sent).await.is_ok()
                    {}
                }
            });
        }
        while !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    Ok(())
}

async fn connect(server: SocketAddr, from: IpAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request, reads the whole answer, and returns its status.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<u16> {
    let mut answer = vec![];
    // Read while it is written, because the server may answer before it has read everything.
    let (mut reading, mut writing) = stream.split();
    let write = async { writing.write_all(request).await };
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = reading.read(&mut buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            answer.extend_from_slice(&buffer[..read]);
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(start) = head.parse(&answer)? else { continue };
            let length = head
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"))
                .context("no length")?;
            let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
            if answer.len() >= start + length {
                return Ok(head.code.unwrap_or_default());
            }
        }
    };
    let (written, status) = tokio::join!(write, read);
    let status = status?;
    written?;
    Ok(status)
}
