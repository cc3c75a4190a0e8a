//! The examples of the library, each started and called as a reader of them would.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::{Reply, free_port, get, mcp_request, send, stderr, stdout},
    standin::Provider,
};

/// The folder of the examples' binaries, which are built once.
fn binaries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::current_exe().unwrap();
        let folder = folder.parent().and_then(Path::parent).unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--examples"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "the examples do not build");
        folder.join("examples")
    })
}

/// An example that runs.
pub(crate) struct Example {
    name: &'static str,
    pub(crate) folder: TempDir,
    port: u16,
    pub(crate) monitor: u16,
    variables: Vec<(String, String)>,
    child: Option<Child>,
}

impl Example {
    pub(crate) fn prepare(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy =
            format!("{}/../scopeward/examples/{name}/policy.toml", env!("CARGO_MANIFEST_DIR"));
        fs::copy(policy, folder.path().join("policy.toml")).unwrap();
        let (port, monitor) = (free_port(), free_port());
        Self { name, folder, port, monitor, variables: vec![], child: None }
    }

    pub(crate) fn start(
        name: &'static str,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let mut example = Self::prepare(name);
        example.variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        example.launch(arguments);
        example
    }

    /// Starts the program, and waits until it listens.
    pub(crate) fn launch(&mut self, arguments: &[&str]) {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command();
        command.args(arguments).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "{} does not listen:\n{log}", self.name);
            thread::sleep(Duration::from_millis(30));
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binaries().join(self.name));
        command
            .current_dir(self.folder.path())
            .env("PORT", self.port.to_string())
            .env("MONITOR", format!("127.0.0.1:{}", self.monitor))
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// A token of the embedded issuer.
    pub(crate) fn token(&self, scope: &str) -> String {
        stdout(&self.output(&["token", "--scope", scope, "--subject", "ada"])).trim().to_owned()
    }

    pub(crate) fn ask(&self, token: &str, method: &str, params: &Value) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = mcp_request(&self.url("/mcp"));
        let request = request.header("authorization", format!("Bearer {token}"));
        send(request.body(body.to_string()).unwrap())
    }

    pub(crate) fn call(&self, token: &str, tool: &str, arguments: &Value) -> Reply {
        self.ask(token, "tools/call", &json!({ "name": tool, "arguments": arguments }))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn keycloak_token(provider: &Provider, url: &str, scope: &str) -> String {
    provider.token(&json!({ "iss": provider.url, "aud": url, "azp": "c", "typ": "Bearer",
        "scope": scope }))
}

#[test]
fn smallest() {
    let example = Example::start("smallest", &[], &[]);
    let reply = example.call(&example.token("greet:read"), "greet", &json!({}));
    assert_eq!(reply.json["result"]["content"][0]["text"], "Hello, ada!");
    assert_eq!(example.call("nothing", "greet", &json!({})).status, 401);
}

#[test]
fn arguments() {
    let example = Example::start("arguments", &[], &[]);
    let token = example.token("weight:read");
    let reply = example.call(&token, "to_pounds", &json!({ "kilograms": 1 }));
    assert_eq!(reply.json["result"]["structuredContent"]["pounds"], 2.204_622_6);
    let reply = example.call(&token, "to_pounds", &json!({ "kilograms": -1 }));
    assert!(reply.text.contains("-1 kg is no weight"), "{}", reply.text);
    let reply = example.call(&token, "to_pounds", &json!({ "pounds": 1 }));
    assert!(reply.text.contains("kilograms"), "{}", reply.text);
}

#[test]
fn mounted_with_keycloak() {
    let keycloak = Provider::start();
    let example = Example::start("keycloak", &[("ISSUER_URL", &keycloak.url)], &[]);
    assert_eq!(get(&example.url("/"), &[]).text, "A page of the program's own");
    assert_eq!(get(&example.url("/else"), &[]).text, "nothing here");
    let token = keycloak_token(&keycloak, &example.url("/mcp"), "profile:read");
    let reply = example.call(&token, "who_am_i", &json!({}));
    assert_eq!(reply.json["result"]["content"][0]["text"], "ada");
    let health = get(&format!("http://127.0.0.1:{}/health", example.monitor), &[]);
    assert_eq!(health.json["status"], "ok");
}

#[test]
fn own_provider() {
    let provider = Provider::start();
    let example = Example::start("own_provider", &[], &[&provider.url, "policy.toml"]);
    let token = |audience: &str| {
        provider.token(&json!({ "iss": provider.url, "aud": audience, "scope": "clock:read" }))
    };
    assert_eq!(example.call(&token("clock"), "now", &json!({})).status, 200);
    assert_eq!(example.call(&token("watch"), "now", &json!({})).status, 401);
}

#[test]
fn resources_and_prompts() {
    let example = Example::start("resources", &[], &[]);
    let token = example.token("book:read");
    let read = |uri: &str| example.ask(&token, "resources/read", &json!({ "uri": uri }));
    assert_eq!(
        read("shelf://books/2").json["result"]["contents"][0]["text"],
        "{\"title\":\"Middlemarch\"}"
    );
    assert!(read("shelf://books").text.contains("Persuasion"));
    assert!(read("shelf://books/twelve").json["error"].is_object());
    let log = fs::read_to_string(example.folder.path().join("log")).unwrap();
    assert!(log.contains("the field `number` is not usize"), "{log}");
    assert!(!log.contains("twelve"), "the value is the caller's own: {log}");
    let prompt = json!({ "name": "review", "arguments": { "number": "1" } });
    assert!(example.ask(&token, "prompts/get", &prompt).text.contains("Frankenstein"));
}

#[test]
fn a_program_with_something_of_its_own() {
    let mut example = Example::start("program", &[("COUNTER_FILE", "mine")], &[]);
    let token = example.token("count:write");
    assert_eq!(get(&example.url("/"), &[]).text, "A counter");
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } });
    let hello = example.ask(&token, "initialize", &hello).json;
    assert_eq!(hello["result"]["serverInfo"]["title"], "Counter");
    assert_eq!(hello["result"]["instructions"], "Count once for each thing.");

    let set = example.output(&["set", "41"]);
    assert_eq!((set.status.code(), &*stdout(&set)), (Some(0), "the counter is 41\n"));
    assert_eq!(
        example.call(&token, "count", &json!({})).json["result"]["content"][0]["text"],
        "42"
    );
    let wrong = example.output(&["set", "many"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).starts_with("error: invalid digit"), "{wrong:?}");

    let help = stdout(&example.output(&["--help"]));
    for said in [
        "Counts, for those who may count",
        "Set the counter to a number",
        "COUNTER_FILE  The file of the counter, in the data folder",
        "Exit codes:",
    ] {
        assert!(help.contains(said), "no `{said}` in:\n{help}");
    }
    let doctor = stdout(&example.output(&["doctor"]));
    assert!(doctor.contains("COUNTER_FILE is set"), "{doctor}");
    assert!(!doctor.contains("mine"), "a value of a setting is nobody's: {doctor}");

    // An error's causes are told, too.
    example.variables = vec![("COUNTER_FILE".to_owned(), "no/such/folder".to_owned())];
    drop(example.child.take().map(|mut child| child.kill().and_then(|()| child.wait())));
    let failed = example.output(&[]);
    assert_eq!(failed.status.code(), Some(1));
    let said = stderr(&failed);
    assert!(said.contains("error: the counter does not open\n  caused by: No such file"), "{said}");
}

#[test]
fn notes() {
    let keycloak = Provider::start();
    let example = Example::start("notes", &[("ISSUER_URL", &keycloak.url)], &[]);
    let url = example.url("/mcp");
    let token = |scope: &str| keycloak_token(&keycloak, &url, scope);
    let writer = token("note:write note:share");
    let note = example.call(&writer, "create_note", &json!({ "title": "t", "text": "a\nb" }));
    assert_eq!(note.json["result"]["structuredContent"]["id"], 1);
    let share = |with: &str| json!({ "id": 1, "with": with });
    assert_eq!(example.call(&writer, "share_note", &share("bob")).status, 200);
    let denied = example.call(&writer, "share_note", &share("everyone"));
    assert_eq!(denied.status, 403);
    assert!(denied.challenge("scope").unwrap().contains("note:publish"));
    let read = |uri: &str| example.ask(&writer, "resources/read", &json!({ "uri": uri }));
    assert_eq!(read("note://1/lines/2").json["result"]["contents"][0]["text"], "b");
    assert!(read("note://one").json["error"].is_object());
    let tools = example.ask(&writer, "tools/list", &json!({}));
    assert_eq!(tools.json["result"]["tools"].as_array().unwrap().len(), 8);

    assert_eq!(get(&example.url("/"), &[]).text, "Notes");
    assert_eq!(get(&example.url("/x"), &[]).text, "There is no such page.");
    assert_eq!(get(&example.url("/internal/health"), &[]).json["status"], "ok");

    // The policy is edited while the server runs.
    let path = example.folder.path().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("[\"note:publish\"]\n\n[resources]", "[\"note:write\"]\n\n[resources]"),
    )
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while example.call(&writer, "share_note", &share("everyone")).status != 200 {
        assert!(Instant::now() < deadline, "the edit is not served");
        thread::sleep(Duration::from_millis(50));
    }
    let audit = fs::read_to_string(example.folder.path().join("data/audit.jsonl")).unwrap();
    assert!(audit.contains("\"share_note\"") && audit.contains("\"deny\""), "{audit}");
}
