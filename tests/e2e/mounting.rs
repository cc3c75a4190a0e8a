//! A server in a program of somebody's own: with Keycloak's stand-in as its provider, own routes and
//! fallback, audit, reload, revocations and the monitor, and without any log.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, routing::get};
use scopeward::{
    CustomProvider, Guarded, LivePolicy, Mount, Providers, ScopedTools, Server, StartError,
    issuer::Issuer,
    policy::{
        agreement,
        diagnostic::{Diagnostics, Source},
    },
    scoped_tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::{self, Reply, free_port, mcp_request, send},
    standin::Provider,
};

struct Notes;

#[scoped_tools]
impl Notes {
    /// Reads the notes.
    #[scoped_tool(scopes = ["note:read"])]
    fn read_notes(&self) -> String {
        "milk".to_owned()
    }

    /// Writes a note.
    #[scoped_tool(scopes = ["note:write"])]
    fn write_note(&self) -> String {
        "written".to_owned()
    }
}

struct Others;

#[scoped_tools]
impl Others {
    /// Reads something else.
    #[scoped_tool(scopes = ["note:read"])]
    fn read_others(&self) -> String {
        String::new()
    }
}

fn policy(url: &str, provider: &str) -> String {
    format!(
        "version = 1\n[server]\nurl = \"{url}\"\n{provider}\non_denied = \"challenge\"\n\
         registered = [\"note:read\", \"note:write\"]\naudit = \"required\"\n\
         [scopes]\n\"note:read\" = \"Read\"\n\"note:write\" = \"Write\"\n\
         [tools]\nread_notes = {{ read = \"note\" }}\nwrite_note = {{ write = \"note\" }}\n"
    )
}

/// A program that mounts the notes, and runs until the test ends.
struct Program {
    folder: TempDir,
    origin: String,
    keycloak: Provider,
    guarded: Option<Guarded>,
    _runtime: tokio::runtime::Runtime,
}

impl Program {
    /// Starts the program. `whole` makes the app of the guarded server's routes.
    fn start(whole: impl FnOnce(&Guarded) -> Router) -> Self {
        let keycloak = Provider::start();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let origin = format!("http://localhost:{port}");
        let written = policy(&format!("{origin}/mcp"), "provider = \"keycloak\"");
        fs::write(folder.path().join("policy.toml"), written).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let guarded = runtime.block_on(async {
            let guarded = mount(folder.path(), &keycloak).await.unwrap();
            let app = whole(&guarded);
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await });
            guarded
        });
        Self { folder, origin, keycloak, guarded: Some(guarded), _runtime: runtime }
    }

    fn token(&self, scope: &str) -> String {
        self.keycloak
            .token(&json!({ "iss": self.keycloak.url, "aud": format!("{}/mcp", self.origin),
            "azp": "c", "typ": "Bearer", "scope": scope, "jti": "one" }))
    }

    fn call(&self, token: &str, tool: &str) -> Reply {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": {} } });
        let request = mcp_request(&format!("{}/mcp", self.origin))
            .header("authorization", format!("Bearer {token}"));
        send(request.body(body.to_string()).unwrap())
    }

    fn get(&self, path: &str) -> Reply {
        harness::get(&format!("{}{path}", self.origin), &[])
    }

    /// The audit records, once there are `count`.
    fn records(&self, count: usize) -> Vec<Value> {
        let path = self.folder.path().join("data/audit.jsonl");
        let read = || -> Vec<Value> {
            let text = fs::read_to_string(&path).unwrap();
            let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            // The policy requires records, so the end of each call has a record of its own.
            all.filter(|record| record["decision"] != "outcome").collect()
        };
        within_five_seconds(|| read().len() >= count);
        read()
    }
}

async fn mount(folder: &Path, keycloak: &Provider) -> Result<Guarded, StartError> {
    let issuer = keycloak.url.clone();
    Mount::from_env()?
        .policy(folder.join("policy.toml"))
        .data(folder.join("data"))
        .settings(move |name| (name == "ISSUER_URL").then(|| issuer.clone()))
        .audit()
        .reload()
        .revocations()
        .open(Notes)
        .await
}

fn within_five_seconds(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "not within five seconds");
        thread::sleep(Duration::from_millis(50));
    }
}

fn own(guarded: &Guarded) -> Router {
    Router::new()
        .route("/", get(|| async { "home" }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "my own 404") })
        .merge(guarded.router())
        .nest("/internal", guarded.monitor())
}

#[test]
fn routes_and_fallback_stay_the_programs_own() {
    let program = Program::start(own);
    assert_eq!(program.get("/").text, "home");
    let missing = program.get("/nowhere");
    assert_eq!((missing.status, &*missing.text), (404, "my own 404"));
    let metadata = program.get("/.well-known/oauth-protected-resource/mcp");
    assert_eq!(metadata.json["authorization_servers"], json!([program.keycloak.url]));
    assert_eq!(program.get("/mcp").status, 401);
    assert_eq!(program.get("/internal/health").json["status"], "ok");
    assert_eq!(program.get("/internal/health/ready").status, 200);
    assert!(program.get("/internal/metrics").text.contains("scopeward_"));
    assert_eq!(program.get("/health").text, "my own 404");
}

#[test]
fn a_program_without_a_fallback_keeps_axums_own() {
    let program = Program::start(|guarded| Router::new().merge(guarded.router()));
    let missing = program.get("/nowhere");
    assert_eq!((missing.status, &*missing.text), (404, ""));
}

/// No subscriber is installed in this process, so no event of `tracing` reaches anybody.
#[test]
fn decisions_are_enforced_and_recorded_without_any_log() {
    let program = Program::start(own);
    let reader = program.token("note:read");
    assert_eq!(program.call(&reader, "read_notes").json["result"]["content"][0]["text"], "milk");
    let denied = program.call(&reader, "write_note");
    assert_eq!((denied.status, denied.challenge("scope")), (403, Some("note:write")));
    let records = program.records(2);
    let said: Vec<_> = records.iter().map(|one| (&one["decision"], &one["tool"])).collect();
    assert_eq!(
        said,
        [(&json!("allow"), &json!("read_notes")), (&json!("deny"), &json!("write_note"))]
    );
}

#[test]
fn an_edit_of_the_policy_is_served_and_a_broken_one_is_not() {
    let program = Program::start(own);
    let reader = program.token("note:read");
    assert_eq!(program.call(&reader, "write_note").status, 403);
    let path = program.folder.path().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let relaxed =
        text.replace("{ write = \"note\" }", "{ read = \"note\", relax = \"readers write\" }");
    fs::write(&path, &relaxed).unwrap();
    within_five_seconds(|| program.call(&reader, "write_note").status == 200);
    fs::write(&path, relaxed.replace("read_notes =", "read_nots =")).unwrap();
    within_five_seconds(|| program.get("/internal/health").json["policy"]["is_refused"] == true);
    assert_eq!(program.call(&reader, "write_note").status, 200);
}

#[test]
fn a_revoked_token_is_refused() {
    let program = Program::start(own);
    let reader = program.token("note:read");
    assert_eq!(program.call(&reader, "read_notes").status, 200);
    let revoked = "[[revoked]]\ntoken = \"one\"\n";
    fs::write(program.folder.path().join("data/revoked.toml"), revoked).unwrap();
    within_five_seconds(|| program.call(&reader, "read_notes").status == 401);
}

#[test]
fn a_data_folder_has_one_server_and_is_ignored_by_git() {
    let mut program = Program::start(own);
    let again = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(mount(program.folder.path(), &program.keycloak)).map(|_| ())
    };
    let error = again().unwrap_err();
    assert!(error.to_string().contains("another server uses"), "{error}");
    assert!(!error.is_refused());
    let ignored = fs::read_to_string(program.folder.path().join("data/.gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"), "{ignored}");
    program.guarded = None;
}

#[test]
fn what_disagrees_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let provider = "provider = \"keycloak\"";
    let written = policy("http://localhost:3002/mcp", provider).replace("write_note", "write_nots");
    fs::write(folder.path().join("policy.toml"), written).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let keycloak = Provider::start();
    let error = runtime.block_on(mount(folder.path(), &keycloak)).unwrap_err();
    assert!(error.is_refused());
    assert!(error.findings().is_some_and(Diagnostics::has_errors), "{error}");
    assert!(error.to_string().contains("write_note"), "{error}");
    assert!(!folder.path().join("data").exists(), "a start that is refused leaves nothing behind");
}

#[test]
fn a_provider_of_the_programs_own_is_used_if_the_policy_names_it() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let url = format!("http://localhost:{port}/mcp");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = |provider_line: &str| {
        fs::write(folder.path().join("policy.toml"), policy(&url, provider_line)).unwrap();
        let custom = CustomProvider::oidc(&provider.url)
            .audience("notes")
            .keys_at(format!("{}/keys", provider.url));
        runtime.block_on(
            Mount::from_env()
                .unwrap()
                .policy(folder.path().join("policy.toml"))
                .data(folder.path().join("data"))
                .provider(custom)
                .audit()
                .open(Notes),
        )
    };
    for (line, written) in [
        ("", "`embedded`"),
        ("provider = \"keycloak\"", "`keycloak`"),
        ("provider = \"oidc\"\nissuer = \"https://other.example\"", "https://other.example"),
    ] {
        let error = open(line).unwrap_err().to_string();
        assert!(error.contains("provider of its own") && error.contains(written), "{error}");
    }
    let guarded = open("provider = \"oidc\"").unwrap();
    let app = guarded.router();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
    });
    let call = |audience: &str| {
        let token = provider.token(&json!({ "iss": provider.url, "aud": audience,
            "scope": "note:read" }));
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "read_notes", "arguments": {} } });
        let request = mcp_request(&url).header("authorization", format!("Bearer {token}"));
        send(request.body(body.to_string()).unwrap()).status
    };
    assert_eq!((call("notes"), call("others")), (200, 401));
}

fn checked(provider: &str) -> LivePolicy {
    let text = policy("http://localhost:3002/mcp", provider);
    let source = Source::new("policy.toml", text);
    LivePolicy::from(agreement::check(&source, &Notes::REGISTRY, None).unwrap())
}

#[test]
fn only_a_policy_that_was_checked_against_the_tools_is_served() {
    let live = checked("");
    let data = tempfile::tempdir().unwrap();
    let issuer = Issuer::open(data.path(), &live, "notes").unwrap();
    let error = Server::new(Others, &live, &issuer).err().unwrap().to_string();
    assert!(error.contains("checked against another set of tools"), "{error}");
    assert!(Server::new(Notes, &live, &issuer).is_ok());

    let other = policy("http://localhost:3002/mcp", "").replace("read_notes", "read_others");
    let other = other.replace("write_note = { write = \"note\" }\n", "");
    let source = Source::new("policy.toml", other);
    let other = agreement::check(&source, &Others::REGISTRY, None).unwrap();
    let error = live.replace(other).unwrap_err().to_string();
    assert!(error.contains("checked against another set of tools"), "{error}");
}

#[test]
fn a_sign_in_that_the_policy_does_not_name_is_not_served() {
    let embedded = checked("");
    let data = tempfile::tempdir().unwrap();
    let issuer = Issuer::open(data.path(), &embedded, "notes").unwrap();
    let keycloak = checked("provider = \"keycloak\"\nissuer = \"https://keycloak.example\"");
    let error = Server::new(Notes, &keycloak, Providers::from(&issuer)).err().unwrap().to_string();
    assert!(error.contains("`provider = \"keycloak\"`") && error.contains("embedded"), "{error}");
}
