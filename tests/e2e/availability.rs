//! What one caller and one address may take of a server: places, connections, bytes and time. Each
//! test takes as much as it can, and then somebody else calls.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jsonwebtoken::Algorithm;
use scopeward::{
    Limits, LivePolicy, ScopedTools, Server,
    issuer::Issuer,
    policy::Scope,
    rmcp::{Peer, RoleServer},
    scoped_tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::Semaphore};

use crate::{
    harness::{self, POLICY, Reply, free_port, mcp_request, send, small_policy},
    keys::keys,
    standin::{Mode, Provider},
};

const RULES: &str = r#"
[tools]
waits = { read = "a" }
waits_as_rmcp = { read = "a" }
quick = { read = "a" }
large = { read = "a" }
write = { write = "a" }
"#;

/// The size of a large answer. The buffers of a connection do not hold it.
const LARGE: usize = 15_000_000;

#[derive(Debug, Clone)]
struct Tools {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    /// Calls that wait end when they get a permit of this.
    go: Arc<Semaphore>,
}

impl Tools {
    async fn wait(&self) -> String {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let go = self.go.acquire().await;
        go.unwrap().forget();
        self.ended.fetch_add(1, Ordering::SeqCst);
        "waited".to_owned()
    }
}

#[scoped_tools]
impl Tools {
    /// Waits until it is let go.
    #[scoped_tool(scopes = ["a:read"])]
    async fn waits(&self) -> String {
        self.wait().await
    }

    /// Waits likewise, and could tell its caller something before.
    #[scoped_tool(scopes = ["a:read"])]
    async fn waits_as_rmcp(&self, _peer: Peer<RoleServer>) -> String {
        self.wait().await
    }

    /// Answers at once.
    #[scoped_tool(scopes = ["a:read"])]
    fn quick(&self) -> String {
        "quick".to_owned()
    }

    /// Has a large answer.
    #[scoped_tool(scopes = ["a:read"])]
    fn large(&self) -> String {
        "x".repeat(LARGE)
    }

    /// Writes.
    #[scoped_tool(scopes = ["a:write"])]
    fn write(&self) -> String {
        "written".to_owned()
    }
}

/// A server whose tools wait, mounted in a program that tells it the addresses.
struct World {
    port: u16,
    tools: Tools,
    issuer: Issuer,
    _runtime: Runtime,
    _data: TempDir,
}

impl World {
    fn with(set: impl FnOnce(&mut Limits)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let tools =
            Tools { begun: Arc::default(), ended: Arc::default(), go: Arc::new(Semaphore::new(0)) };
        let port = free_port();
        let url = format!("http://localhost:{port}/mcp");
        let policy = LivePolicy::from(small_policy(&url, RULES, &Tools::REGISTRY));
        let issuer = Issuer::open(data.path(), &policy, "availability").unwrap();
        let mut limits = Limits::default();
        limits.rate_per_caller = 0;
        set(&mut limits);
        let router =
            Server::new(tools.clone(), policy, &issuer).unwrap().with_limits(&limits).router();
        let runtime = Runtime::new().unwrap();
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", port))).unwrap();
        runtime.spawn(async move {
            let app = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app).await
        });
        Self { port, tools, issuer, _runtime: runtime, _data: data }
    }

    fn token(&self, subject: &str) -> String {
        self.issuer.sign(subject, "test", &[Scope::parse("a:read").unwrap()]).unwrap()
    }

    fn post(&self, token: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let url = format!("http://localhost:{}/mcp", self.port);
        let request = mcp_request(&url).header("authorization", format!("Bearer {token}"));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        send(request.body(body.to_string()).unwrap())
    }

    fn call(&self, token: &str, tool: &str) -> Reply {
        self.post(token, &[], &message(1, tool))
    }

    /// Begins a call and does not read its answer.
    fn begin(&self, token: &str, tool: &str) -> TcpStream {
        let body = message(1, tool).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nhost: localhost:{}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             content-length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        stream
    }

    fn let_go(&self, count: usize) {
        self.tools.go.add_permits(count);
    }
}

fn message(id: u32, tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool } })
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_caller_has_a_quarter_of_the_places() {
    let world = World::with(|limits| {
        limits.max_requests = 8;
        limits.share_per_address = 100;
    });
    let (ada, grace) = (world.token("ada"), world.token("grace"));
    let held = [world.begin(&ada, "waits"), world.begin(&ada, "waits")];
    until("both calls", || world.tools.begun.load(Ordering::SeqCst) == 2);
    let refused = world.call(&ada, "quick");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{refused:#?}");
    assert!(refused.text.contains("this caller has its share"), "{refused:#?}");
    assert_eq!(world.call(&grace, "quick").status, 200);
    world.let_go(2);
    for mut stream in held {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    until("the places to be free", || world.call(&ada, "quick").status == 200);
}

#[test]
fn an_address_has_a_quarter_of_the_places() {
    let world = World::with(|limits| limits.max_requests = 8);
    let held: Vec<_> = ["ada", "grace"].map(|of| world.begin(&world.token(of), "waits")).into();
    until("both calls", || world.tools.begun.load(Ordering::SeqCst) == 2);
    let refused = world.call(&world.token("linus"), "quick");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{refused:#?}");
    assert!(refused.text.contains("this address has its share"), "{refused:#?}");
    drop(held);
    world.let_go(2);
}

#[test]
fn all_places_are_taken() {
    let world = World::with(|limits| {
        limits.max_requests = 2;
        limits.share_per_caller = 50;
        limits.share_per_address = 100;
    });
    let _held = ["ada", "grace"].map(|of| world.begin(&world.token(of), "waits"));
    until("both calls", || world.tools.begun.load(Ordering::SeqCst) == 2);
    let refused = world.call(&world.token("linus"), "quick");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{refused:#?}");
    world.let_go(2);
}

/// A call whose client has gone away is still executed, so it keeps its place, whichever way it went.
#[test]
fn an_abandoned_call_keeps_its_place() {
    for tool in ["waits", "waits_as_rmcp"] {
        let world = World::with(|limits| {
            limits.max_requests = 2;
            limits.share_per_caller = 100;
            limits.share_per_address = 100;
        });
        let ada = world.token("ada");
        for number in 1..=2 {
            let stream = world.begin(&ada, tool);
            until("the call", || world.tools.begun.load(Ordering::SeqCst) == number);
            drop(stream);
        }
        thread::sleep(Duration::from_millis(300));
        let ended = world.tools.ended.load(Ordering::SeqCst);
        assert_eq!(ended, 0);
        let refused = world.call(&ada, "quick");
        assert_eq!(refused.status, 503, "{tool}: {refused:#?}");
        world.let_go(2);
        until("the places to be free", || world.call(&ada, "quick").status == 200);
    }
}

/// Half bodies hold no place: neither those of a caller, nor those without a token.
#[test]
fn a_body_that_is_waited_for_holds_no_place() {
    let world = World::with(|limits| {
        limits.max_requests = 1;
        limits.share_per_address = 100;
    });
    let ada = world.token("ada");
    let mut held = vec![];
    for token in [Some(&*ada), None] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
            let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
            write!(
                stream,
                "POST /mcp HTTP/1.1\r\nhost: localhost:{}\r\n{}content-type: application/json\r\n\
                 accept: application/json, text/event-stream\r\ncontent-length: 9\r\n\r\n{{",
                world.port,
                token.unwrap_or_default()
            )
            .unwrap();
            held.push(stream);
        }
    }
    for caller in ["ada", "grace"] {
        assert_eq!(world.call(&world.token(caller), "quick").status, 200, "{caller}");
    }
}

#[test]
fn a_caller_has_a_quarter_of_the_connections() {
    let world = World::with(|limits| limits.max_connections = 16);
    let ada = world.token("ada");
    let _held: Vec<_> = (0..4).map(|_| world.begin(&ada, "waits")).collect();
    until("four calls", || world.tools.begun.load(Ordering::SeqCst) == 4);
    let refused = world.call(&ada, "quick");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{refused:#?}");
    assert_eq!(world.call(&world.token("grace"), "quick").status, 200);
    world.let_go(4);
}

/// Answers that are not taken count among the bytes in flight, and so do bodies that are being read.
#[test]
fn a_caller_has_a_quarter_of_the_bytes_in_flight() {
    let world = World::with(|limits| {
        limits.max_in_flight_bytes = 64 * 1024 * 1024;
        limits.share_per_address = 100;
        limits.max_body = 4 * 1024 * 1024;
    });
    let ada = world.token("ada");
    let padded = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "quick", "_meta": { "x": "x".repeat(2_000_000) } } });
    assert_eq!(world.post(&ada, &[], &padded).status, 200);
    let taken: Vec<_> = (0..3).map(|_| world.begin(&ada, "large")).collect();
    until("the caller's share", || world.post(&ada, &[], &padded).status == 429);
    let refused = world.post(&ada, &[], &padded);
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{refused:#?}");
    assert_eq!(world.post(&world.token("grace"), &[], &padded).status, 200);
    drop(taken);
    until("the bytes to be free", || world.post(&ada, &[], &padded).status == 200);
}

/// The answers of a batch have one budget, and what has no room any more is not executed.
#[test]
fn a_batch_has_one_budget() {
    let world = World::with(|_| {});
    let ada = world.token("ada");
    let batch: Vec<Value> = (0..100).map(|id| message(id, "large")).collect();
    let headers = [("mcp-protocol-version", "2025-03-26")];
    let answer = world.post(&ada, &headers, &batch.into());
    assert_eq!(answer.status, 200);
    assert!(answer.text.len() < 17 * 1024 * 1024, "{} bytes", answer.text.len());
    let answers = answer.json.as_array().unwrap();
    assert_eq!(answers.len(), 100);
    let refused = answers.iter().filter(|answer| answer["error"].is_object());
    assert!(refused.clone().count() >= 98, "{}", refused.count());
    assert!(answers[99]["error"]["message"].as_str().unwrap().contains("send this message alone"));
}

#[test]
fn each_message_of_a_batch_is_charged() {
    let world = World::with(|limits| limits.rate_per_caller = 1);
    let (ada, grace) = (world.token("ada"), world.token("grace"));
    let batch =
        |count: u32| (0..count).map(|id| message(id, "quick")).collect::<Vec<Value>>().into();
    let headers = [("mcp-protocol-version", "2025-03-26")];
    assert_eq!(world.post(&ada, &headers, &batch(8)).status, 200);
    let refused = world.post(&ada, &headers, &batch(8));
    assert_eq!(refused.status, 429, "{refused:#?}");
    assert!(!refused.text.contains("quick"));
    // More than ever fits at once.
    assert_eq!(world.post(&grace, &headers, &batch(100)).status, 429);
}

/// Connections at the endpoints of the embedded issuer that send half a body are told so in time, and
/// hold nobody up.
#[test]
fn half_bodies_at_the_issuer() {
    let settings = [("BODY_TIMEOUT", "1"), ("MAX_REQUESTS", "4"), ("MAX_WAITING", "4")];
    let server = harness::Server::with_settings(&POLICY, &settings);
    let token = server.token("todo:read");
    for path in ["/oauth/token", "/oauth/register", "/oauth/authorize", "/oauth/revoke"] {
        let mut held: Vec<_> = (0..40)
            .map(|_| {
                let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                write!(
                    stream,
                    "POST {path} HTTP/1.1\r\nhost: localhost:{}\r\ncontent-type: \
                     application/json\r\ncontent-length: 9\r\n\r\n{{",
                    server.port
                )
                .unwrap();
                stream
            })
            .collect();
        assert_eq!(server.call(&token, "list_todos", &json!({})).status, 200);
        assert_eq!(server.get("/.well-known/oauth-authorization-server").status, 200, "{path}");
        let mut answer = String::new();
        held[0].read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
    }
}

/// Tokens that only a silent provider could tell about wait in a room of their own.
#[test]
fn tokens_that_wait_for_a_silent_provider() {
    let provider = Provider::start();
    let policy = POLICY.replace("\"embedded\"", "\"scalekit\"");
    let mut settings = provider.settings().to_vec();
    settings.extend([("MAX_REQUESTS", "4"), ("MAX_WAITING", "8"), ("RATE_PER_CALLER", "0")]);
    let server = harness::Server::with_settings(&policy, &settings);
    let good = provider.token(&json!({ "scope": "todo:read" }));
    assert_eq!(server.call(&good, "list_todos", &json!({})).status, 200);
    provider.set(Mode::Slow);
    // The keys are fetched again at most once in ten seconds.
    thread::sleep(Duration::from_secs(10));
    let unknown = provider.sign(&json!({}), Algorithm::ES256, "unknown", &keys().ec);
    let mut answers = vec![];
    thread::scope(|scope| {
        let asked: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| server.call(&unknown, "list_todos", &json!({})).status))
            .collect();
        thread::sleep(Duration::from_millis(300));
        assert_eq!(server.call(&good, "list_todos", &json!({})).status, 200);
        answers.extend(asked.into_iter().map(|asked| asked.join().unwrap()));
    });
    assert!(answers.contains(&429), "{answers:?}");
    assert!(answers.iter().all(|status| [429, 503, 401].contains(status)), "{answers:?}");
}
