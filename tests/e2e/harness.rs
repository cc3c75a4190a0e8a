//! Starts the todo server in a separate folder, and sends HTTP requests to it.

use std::{
    fs::{self, File},
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{LazyLock, OnceLock},
    thread,
    time::{Duration, Instant},
};

use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use scopeward::{
    Registry,
    policy::{CheckedPolicy, agreement, diagnostic::Source},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http;

use crate::standin::{self, Provider};

/// The policy that the repository ships.
pub(crate) const SHIPPED: &str = include_str!("../../policy.toml");

/// The shipped policy with `on_denied = "challenge"`, so that a repeated refusal does not change.
/// In front of Scalekit, its provider is `scalekit`.
pub(crate) static POLICY: LazyLock<&str> = LazyLock::new(|| {
    let mut policy = SHIPPED.replace("\"adaptive\"", "\"challenge\"");
    if crate::IN_FRONT_OF_SCALEKIT {
        policy = policy.replace("\"embedded\"", "\"scalekit\"");
    }
    policy.leak()
});

/// The provider of the tests that run in front of Scalekit.
static SCALEKIT: LazyLock<Provider> = LazyLock::new(Provider::start);

pub(crate) fn scalekit() -> &'static Provider {
    &SCALEKIT
}

/// The path of the todo binary, which is built once, in the profile of the tests.
pub(crate) fn todo() -> &'static Path {
    static TODO: OnceLock<PathBuf> = OnceLock::new();
    TODO.get_or_init(|| {
        let folder = std::env::current_exe().unwrap();
        let folder = folder.parent().and_then(Path::parent).unwrap();
        let mut build = Command::new(env!("CARGO"));
        // Of the whole workspace, so that Cargo takes what it has built for the tests.
        build.args(["build", "--quiet", "--workspace", "--bin", "todo"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the todo server does not build");
        folder.join("todo")
    })
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A todo server. Dropping the value kills the server.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    /// The port of `/health` and `/metrics`.
    pub(crate) monitor: u16,
    child: Option<Child>,
    variables: Vec<(String, String)>,
}

impl Server {
    /// Starts a server with [`POLICY`].
    pub(crate) fn start() -> Self {
        Self::with_policy(&POLICY)
    }

    pub(crate) fn with_policy(policy: &str) -> Self {
        Self::with_settings(policy, &[])
    }

    /// Starts a server with a policy and further environment variables.
    pub(crate) fn with_settings(policy: &str, variables: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(policy, variables);
        // Tries again, because another process may have taken the port that was free.
        for _ in 0..3 {
            if server.try_launch() {
                return server;
            }
            server.port = free_port();
            server.monitor = free_port();
        }
        panic!("no start:\n{}", server.log());
    }

    /// Prepares a folder and ports, without starting the server.
    pub(crate) fn prepare(policy: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.toml"), policy).unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(owned).collect();
        let [port, monitor] = [free_port(), free_port()];
        Self { folder, port, monitor, child: None, variables }
    }

    /// Sets an environment variable for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// All todos of a caller, page by page.
    pub(crate) fn todos(&self, token: &str) -> Vec<Value> {
        let (mut todos, mut after) = (vec![], Value::Null);
        loop {
            let page = self.call(token, "list_todos", &json!({ "after": after })).result().clone();
            todos.extend(page["todos"].as_array().unwrap().iter().cloned());
            after = page["next"].clone();
            if after.is_null() {
                return todos;
            }
        }
    }

    /// Starts the process again after [`kill`](Self::kill), on the same data.
    pub(crate) fn launch(&mut self) {
        assert!(self.try_launch(), "no start:\n{}", self.log());
    }

    /// Starts the process. Returns `false` if the port was taken, and panics on any other failure.
    fn try_launch(&mut self) -> bool {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let mut child = self
            .command()
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(self.log().contains("cannot listen"), "{status}:\n{}", self.log());
                return false;
            }
            if self.log().contains("guarded by Scopeward") {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < deadline, "no start:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The command that runs the binary in this server's folder and environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(self.folder.path());
        command.env("PORT", self.port.to_string());
        command.env("MONITOR", format!("127.0.0.1:{}", self.monitor));
        // No rate limits, because one caller at one address makes all requests of a test.
        command.env("RATE_PER_CALLER", "0").env("RATE_PER_ADDRESS", "0");
        if crate::IN_FRONT_OF_SCALEKIT {
            // The `.env` of Scalekit's guide for its todo server (docs.scalekit.com, "FastMCP
            // quickstart"): the URL of the server has a slash at its end and no path.
            command.envs(SCALEKIT.settings()).env("SCALEKIT_CLIENT_ID", "skc_1");
            command.env("SCALEKIT_CLIENT_SECRET", standin::SECRET);
            command.env("MCP_URL", format!("http://localhost:{}/", self.port));
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Kills the process, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal, and waits for the process to end.
    pub(crate) fn stop(&mut self, signal: &str) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        child.wait().unwrap()
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.take().unwrap().wait().unwrap()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The output and the log of the server.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.origin())
    }

    /// A token for Ada with these scopes, from `todo token` or from the provider.
    pub(crate) fn token(&self, scope: &str) -> String {
        self.token_for("ada", scope)
    }

    pub(crate) fn token_for(&self, subject: &str, scope: &str) -> String {
        if crate::IN_FRONT_OF_SCALEKIT {
            return SCALEKIT.token(&json!({ "sub": subject, "scope": scope }));
        }
        let output = self
            .command()
            .args(["token", "--subject", subject, "--scope", scope])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Sends a JSON-RPC request to the MCP endpoint.
    pub(crate) fn rpc(&self, token: &str, method: &str, params: &Value) -> Reply {
        self.post(token, &json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
    }

    pub(crate) fn call(&self, token: &str, tool: &str, arguments: &Value) -> Reply {
        self.rpc(token, "tools/call", &json!({ "name": tool, "arguments": arguments }))
    }

    pub(crate) fn post(&self, token: &str, message: &Value) -> Reply {
        self.post_with(&[("authorization", &format!("Bearer {token}"))], &message.to_string())
    }

    pub(crate) fn post_with(&self, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = mcp_request(&self.url());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(body.to_owned()).unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        get(&format!("{}{path}", self.origin()), &[])
    }

    /// Sends a GET to the monitor, which has `/health` and `/metrics`.
    pub(crate) fn monitor(&self, path: &str) -> Reply {
        get(&format!("http://127.0.0.1:{}{path}", self.monitor), &[])
    }

    /// The names of the tools that are listed for this caller.
    pub(crate) fn tools(&self, token: &str) -> Vec<String> {
        let reply = self.rpc(token, "tools/list", &json!({}));
        let tools = reply.json["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The command that runs the binary in `folder`, without the environment variables that the binary
/// would read.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(todo());
    command.current_dir(folder).env("RUST_LOG", "info");
    for name in ["PORT", "MCP_URL", "DATABASE_URL", "SCOPEWARD_POLICY", "SCOPEWARD_DATA", "CARGO"] {
        command.env_remove(name);
    }
    command
}

/// Runs the binary to its end with this policy.
pub(crate) fn run(policy: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let port = free_port().to_string();
    command(folder.path()).args(arguments).env("PORT", port).env("MONITOR", "off").output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A small disk in memory, if this user may mount one.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn mount(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"]).arg(&at);
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        if let Ok(mut file) = File::create(self.0.join("filler")) {
            let zeros = vec![0; 64 * 1024];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    pub(crate) fn make_room(&self) {
        let _ = fs::remove_file(self.0.join("filler"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// An HTTP response with its whole body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
    /// The body as JSON, or `Null` when the body is not JSON.
    pub(crate) json: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A parameter of the `WWW-Authenticate` challenge.
    pub(crate) fn challenge(&self, parameter: &str) -> Option<&str> {
        let (_, rest) = self.header("www-authenticate").split_once(&format!("{parameter}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    /// The structured result of a tool call that succeeded.
    pub(crate) fn result(&self) -> &Value {
        let result = &self.json["result"];
        assert!(self.status == 200 && result["isError"] == false, "{self:#?}");
        &result["structuredContent"]
    }
}

pub(crate) fn mcp_request(url: &str) -> http::request::Builder {
    http::Request::post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
}

pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = http::Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(String::new()).unwrap())
}

pub(crate) fn post_form(url: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request =
        http::Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(body).unwrap())
}

pub(crate) fn send(request: http::Request<String>) -> Reply {
    static AGENT: OnceLock<ureq::Agent> = OnceLock::new();
    let agent = AGENT.get_or_init(|| {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .allow_non_standard_methods(true)
            .build()
            .into()
    });
    let (parts, mut body) = agent.run(request).unwrap().into_parts();
    let text = body.with_config().limit(64 * 1024 * 1024).read_to_string().unwrap();
    Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        json: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

/// A policy with the scopes `a:read` and `a:write` for this URL. `rules` are the tables of its
/// rules.
pub(crate) fn small_policy(url: &str, rules: &str, registry: &Registry) -> CheckedPolicy {
    let text = format!(
        "version = 1\n[server]\nurl = \"{url}\"\non_denied = \"challenge\"\n\
         [scopes]\n\"a:read\" = \"Read\"\n\"a:write\" = \"Write\"\n{rules}"
    );
    agreement::check(&Source::new("policy.toml", text), registry, None).unwrap()
}

/// Serves a router on a free port until the tests end, and returns its origin.
pub(crate) fn serve(router: impl FnOnce(String) -> axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let router = router(origin.clone());
    thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    origin
}

/// Serves an MCP service at `/mcp` on a free port until the tests end, and returns its URL.
pub(crate) fn mount<S>(service: S) -> String
where
    S: tower::Service<axum::extract::Request, Error = std::convert::Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Response: axum::response::IntoResponse,
    S::Future: Send + 'static,
{
    serve(|_| axum::Router::new().route_service("/mcp", service)) + "/mcp"
}

/// rmcp's own stateless HTTP service for a handler.
pub(crate) fn http_service<H: rmcp::ServerHandler>(
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> StreamableHttpService<H, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let sessions = std::sync::Arc::new(NeverSessionManager::default());
    StreamableHttpService::new(move || Ok(handler()), sessions, config)
}
