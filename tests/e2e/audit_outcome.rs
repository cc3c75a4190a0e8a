//! What a record says of an allowed call: how it ended, how long it took, and by which rights.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rmcp::{
    Peer, RoleServer,
    model::{ErrorData, PromptMessage, Role},
};
use scopeward::{Guarded, Mount, scoped_tools};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::{Reply, free_port, mcp_request, send},
    standin::Provider,
};

struct Ends;

#[scoped_tools]
impl Ends {
    /// Answers.
    #[scoped_tool(scopes = ["a:read"])]
    async fn answers(&self) -> String {
        "answer".to_owned()
    }

    /// Fails as a tool does.
    #[scoped_tool(scopes = ["a:read"])]
    async fn fails(&self) -> Result<String, String> {
        Err("no".to_owned())
    }

    /// Fails with a protocol error.
    #[scoped_tool(scopes = ["a:read"])]
    async fn errs(&self) -> Result<String, ErrorData> {
        Err(ErrorData::internal_error("no", None))
    }

    /// Panics.
    #[scoped_tool(scopes = ["a:read"])]
    async fn panics(&self) -> String {
        panic!("a tool that panics")
    }

    /// Takes its time.
    #[scoped_tool(scopes = ["a:read"])]
    async fn waits(&self) -> String {
        tokio::time::sleep(Duration::from_millis(400)).await;
        "waited".to_owned()
    }

    /// Takes its time, and goes through rmcp's transport.
    #[scoped_tool(scopes = ["a:read"])]
    async fn waits_with_peer(&self, _peer: Peer<RoleServer>) -> String {
        tokio::time::sleep(Duration::from_millis(400)).await;
        "waited".to_owned()
    }

    /// Answers through rmcp's transport.
    #[scoped_tool(scopes = ["a:read"])]
    async fn answers_with_peer(&self, _peer: Peer<RoleServer>) -> String {
        "answer".to_owned()
    }

    /// Says hello.
    #[scoped_prompt(scopes = ["a:read"])]
    fn hello(&self) -> Vec<PromptMessage> {
        vec![PromptMessage::new_text(Role::User, "hello")]
    }

    /// A note.
    #[scoped_resource(uri = "note://one", scopes = ["a:read"])]
    fn note(&self) -> String {
        "a note".to_owned()
    }
}

/// The program with the tools above.
struct Program {
    folder: TempDir,
    port: u16,
    provider: Provider,
    _guarded: Guarded,
    _runtime: tokio::runtime::Runtime,
}

impl Program {
    fn start(audit: &str) -> Self {
        let provider = Provider::start();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let all = ["answers", "fails", "errs", "panics", "waits", "waits_with_peer"];
        let all = all.iter().map(|tool| format!("{tool} = {{ read = \"a\" }}\n"));
        let policy = format!(
            "version = 1\n[server]\nurl = \"http://localhost:{port}/mcp\"\nprovider = \"keycloak\"\n\
             registered = [\"a:read\", \"a:write\"]\naudit = \"{audit}\"\n\
             [scopes]\n\"a:read\" = \"Read\"\n\"a:write\" = \"Write\"\n[prompts]\n\
             hello = {{ read = \"a\" }}\n[resources]\n\"note://one\" = {{ read = \"a\" }}\n[tools]\n{}\
             [tools.answers_with_peer]\nread = \"a\"\n\
             [[tools.answers_with_peer.when]]\nif = \"claims.sub == 'ada'\"\nall_of = [\"a:read\"]\n\
             [[tools.answers_with_peer.when]]\nif = \"claims.sub == 'eve'\"\nall_of = [\"a:write\"]\n",
            all.collect::<String>()
        );
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let issuer = provider.url.clone();
        let guarded = runtime.block_on(async {
            let mount = Mount::from_env().unwrap();
            let mount = mount
                .policy(folder.path().join("policy.toml"))
                .data(folder.path().join("data"))
                .settings(move |name| (name == "ISSUER_URL").then(|| issuer.clone()))
                .audit();
            let guarded = mount.open(Ends).await.unwrap();
            let app = guarded.router();
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await });
            guarded
        });
        Self { folder, port, provider, _guarded: guarded, _runtime: runtime }
    }

    fn token(&self, more: &Value) -> String {
        let mut claims = json!({ "iss": self.provider.url, "azp": "c", "typ": "Bearer", "sub": "ada",
            "aud": format!("http://localhost:{}/mcp", self.port), "scope": "a:read other:scope" });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.provider.token(&claims)
    }

    fn send(&self, token: &str, method: &str, params: &Value) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = mcp_request(&format!("http://localhost:{}/mcp", self.port))
            .header("authorization", format!("Bearer {token}"));
        send(request.body(body.to_string()).unwrap())
    }

    fn call(&self, token: &str, tool: &str) -> Reply {
        self.send(token, "tools/call", &json!({ "name": tool, "arguments": {} }))
    }

    /// Sends a call, and hangs up after 150 ms.
    fn hang_up(&self, token: &str, tool: &str) {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": {} } })
        .to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        assert!(stream.read(&mut [0; 1]).is_err(), "the call still runs");
    }

    /// The records, once the condition holds.
    fn records(&self, is_whole: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let path = self.folder.path().join("data/audit.jsonl");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let text = fs::read_to_string(&path).unwrap();
            let all: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if is_whole(&all) {
                return all;
            }
            assert!(Instant::now() < deadline, "{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The outcomes of all calls, by tool, once there are `count`.
    fn outcomes(&self, count: usize) -> Vec<(Value, Value)> {
        let has = |all: &[Value]| all.iter().filter(|one| one["outcome"].is_string()).count();
        let all = self.records(|all| has(all) >= count);
        let ended = all.iter().filter(|one| one["outcome"].is_string());
        let used = |one: &Value| {
            ["tool", "prompt", "resource"]
                .map(|name| one[name].clone())
                .into_iter()
                .find(Value::is_string)
        };
        ended.map(|one| (used(one).unwrap(), one["outcome"].clone())).collect()
    }
}

fn each_end_is_recorded(program: &Program) {
    let token = program.token(&json!({}));
    for tool in ["answers", "fails", "errs", "panics", "answers_with_peer"] {
        program.call(&token, tool);
    }
    program.send(&token, "prompts/get", &json!({ "name": "hello" }));
    program.send(&token, "resources/read", &json!({ "uri": "note://one" }));
    let mut outcomes = program.outcomes(7);
    outcomes.sort_by_key(|(used, _)| used.to_string());
    let expected = [
        ("answers", "ok"),
        ("answers_with_peer", "ok"),
        ("errs", "error"),
        ("fails", "tool_error"),
        ("hello", "ok"),
        ("note://one", "ok"),
        ("panics", "error"),
    ];
    assert_eq!(outcomes, expected.map(|(used, outcome)| (json!(used), json!(outcome))));
}

#[test]
fn each_call_has_one_record_with_its_outcome_and_its_time() {
    let program = Program::start("best_effort");
    each_end_is_recorded(&program);
    let all = program.records(|all| all.len() >= 7);
    assert_eq!(all.len(), 7, "{all:#?}");
    for one in &all {
        assert_eq!(one["decision"], "allow", "{one:#}");
        assert!(one["took_micros"].is_u64() && one["call"].is_null(), "{one:#}");
    }
}

#[test]
fn a_call_that_must_be_recorded_first_has_a_second_record_that_names_it() {
    let program = Program::start("required");
    each_end_is_recorded(&program);
    let all = program.records(|all| all.len() >= 14);
    assert_eq!(all.len(), 14, "{all:#?}");
    let of =
        |decision: &str| all.iter().filter(|one| one["decision"] == decision).collect::<Vec<_>>();
    for ended in of("outcome") {
        let allowed = of("allow").into_iter().find(|one| one["call"] == ended["call"]).unwrap();
        assert!(allowed["call"].is_string() && allowed["outcome"].is_null(), "{allowed:#}");
        assert!(allowed["number"].as_u64() < ended["number"].as_u64(), "{ended:#}");
        for member in ["tool", "prompt", "resource", "subject"] {
            assert_eq!(allowed[member], ended[member], "{ended:#}");
        }
    }
}

/// A call that takes long leaves a trace while it runs, so that one during which the process dies has
/// one too.
#[test]
fn a_long_call_is_recorded_while_it_runs() {
    let program = Program::start("best_effort");
    let token = program.token(&json!({}));
    thread::scope(|scope| {
        scope.spawn(|| program.call(&token, "waits"));
        let running = program.records(|all| !all.is_empty());
        assert_eq!((&running[0]["decision"], running.len()), (&json!("allow"), 1));
        assert!(running[0]["outcome"].is_null(), "{running:#?}");
    });
    let all = program.records(|all| all.len() >= 2);
    assert_eq!((&all[1]["decision"], &all[1]["outcome"]), (&json!("outcome"), &json!("ok")));
    assert_eq!(all[0]["call"], all[1]["call"]);
    assert!(all[1]["took_micros"].as_u64().unwrap() >= 400_000, "{:#}", all[1]);
}

#[test]
fn a_call_whose_caller_hangs_up_is_abandoned() {
    for audit in ["best_effort", "required"] {
        let program = Program::start(audit);
        let token = program.token(&json!({}));
        program.hang_up(&token, "waits");
        program.hang_up(&token, "waits_with_peer");
        let outcomes = program.outcomes(2);
        assert!(outcomes.iter().all(|(_, outcome)| outcome == "abandoned"), "{outcomes:?}");
        let all = program.records(|all| !all.is_empty());
        let waits = |one: &&Value| one["tool"] == "waits" && one["outcome"].is_string();
        assert_eq!(all.iter().find(waits).unwrap()["ended"], "ok", "it ran to its end");
    }
}

/// RFC 8693, section 4.1: the actors of a token; and what the policy knew of the caller and the call.
#[test]
fn a_record_names_scopes_conditions_and_actors() {
    let program = Program::start("best_effort");
    let mut actor = json!({ "sub": "service-0" });
    for number in 1..20 {
        actor = json!({ "sub": format!("service-{number}"), "iss": "x".repeat(300), "act": actor });
    }
    let token = program.token(&json!({ "act": actor }));
    program.call(&token, "answers_with_peer");
    program.call(&program.token(&json!({ "sub": "eve" })), "answers_with_peer");
    let all = program.records(|all| all.len() >= 2);
    assert_eq!(all[0]["scopes"], "a:read", "only what the policy knows");
    let text = fs::read_to_string(program.folder.path().join("policy.toml")).unwrap();
    let place = |nth: usize| {
        let mut lines = (1..).zip(text.lines());
        let (line, _) =
            lines.by_ref().filter(|(_, line)| line.starts_with("[[tools")).nth(nth).unwrap();
        format!("policy.toml:{}:6", line + 1)
    };
    assert!(all[0]["conditions"].as_str().unwrap().ends_with(&place(0)), "{:#}", all[0]);
    let actors = all[0]["act"].as_array().unwrap();
    assert_eq!((actors.len(), &actors[0]["sub"]), (8, &json!("service-19")), "{:#}", all[0]);
    assert_eq!(actors[0]["iss"].as_str().unwrap().len(), 256);
    assert_eq!(all[1]["decision"], "deny");
    assert!(all[1]["conditions"].as_str().unwrap().ends_with(&place(1)), "{:#}", all[1]);
    assert!(all[1]["act"].is_null(), "{:#}", all[1]);
}
