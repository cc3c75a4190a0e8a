//! Load and faults together, for `SOAK_SECONDS` seconds: 20 by default, 1800 for half an hour. Also
//! `kill -9` at random moments, `CRASH_ROUNDS` times.

mod flood;
mod records;

use std::{
    fs,
    io::Write,
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Scope},
    time::{Duration, Instant},
};

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use self::records::Records;
use crate::{
    harness::{Disk, POLICY, Server, mcp_request, stderr},
    keys::keys,
    standin::{Mode, Provider},
};

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |value| value.parse().unwrap())
}

/// The number of honest callers.
const HONEST: usize = 8;
/// The end of a caller's name while the policy requires records.
const REQUIRED: &str = "-required";

/// A rule that refuses what the shipped one refuses, and more.
const STRICTER: &str = "delete_todo = { all_of = [\"todo:write\", \"admin:access\"] }";

/// A client with its own pool of TCP connections.
struct Client {
    agent: ureq::Agent,
    url: String,
}

impl Client {
    fn new(url: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self { agent: agent.into(), url: url.to_owned() }
    }

    /// The status and the body of a response, or `None` if the TCP connection broke.
    fn send(&self, token: &str, body: &str) -> Option<(u16, String)> {
        let request = mcp_request(&self.url).header("authorization", format!("Bearer {token}"));
        let mut reply = self.agent.run(request.body(body.to_owned()).unwrap()).ok()?;
        let text = reply.body_mut().read_to_string().ok()?;
        Some((reply.status().as_u16(), text))
    }

    fn call(&self, token: &str, tool: &str, arguments: &Value) -> Option<(u16, String)> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments } });
        self.send(token, &body.to_string())
    }
}

/// The id of a created todo, or `None` if the response is not a success.
fn created(answer: Option<(u16, String)>) -> Option<String> {
    let (200, text) = answer? else { return None };
    let json: Value = serde_json::from_str(&text).ok()?;
    let result = &json["result"];
    if result["isError"] == true {
        return None;
    }
    Some(result["structuredContent"]["id"].as_str()?.to_owned())
}

/// The state that all threads of the test share.
struct World<'a> {
    server: &'a Server,
    provider: &'a Provider,
    is_over: Arc<AtomicBool>,
    /// Whether the policy says `audit = "required"`, which it does in the second half.
    is_required: AtomicBool,
    calls: AtomicU64,
    refused: AtomicU64,
    /// The honest calls that were sent, and those of them that were answered.
    sent: AtomicU64,
    answered: AtomicU64,
    acknowledged: Mutex<Vec<(String, String)>>,
    records: Mutex<Records>,
    /// How often the audit file was taken away.
    taken_away: AtomicU64,
}

impl World<'_> {
    /// Runs a part of the test in a thread. A part that panics ends all other parts.
    fn take_part<'s>(&'s self, scope: &'s Scope<'s, '_>, part: impl FnOnce() + Send + 's) {
        scope.spawn(move || {
            if let Err(wrong) = catch_unwind(AssertUnwindSafe(part)) {
                self.is_over.store(true, Ordering::Relaxed);
                resume_unwind(wrong);
            }
        });
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn token(&self, subject: &str, scope: &str) -> String {
        let claims = json!({ "sub": subject, "scope": scope, "exp": crate::standin::now() + 7200 });
        self.provider.sign(&claims, Algorithm::ES256, "ec", &keys().ec)
    }

    /// Creates todos, reads them, and makes calls that must be refused.
    fn honest(&self, number: usize) {
        let client = Client::new(&self.server.url());
        let subject_of =
            |required: bool| format!("user-{number}{}", if required { REQUIRED } else { "" });
        let mut subject = subject_of(false);
        let mut writer = self.token(&subject, "todo:write");
        let mut reader = self.token(&subject, "todo:read");
        let mut last = None;
        let call = |token: &str, tool: &str, arguments: &Value| {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let answer = client.call(token, tool, arguments);
            if let Some((status, text)) = &answer {
                self.answered.fetch_add(1, Ordering::Relaxed);
                assert_ne!(*status, 429, "an honest caller is told of a limit: {text}");
            }
            answer
        };
        for turn in 0_u64.. {
            if !self.goes_on() {
                return;
            }
            // Another subject, so that its records are counted apart.
            if subject != subject_of(self.is_required.load(Ordering::Relaxed)) {
                subject = subject_of(true);
                writer = self.token(&subject, "todo:write");
                reader = self.token(&subject, "todo:read");
                last = None;
            }
            self.calls.fetch_add(1, Ordering::Relaxed);
            if turn % 50 == 0 {
                let answer = call(&writer, "create_todo", &json!({ "title": "soak" }));
                if let Some(id) = created(answer) {
                    self.acknowledged.lock().unwrap().push((subject.clone(), id.clone()));
                    last = Some(id);
                }
            }
            if let Some(id) = &last {
                let answer = call(&reader, "get_todo", &json!({ "id": id }));
                if let Some((200, text)) = &answer {
                    assert!(text.contains(id.as_str()), "another todo: {text}");
                }
            }
            for (token, tool, arguments) in [
                (&reader, "create_todo", json!({ "title": "WRONG" })),
                (&writer, "purge_todos", json!({})),
            ] {
                let Some((status, text)) = call(token, tool, &arguments) else { continue };
                assert!(matches!(status, 401 | 403 | 503), "{tool} was allowed: {status} {text}");
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends tokens and bodies that the server must refuse.
    fn hostile(&self) {
        let client = Client::new(&self.server.url());
        let good = self.token("eve", "todo:read");
        let forged = self.provider.sign(
            &json!({ "sub": "root", "scope": "todo:write admin:access" }),
            Algorithm::RS256,
            "rsa",
            &keys().other_rsa,
        );
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_todo","arguments":{"title":"WRONG"}}}"#;
        let huge = format!("[{}]", "[".repeat(50_000));
        for turn in 0_usize.. {
            if !self.goes_on() {
                return;
            }
            let (token, body) = match turn % 6 {
                0 => (forged.clone(), call),
                1 => (format!("{good}x"), call),
                2 => (good.clone(), call),
                3 => (good.clone(), huge.as_str()),
                4 => (format!("a.{turn}.c"), call),
                _ => (good.clone(), "{\"jsonrpc\":"),
            };
            if let Some((status, text)) = client.send(&token, body) {
                assert!(matches!(status, 400 | 401 | 403 | 503), "allowed: {status} {text}");
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Opens TCP connections that stop in the middle of a head, and drops them later.
    fn broken(&self) {
        let mut held = vec![];
        while self.goes_on() {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.server.port)) {
                let _ = stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Le");
                held.push(stream);
            }
            if held.len() > 200 {
                held.clear();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Replaces the policy by another good one, by a broken one, and by the first one again. Both
    /// good policies refuse the same calls of the test. In the second half they require records.
    fn reloading(&self, half: Duration) {
        let path = self.server.folder.path().join("policy.toml");
        let mut good = fs::read_to_string(&path).unwrap();
        let begin = Instant::now();
        for turn in 0_usize.. {
            if !self.goes_on() {
                break;
            }
            if begin.elapsed() > half && !self.is_required.load(Ordering::Relaxed) {
                good = good.replace("[scopes]", "audit = \"required\"\n\n[scopes]");
                fs::write(&path, &good).unwrap();
                self.server.wait_for_policy(&good);
                self.is_required.store(true, Ordering::Relaxed);
            }
            let text = match turn % 3 {
                0 => good.replace("delete_todo = { write = \"todo\" }", STRICTER),
                1 => good.replace("[tools]", "[tolls]"),
                _ => good.clone(),
            };
            fs::write(&path, text).unwrap();
            thread::sleep(Duration::from_millis(700));
        }
        fs::write(&path, good).unwrap();
    }

    /// Lets the provider fail and recover, with other keys.
    fn provider(&self) {
        for mode in
            [Mode::Rotated, Mode::Down, Mode::Good, Mode::Status(500), Mode::Broken].iter().cycle()
        {
            if !self.goes_on() {
                break;
            }
            self.provider.set(*mode);
            thread::sleep(Duration::from_secs(3));
        }
        self.provider.set(Mode::Good);
    }

    /// Fills the disk, and frees it again.
    fn filling(&self, disk: &Disk) {
        while self.goes_on() {
            thread::sleep(Duration::from_secs(4));
            disk.fill();
            thread::sleep(Duration::from_secs(2));
            disk.make_room();
        }
    }

    /// The resident memory of the server, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.process_id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, from the start to the recovery")]
fn load_and_faults_together() {
    let length = Duration::from_secs(setting("SOAK_SECONDS", 20));
    let provider = Provider::start();
    let policy = POLICY.replace("\"embedded\"", "\"scalekit\"");
    let settings = [
        &provider.settings()[..],
        &[("AUDIT_SIZE", "4"), ("AUDIT_KEPT", "2"), ("RUST_LOG", "warn,rmcp=error")],
    ]
    .concat();
    let mut server = Server::prepare(&policy, &settings);
    let disk = Disk::mount(server.folder.path().join("data"), "96m");
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert!(pull.status.success(), "{pull:?}");
    server.launch();
    let world = World {
        server: &server,
        provider: &provider,
        is_over: Arc::default(),
        is_required: AtomicBool::new(false),
        calls: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        sent: AtomicU64::new(0),
        answered: AtomicU64::new(0),
        acknowledged: Mutex::default(),
        records: Mutex::default(),
        taken_away: AtomicU64::new(0),
    };
    let (mut early, mut late) = (0, 0);
    thread::scope(|scope| {
        let world = &world;
        for number in 0..HONEST {
            world.take_part(scope, move || world.honest(number));
        }
        for _ in 0..2 {
            world.take_part(scope, move || world.hostile());
        }
        world.take_part(scope, move || world.broken());
        for last in [66, 67] {
            world.take_part(scope, move || world.flood(last));
        }
        world.take_part(scope, move || world.recording());
        world.take_part(scope, move || world.taking_away());
        world.take_part(scope, move || world.reloading(length / 2));
        world.take_part(scope, move || world.provider());
        if let Some(disk) = &disk {
            world.take_part(scope, move || world.filling(disk));
        }
        let begin = Instant::now();
        while world.goes_on() && begin.elapsed() < length {
            thread::sleep(Duration::from_millis(500));
            let now = world.memory();
            if begin.elapsed() < length / 3 { early = early.max(now) } else { late = late.max(now) }
        }
        world.is_over.store(true, Ordering::Relaxed);
    });
    let _ = fs::remove_file(server.folder.path().join("data/filler"));

    // The server recovers by itself, within 90 seconds.
    let begin = Instant::now();
    let is_well = || {
        let health = server.monitor("/health").json;
        health["status"] == "ok" && health["audit"]["pending_bytes"] == 0
    };
    while !is_well() {
        let health = server.monitor("/health").json;
        assert!(begin.elapsed() < Duration::from_secs(90), "{health:#}\n{}", server.log());
        thread::sleep(Duration::from_millis(200));
    }
    let mut records = world.records.lock().unwrap();
    records.read(&server.folder.path().join("data"));
    let client = Client::new(&server.url());
    let acknowledged = world.acknowledged.lock().unwrap();
    let mut recorded = 0;
    for number in 0..HONEST {
        let subject = format!("user-{number}{REQUIRED}");
        let known = acknowledged.iter().filter(|(one, _)| *one == subject).count();
        let on_record = records.created.get(&subject).copied().unwrap_or(0);
        assert!(on_record >= known, "{subject}: {known} calls were answered, {on_record} recorded");
        recorded += known;
    }
    for (subject, id) in acknowledged.iter() {
        let token = world.token(subject, "todo:read");
        let (status, text) = client.call(&token, "get_todo", &json!({ "id": id })).unwrap();
        assert!(status == 200 && text.contains(id.as_str()), "{id} is lost: {status} {text}");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
    let verify = server.command().args(["audit", "verify"]).output().unwrap();
    assert!(verify.status.success(), "{}", stderr(&verify));
    let (sent, answered) =
        (world.sent.load(Ordering::Relaxed), world.answered.load(Ordering::Relaxed));
    println!(
        "{sent} honest calls, {answered} answered; {} records read, the file taken away {} times, and {} \
         calls that required their record have it",
        records.lines,
        world.taken_away.load(Ordering::Relaxed),
        recorded
    );
    println!(
        "{} s: {} turns, {} refusals, {} todos acknowledged and none lost, {} … {} KiB, disk {}",
        length.as_secs(),
        world.calls.load(Ordering::Relaxed),
        world.refused.load(Ordering::Relaxed),
        acknowledged.len(),
        early,
        late,
        if disk.is_some() { "filled" } else { "not filled: nothing can be mounted here" },
    );
    assert!(acknowledged.len() > 10, "too little was written to show anything");
    assert!(recorded > 0, "no call required its record");
    assert!(answered * 100 >= sent * 99, "{answered} of {sent} honest calls were answered");
    // The memory must stay flat after the first third of the time, because the pools are full by
    // then.
    if length > Duration::from_mins(5) {
        assert!(late < early * 5 / 4 + 16 * 1024, "memory grows: {early} … {late} KiB");
    }
}

/// After each `kill -9`, the audit chain is unbroken. At the end, every acknowledged todo is there,
/// and the signing key is the same.
#[test]
fn kill_9_at_any_moment() {
    let rounds = setting("CRASH_ROUNDS", 10);
    let mut server = Server::start();
    let token = server.token("todo:write");
    let key = fs::read(server.folder.path().join("data/issuer-key.p8")).unwrap();
    let acknowledged = Mutex::new(Vec::<String>::new());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let client = Client::new(&server.url());
                    while !is_over.load(Ordering::Relaxed) {
                        let answer = client.call(&token, "create_todo", &json!({ "title": "x" }));
                        match created(answer) {
                            Some(id) => acknowledged.lock().unwrap().push(id),
                            None => thread::sleep(Duration::from_millis(5)),
                        }
                    }
                });
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
            thread::sleep(Duration::from_millis(20 + (seed >> 33) % 250));
            let id = server.process_id().to_string();
            assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
            is_over.store(true, Ordering::Relaxed);
        });
        server.kill();
        let verify = server.command().args(["audit", "verify"]).output().unwrap();
        assert!(verify.status.success(), "round {round}: {}", stderr(&verify));
        server.launch();
    }
    let acknowledged = acknowledged.lock().unwrap();
    let client = Client::new(&server.url());
    for id in acknowledged.iter() {
        let (status, text) = client.call(&token, "get_todo", &json!({ "id": id })).unwrap();
        assert!(status == 200 && text.contains(id.as_str()), "{id} is lost: {text}");
    }
    assert_eq!(fs::read(server.folder.path().join("data/issuer-key.p8")).unwrap(), key);
    assert!(acknowledged.len() as u64 > rounds, "too little was written to show anything");
    println!("{} acknowledged todos, none lost in {rounds} kills", acknowledged.len());
}
