//! Resources whose rules overlap, subscriptions, sessions and tasks: no spelling of a URI gets round
//! the narrower rule, and no caller takes more than its share.

use std::{
    fs,
    io::{BufRead, BufReader},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rmcp::{
    ErrorData,
    handler::server::wrapper::Parameters,
    model::{CallToolResponse, CallToolResult, ContentBlock},
    schemars,
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions},
};
use scopeward::{
    Guarded, Limits, Mount,
    mcp::{Tasks, Updates},
    scoped_tools,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::{Reply, free_port, mcp_request, send},
    standin::Provider,
};

/// What the tools did.
#[derive(Debug, Default)]
struct Counts {
    started: AtomicUsize,
    stopped: AtomicUsize,
}

struct Tools(Arc<Counts>);

#[derive(Deserialize, schemars::JsonSchema)]
struct Id {
    id: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Pair {
    kind: String,
    id: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Within {
    path: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Changed {
    uri: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Work {
    secret: bool,
}

#[scoped_tools]
impl Tools {
    /// A secret note.
    #[scoped_resource(uri = "note://items/top-secret", scopes = ["r:pub"])]
    fn secret_note(&self) -> &'static str {
        "the secret"
    }

    /// A note.
    #[scoped_resource(uri = "note://items/{id}", scopes = ["r:pub"])]
    fn note(&self, Parameters(Id { id }): Parameters<Id>) -> String {
        format!("note {id}")
    }

    /// The codes.
    #[scoped_resource(uri = "db://secret/launch", scopes = ["r:pub"])]
    fn launch(&self) -> &'static str {
        "the secret"
    }

    /// A row.
    #[scoped_resource(uri = "db://{kind}/{id}", scopes = ["r:pub"])]
    fn row(&self, Parameters(Pair { kind, id }): Parameters<Pair>) -> String {
        format!("row {kind} {id}")
    }

    /// A key.
    #[scoped_resource(uri = "file:///pub/keys/root.pem", scopes = ["r:pub"])]
    fn key(&self) -> &'static str {
        "the secret"
    }

    /// A file.
    #[scoped_resource(uri = "file:///pub/{+path}", scopes = ["r:pub"])]
    fn file(&self, Parameters(Within { path }): Parameters<Within>) -> String {
        format!("file {path}")
    }

    /// Says that a resource has changed.
    #[scoped_tool(scopes = ["r:pub"])]
    fn touch(&self, updates: Updates, Parameters(Changed { uri }): Parameters<Changed>) -> String {
        updates.resource(uri);
        "touched".to_owned()
    }

    /// Works until it is told to stop.
    #[scoped_tool(scopes = ["r:pub"])]
    async fn work(
        &self,
        tasks: Tasks,
        Parameters(Work { secret }): Parameters<Work>,
    ) -> Result<CallToolResponse, ErrorData> {
        let counts = Arc::clone(&self.0);
        let work = move |context: TaskContext| -> TaskFuture {
            Box::pin(async move {
                counts.started.fetch_add(1, Ordering::SeqCst);
                if secret {
                    return Ok(CallToolResult::success(vec![ContentBlock::text("the secret")]));
                }
                context.cancelled().await;
                counts.stopped.fetch_add(1, Ordering::SeqCst);
                Err(TaskExit::Cancelled)
            })
        };
        tasks.spawn_or_wait(TaskOptions::new(), work).await
    }
}

const RULES: &str = r#"
[scopes]
"r:pub" = "Read what is public"
"r:sec" = "Read what is secret"
[resources]
"note://items/top-secret" = { all_of = ["r:pub", "r:sec"] }
"note://items/{id}" = { all_of = ["r:pub"] }
"db://secret/launch" = { all_of = ["r:pub", "r:sec"] }
"db://{kind}/{id}" = { all_of = ["r:pub"] }
"file:///pub/keys/root.pem" = { all_of = ["r:pub", "r:sec"] }
"file:///pub/{+path}" = { all_of = ["r:pub"] }
[tools]
touch = { all_of = ["r:pub"] }
[tools.work]
all_of = ["r:pub"]
[[tools.work.when]]
if = "args.secret"
all_of = ["r:sec"]
"#;

/// A program that serves the tools, and runs until the test ends.
pub(crate) struct Vault {
    folder: TempDir,
    url: String,
    keycloak: Provider,
    counts: Arc<Counts>,
    _guarded: Guarded,
    _runtime: tokio::runtime::Runtime,
}

impl Vault {
    fn start(has_sessions: bool, set: impl FnOnce(&mut Limits)) -> Self {
        let keycloak = Provider::start();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let url = format!("http://localhost:{port}/mcp");
        let text = format!(
            "version = 1\n[server]\nurl = \"{url}\"\nprovider = \"keycloak\"\n\
             on_denied = \"challenge\"\nregistered = [\"r:pub\", \"r:sec\"]\n{RULES}"
        );
        fs::write(folder.path().join("policy.toml"), text).unwrap();
        // No rate limit, because one or two callers make all requests of a test.
        let mut limits = Limits::default();
        limits.rate_per_caller = 0;
        set(&mut limits);
        let counts = Arc::new(Counts::default());
        let tools = Tools(Arc::clone(&counts));
        let issuer = keycloak.url.clone();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut mount = Mount::from_env()
            .unwrap()
            .policy(folder.path().join("policy.toml"))
            .data(folder.path().join("data"))
            .settings(move |name| (name == "ISSUER_URL").then(|| issuer.clone()))
            .limits(limits)
            .audit()
            .reload()
            .revocations();
        if has_sessions {
            mount = mount.sessions();
        }
        let guarded = runtime.block_on(async {
            let guarded = mount.open(tools).await.unwrap();
            let app = guarded.router();
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await });
            guarded
        });
        Self { folder, url, keycloak, counts, _guarded: guarded, _runtime: runtime }
    }

    /// One program for all tests that only read.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Vault> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false, |_| {}))
    }

    pub(crate) fn token(&self, subject: &str, client: &str, scope: &str) -> String {
        self.keycloak.token(&json!({ "iss": self.keycloak.url, "aud": self.url, "azp": client,
            "client_id": client, "typ": "Bearer", "scope": scope, "sub": subject }))
    }

    fn post(&self, token: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let mut request = mcp_request(&self.url).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(body.to_string()).unwrap())
    }

    /// Sends a request of revision 2025-11-25 without a session.
    pub(crate) fn rpc(&self, token: &str, method: &str, params: &Value) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.post(token, &[("mcp-protocol-version", "2025-11-25")], &body)
    }

    /// A request of revision 2026-07-28, of a client that knows tasks or does not.
    fn newest(method: &str, params: &Value, knows_tasks: bool) -> Value {
        let extensions = if knows_tasks {
            json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } })
        } else {
            json!({})
        };
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": extensions,
        });
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
    }

    fn task_rpc(&self, token: &str, method: &str, name: &str, params: &Value) -> Reply {
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)];
        self.post(token, &headers, &Self::newest(method, params, true))
    }

    fn task(&self, token: &str, secret: bool) -> Reply {
        let params = json!({ "name": "work", "arguments": { "secret": secret } });
        self.task_rpc(token, "tools/call", "work", &params)
    }

    /// Opens a stream of changes.
    fn listen(&self, token: &str, uris: &[String]) -> http::Response<ureq::Body> {
        let params = json!({ "notifications": { "resourceSubscriptions": uris } });
        let body = Self::newest("subscriptions/listen", &params, false);
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "subscriptions/listen")
            .header("authorization", format!("Bearer {token}"))
            .send(body.to_string())
            .unwrap()
    }

    fn touch(&self, token: &str, uri: &str) {
        let params = json!({ "name": "touch", "arguments": { "uri": uri } });
        assert_eq!(self.rpc(token, "tools/call", &params).status, 200);
    }

    /// The audit records of resources, once there are `count` records of the tool `touch`, which
    /// comes last.
    fn resource_records(&self, token: &str) -> Vec<Value> {
        self.touch(token, "note://items/none");
        let path = self.folder.path().join("data/audit.jsonl");
        let read = || -> Vec<Value> {
            let text = fs::read_to_string(&path).unwrap_or_default();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        within_five_seconds(|| read().iter().any(|record| record["tool"] == "touch"));
        read().into_iter().filter(|record| record["resource"].is_string()).collect()
    }
}

fn within_five_seconds(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "not within five seconds");
        thread::sleep(Duration::from_millis(20));
    }
}

fn notes(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("note://items/n{number}")).collect()
}

/// The next notification of a changed resource.
fn told(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> String {
    let line = lines.map(Result::unwrap).find(|line| line.contains("resources/updated")).unwrap();
    let said: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
    said["params"]["uri"].as_str().unwrap().to_owned()
}

#[test]
fn a_listen_has_one_record_however_many_resources_it_names() {
    let vault = Vault::start(false, |_| {});
    let token = vault.token("ada", "c", "r:pub");
    let stream = vault.listen(&token, &notes(300));
    assert_eq!(stream.status(), 200);
    let mut uris = notes(300);
    uris.push("note://items/top%2Dsecret".to_owned());
    assert_eq!(vault.listen(&token, &uris).status(), 403);
    let mixed: Vec<String> =
        ["note://items/a", "db://a/b", "file:///pub/c"].map(str::to_owned).into();
    let other = vault.listen(&token, &mixed);
    assert_eq!(other.status(), 200);
    // A stream that goes on is recorded a moment after it has begun.
    within_five_seconds(|| vault.resource_records(&token).len() == 3);
    let records = vault.resource_records(&token);
    let mut said: Vec<_> = records
        .iter()
        .map(|one| (&one["decision"], &one["resource"], &one["also"], &one["resources"]))
        .collect();
    said.sort_by_key(|(decision, _, _, resources)| (decision.to_string(), resources.as_u64()));
    let (allow, deny, absent) = (json!("allow"), json!("deny"), Value::Null);
    let (note, secret) = (json!("note://items/{id}"), json!("note://items/top-secret"));
    let (also, many, three) = (json!("db://{kind}/{id} file:///pub/{+path}"), json!(300), json!(3));
    assert_eq!(
        said,
        [
            (&allow, &note, &also, &three),
            (&allow, &note, &absent, &many),
            (&deny, &secret, &absent, &absent)
        ]
    );
}

#[test]
fn a_stream_and_a_caller_have_a_number_of_subscriptions() {
    let vault = Vault::start(false, |limits| {
        limits.max_subscriptions = 10;
        limits.max_subscriptions_per_caller = 15;
    });
    let (ada, bob) = (vault.token("ada", "c", "r:pub"), vault.token("bob", "c", "r:pub"));
    // As many as a body holds.
    let refused = vault.listen(&ada, &notes(90_000));
    assert_eq!(refused.status(), 400);
    assert!(refused.into_body().read_to_string().unwrap().contains("at most 10 resources"));
    let first = vault.listen(&ada, &notes(10));
    assert_eq!(first.status(), 200);
    let second = vault.listen(&ada, &notes(10));
    assert_eq!(second.status(), 429);
    assert!(second.headers().contains_key("retry-after"));
    let few = vault.listen(&ada, &notes(5));
    assert_eq!(few.status(), 200, "up to the caller's number");
    let others = vault.listen(&bob, &notes(10));
    assert_eq!(others.status(), 200, "another caller has its own number");
    drop(first);
    within_five_seconds(|| vault.listen(&ada, &notes(10)).status() == 200);
}

#[test]
fn a_change_is_told_in_any_spelling_and_a_slow_listener_holds_up_nobody() {
    let vault = Vault::start(false, |_| {});
    let token = vault.token("ada", "c", "r:pub");
    let uris = vec!["note://ITEMS/a%2db".to_owned(), "note://items/last".to_owned()];
    // Nobody reads the answer of this one.
    let _slow = vault.listen(&token, &notes(400));
    let mut lines = BufReader::new(vault.listen(&token, &uris).into_body().into_reader()).lines();
    for number in 0..400 {
        vault.touch(&token, &format!("note://items/n{number}"));
    }
    vault.touch(&token, "NOTE://items/a-b");
    assert_eq!(told(&mut lines), "note://ITEMS/a%2db", "as the caller spelt it");
    vault.touch(&token, "note://items/other");
    vault.touch(&token, "note://items/l%61st");
    assert_eq!(told(&mut lines), "note://items/last");
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

#[test]
fn the_oldest_idle_session_of_a_caller_ends_first_and_nobody_elses() {
    let vault = Vault::start(true, |limits| limits.max_sessions_per_caller = 3);
    let (ada, bob) = (vault.token("ada", "c", "r:pub"), vault.token("bob", "c", "r:pub"));
    let begin = |token: &str| {
        let reply = vault.post(token, &[], &serde_json::from_str(INITIALIZE).unwrap());
        assert_eq!(reply.status, 200, "{reply:#?}");
        let session = reply.header("mcp-session-id").to_owned();
        let headers = [("mcp-session-id", &*session), ("mcp-protocol-version", "2025-11-25")];
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(vault.post(token, &headers, &ready).status, 202);
        session
    };
    let status = |token: &str, session: &str| {
        let headers = [("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")];
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        vault.post(token, &headers, &list).status
    };
    let bobs = begin(&bob);
    let [first, second, third] = [(); 3].map(|()| begin(&ada));
    assert_eq!(status(&ada, &first), 200, "now the second is the oldest");
    let fourth = begin(&ada);
    assert_eq!(
        [&first, &second, &third, &fourth].map(|session| status(&ada, session)),
        [200, 404, 200, 200]
    );
    for _ in 0..200 {
        begin(&ada);
    }
    assert_eq!((status(&ada, &first), status(&bob, &bobs)), (404, 200));
}

#[test]
fn a_task_needs_what_its_call_needed_with_its_arguments() {
    let vault = Vault::start(false, |_| {});
    let all = vault.token("ada", "c", "r:pub r:sec");
    let made = vault.task(&all, true);
    let task = made.json["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{made:#?}"));
    let asks = |token: &str, method: &str| {
        vault.task_rpc(token, method, task, &json!({ "taskId": task, "inputResponses": {} }))
    };
    let is_done = || asks(&all, "tasks/get").json["result"]["status"] == "completed";
    within_five_seconds(is_done);
    assert!(asks(&all, "tasks/get").text.contains("the secret"));
    let less = vault.token("ada", "c", "r:pub");
    let other = vault.token("ada", "another client", "r:pub r:sec");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let denied = asks(&less, method);
        assert_eq!((denied.status, denied.challenge("scope")), (403, Some("r:pub r:sec")));
        assert!(!denied.text.contains("the secret"));
        let foreign = asks(&other, method);
        assert_eq!(foreign.json["error"]["code"], -32602, "{method}: {foreign:#?}");
    }
    // The same under the policy of now.
    let path = vault.folder.path().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("if = \"args.secret\"", "if = \"!args.secret\"")).unwrap();
    within_five_seconds(|| asks(&less, "tasks/get").status == 200);
}

#[test]
fn a_task_is_told_to_stop_when_its_caller_is_revoked() {
    let vault = Vault::start(false, |_| {});
    let (ada, bob) = (vault.token("ada", "c", "r:pub"), vault.token("bob", "c", "r:pub"));
    for token in [&ada, &ada, &bob] {
        assert!(vault.task(token, false).json["result"]["taskId"].is_string());
    }
    within_five_seconds(|| vault.counts.started.load(Ordering::SeqCst) == 3);
    let revoked = "[[revoked]]\nsubject = \"ada\"\n";
    fs::write(vault.folder.path().join("data/revoked.toml"), revoked).unwrap();
    within_five_seconds(|| vault.counts.stopped.load(Ordering::SeqCst) == 2);
    assert_eq!(vault.task(&ada, false).status, 401);
}

#[test]
fn work_that_is_waited_for_is_told_to_stop_when_its_client_goes_away() {
    let vault = Vault::start(false, |_| {});
    let token = vault.token("ada", "c", "r:pub");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(500)))
        .build()
        .into();
    let params = json!({ "name": "work", "arguments": { "secret": false } });
    for (revision, headers) in [
        ("2025-11-25", vec![]),
        ("2026-07-28", vec![("mcp-method", "tools/call"), ("mcp-name", "work")]),
    ] {
        let body = if revision == "2026-07-28" {
            Vault::newest("tools/call", &params, false)
        } else {
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
        };
        let before = vault.counts.stopped.load(Ordering::SeqCst);
        let mut request = agent
            .post(&vault.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", revision)
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert!(request.send(body.to_string()).is_err(), "the client gives up");
        within_five_seconds(|| vault.counts.stopped.load(Ordering::SeqCst) == before + 1);
    }
}

#[test]
fn a_caller_has_a_number_of_tasks() {
    let vault = Vault::start(false, |limits| limits.max_tasks_per_caller = 2);
    let (ada, bob) = (vault.token("ada", "c", "r:pub r:sec"), vault.token("bob", "c", "r:pub"));
    let id = |made: &Reply| made.json["result"]["taskId"].as_str().map(str::to_owned);
    let running = id(&vault.task(&ada, false)).unwrap();
    let asks = |method: &str, task: &str| {
        vault.task_rpc(&ada, method, task, &json!({ "taskId": task, "inputResponses": {} }))
    };
    // Results are forgotten, the oldest first, and work that runs is not.
    let mut last = String::new();
    for _ in 0..20 {
        let made = vault.task(&ada, true);
        last = id(&made).unwrap_or_else(|| panic!("{made:#?}"));
        within_five_seconds(|| asks("tasks/get", &last).json["result"]["status"] == "completed");
    }
    assert_eq!(asks("tasks/get", &running).json["result"]["status"], "working");
    let second = id(&vault.task(&ada, false)).unwrap();
    assert_eq!(asks("tasks/get", &last).json["error"]["code"], -32602, "forgotten");
    let refused = vault.task(&ada, false);
    assert!(refused.text.contains("at most 2 tasks"), "{refused:#?}");
    assert!(id(&vault.task(&bob, false)).is_some(), "another caller has its own number");
    assert!(asks("tasks/cancel", &second).json["error"].is_null());
    within_five_seconds(|| id(&vault.task(&ada, false)).is_some());
}
