//! Clients of other projects, from sign-in to step-up. `tests/clients/setup.sh` installs the
//! clients. Where a client is missing, its test prints `SKIPPED` and does nothing; in CI the test
//! fails.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    examples::Example,
    harness::{POLICY, Server, get, run},
    issuer::{consent, open},
    standin::Provider,
};

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program under `tests/.tools`, if it is installed.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = folder().join(".tools").join(program);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is missing: run tests/clients/setup.sh");
    // Writes to stderr directly, because the test runner hides `eprintln!` of tests that pass.
    let _ = writeln!(io::stderr(), "SKIPPED: {program} is missing; run tests/clients/setup.sh");
    None
}

fn succeeded(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{text}");
    text
}

fn python(client: &str, script: &str, arguments: &[&str]) -> Option<Output> {
    let python = installed(&format!("{client}/bin/python"))?;
    let script = folder().join("clients/python").join(script);
    Some(Command::new(python).arg(script).args(arguments).output().unwrap())
}

#[test]
fn the_python_sdk_at_the_old_revision() {
    let server = Server::start();
    let Some(output) = python("current", "current.py", &[&server.url(), "legacy"]) else {
        return;
    };
    assert!(succeeded(&output).contains("ok legacy"));
}

#[test]
fn the_python_sdk_at_the_new_revision() {
    let server = Server::start();
    let Some(output) = python("current", "current.py", &[&server.url(), "2026-07-28"]) else {
        return;
    };
    assert!(succeeded(&output).contains("ok 2026-07-28"));
}

#[test]
fn the_python_sdk_of_2025() {
    let server = Server::start();
    let Some(output) = python("y2025", "y2025.py", &[&server.url()]) else {
        return;
    };
    assert!(succeeded(&output).contains("ok 2025-06-18"));
}

/// A script of `clients/node`, with the person that it signs in, if Node.js is installed.
fn node_script(name: &str) -> Option<Command> {
    let node = installed("node/node_modules/.bin/node")?;
    // Node finds the packages only beside the script.
    let tools = folder().join(".tools/node");
    for name in ["person.mjs", "version.mjs", name] {
        // Put there whole, because tests that run at the same time read the same file.
        let whole = tempfile::NamedTempFile::new_in(&tools).unwrap();
        fs::copy(folder().join("clients/node").join(name), whole.path()).unwrap();
        whole.persist(tools.join(name)).unwrap();
    }
    let mut command = Command::new(node);
    command.arg(tools.join(name));
    Some(command)
}

/// The versions of the TypeScript SDK: today's, and that of most clients in use.
const TYPESCRIPT: [&str; 2] = ["2", "1"];

/// Runs a script of the TypeScript SDK, in each version, against servers whose `on_denied` is each of
/// these.
fn typescript(script: &str, modes: &[&str]) {
    for (version, mode) in TYPESCRIPT.iter().flat_map(|one| modes.iter().map(move |it| (one, it))) {
        let server = Server::with_policy(&POLICY.replace("\"challenge\"", &format!("\"{mode}\"")));
        let Some(mut command) = node_script(script) else { return };
        let output = command.env("SDK", version).args([&server.url(), *mode]).output().unwrap();
        let said = succeeded(&output);
        assert!(said.contains("ok typescript"), "version {version}: {said}\n{}", server.log());
    }
}

#[test]
fn the_typescript_sdk() {
    typescript("sdk.mjs", &["challenge", "adaptive"]);
}

/// Tools without sign-in beside one that needs it: each client signs in at that one, and not before.
#[test]
fn clients_sign_in_at_the_first_tool_that_needs_it() {
    let example = Example::start("anonymous", &[], &[]);
    let url = example.url("/mcp");
    if let Some(mut command) = node_script("anonymous.mjs") {
        assert!(succeeded(&command.arg(&url).output().unwrap()).contains("ok typescript"));
    }
    if let Some(output) = python("current", "anonymous.py", &[&url]) {
        assert!(succeeded(&output).contains("ok python"));
    }
}

/// A client that cannot step up lists the tools, is refused, and shows the person the words.
#[test]
fn the_typescript_sdk_sees_the_words_of_a_refusal() {
    typescript("words.mjs", &["adaptive", "tool_error"]);
}

/// The Python SDK and the Inspector, with a token that cannot grow, see the words of a refusal too.
#[test]
fn the_python_sdk_and_the_inspector_see_the_words_of_a_refusal() {
    let server = Server::with_policy(&POLICY.replace("\"challenge\"", "\"tool_error\""));
    let token = server.token("todo:write");
    if let Some(output) = python("current", "words.py", &[&server.url(), &token]) {
        assert!(succeeded(&output).contains("ok words"));
    }
    let bearer = format!("Authorization: Bearer {token}");
    let call =
        ["--header", &bearer, "--quiet", "--method", "tools/call", "--tool-name", "purge_todos"];
    let Some(mut command) = inspector(&server, &call) else { return };
    let output = command.output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(said.contains("Insufficient permissions: `admin:access` scope required."), "{said}");
    assert!(said.contains("mcp/www_authenticate") && !said.contains("-32602"), "{said}");
}

/// Clients refresh in several places at once with one refresh token, and all of them go on.
#[test]
fn the_typescript_sdk_refreshes_six_times_at_once() {
    typescript("refresh.mjs", &["challenge"]);
}

#[test]
fn the_python_sdk_refreshes_six_times_at_once() {
    let server = Server::start();
    let Some(output) = python("current", "refresh.py", &[&server.url()]) else { return };
    assert!(succeeded(&output).contains("ok refresh"), "{}", server.log());
}

/// A provider of another project, which serves until the value is dropped.
struct Foreign {
    child: std::process::Child,
    issuer: String,
    /// The provider's output, which stays open because the provider continues to write to it.
    _output: BufReader<std::process::ChildStdout>,
}

impl Foreign {
    /// Starts a program that prints its issuer and then serves.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut issuer = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut issuer).unwrap();
        Self { child, issuer: issuer.trim().to_owned(), _output: output }
    }

    /// Starts `oidc-provider`, with the tools' scopes registered for `resource`.
    fn oidc_provider(resource: &str, algorithm: &str) -> Option<Self> {
        let mut command = node_script("provider.mjs")?;
        command.args([resource, algorithm]);
        Some(Self::start(command))
    }

    /// Starts `django-oauth-toolkit`, with its database in `data`.
    fn django(data: &Path, client: &str, secret: &str) -> Option<Self> {
        let python = installed("django/bin/python")?;
        let mut command = Command::new(python);
        command.arg(folder().join("clients/python/django_provider.py"));
        command.args([data.to_str().unwrap(), client, secret]);
        Some(Self::start(command))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A provider of another project: the server checks the registered scopes at the start, the client
/// registers, signs in and consents at the provider, and the server decides calls by its tokens.
#[test]
fn the_python_sdk_through_an_openid_provider() {
    for algorithm in ["RS256", "ES256"] {
        let policy = POLICY.replace("provider = \"embedded\"", "provider = \"oidc\"");
        let mut server = Server::prepare(&policy, &[]);
        let Some(provider) = Foreign::oidc_provider(&server.url(), algorithm) else {
            return;
        };
        server.set("ISSUER_URL", &provider.issuer);
        server.launch();
        let Some(output) = python("current", "provider.py", &[&server.url()]) else { return };
        assert!(succeeded(&output).contains("ok provider"), "{}", server.log());
    }
}

/// A provider with opaque tokens, which the server introspects.
#[test]
fn the_python_sdk_through_django() {
    let opaque = "provider = \"oauth\"\nopaque = true";
    let policy = POLICY.replace("provider = \"embedded\"", opaque);
    let mut server = Server::prepare(&policy, &[]);
    let (client, secret) = ("tools", "s+/cret: kept");
    let Some(provider) = Foreign::django(server.folder.path(), client, secret) else {
        return;
    };
    server.set("ISSUER_URL", &provider.issuer);
    server.set("INTROSPECTION_CLIENT_ID", client);
    server.set("INTROSPECTION_CLIENT_SECRET", secret);
    server.launch();
    let Some(output) = python("current", "provider.py", &[&server.url()]) else { return };
    assert!(succeeded(&output).contains("ok provider"), "{}", server.log());
}

/// The same sign-in and calls with the stand-in for Scalekit.
#[test]
fn the_python_sdk_through_scalekit() {
    let provider = Provider::start();
    let policy = POLICY.replace("provider = \"embedded\"", "provider = \"scalekit\"");
    let server = Server::with_settings(&policy, &provider.settings());
    let Some(output) = python("current", "provider.py", &[&server.url()]) else { return };
    assert!(succeeded(&output).contains("ok provider"), "{}", server.log());
}

/// MCP Inspector's command line, with a separate home folder.
fn inspector(server: &Server, arguments: &[&str]) -> Option<Command> {
    let bin = installed("node/node_modules/.bin/mcp-inspector")?;
    let path = std::env::join_paths(
        std::iter::once(bin.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new(bin);
    command
        .env("PATH", path.unwrap())
        .env("HOME", server.folder.path())
        .env("MCP_AUTO_OPEN_ENABLED", "true")
        .args(["--cli", &server.url()])
        .args(arguments)
        .stdin(Stdio::null());
    Some(command)
}

#[test]
fn mcp_inspector_lists_and_calls_tools() {
    let server = Server::start();
    let bearer = format!("Authorization: Bearer {}", server.token("todo:write"));
    let run = |arguments: &[&str]| {
        let all = [&["--header", &bearer, "--quiet", "--method"][..], arguments].concat();
        inspector(&server, &all).map(|mut command| command.output().unwrap())
    };
    let Some(listed) = run(&["tools/list"]) else {
        return;
    };
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["tools"].as_array().unwrap().len(), 7);

    let call =
        ["tools/call", "--tool-name", "create_todo", "--tool-arg", "title=From the Inspector"];
    let created: Value = serde_json::from_slice(&run(&call).unwrap().stdout).unwrap();
    assert_eq!(created["structuredContent"]["title"], "From the Inspector");

    let refused = run(&["tools/call", "--tool-name", "purge_todos"]).unwrap();
    assert!(!refused.status.success());
    let todos = server.call(&server.token("todo:read"), "list_todos", &json!({}));
    assert_eq!(todos.result()["todos"].as_array().unwrap().len(), 1, "nothing was purged");
}

#[test]
fn mcp_inspector_signs_in() {
    let server = Server::start();
    let Some(mut command) = inspector(&server, &["--method", "tools/list", "--quiet"]) else {
        return;
    };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = lines.find_map(|line| {
        line.unwrap().split_once("Please navigate to: ").map(|(_, url)| url.to_owned())
    });
    let page = open(&url.expect("the Inspector asks to open a browser"));
    assert!(page.reply.text.contains("Inspector"), "{}", page.reply.text);
    let answer = consent(&server, &page, &["todo:read"]);
    assert_eq!(get(answer.header("location"), &[]).status, 200, "the Inspector's own callback");
    let output = child.wait_with_output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&Value> =
        listed["tools"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["get_todo", "list_todos", "todo_stats"]);
}

/// MCP Inspector's web page in a real browser: sign-in, list, call, refusal and step-up.
#[test]
fn mcp_inspector_in_a_browser() {
    let Some(node) = installed("node/node_modules/.bin/node") else {
        return;
    };
    let server = Server::with_policy(&POLICY.replace("list = \"step_up\"", "list = \"reachable\""));
    let output = Command::new(&node)
        .arg(folder().join("clients/node/inspector.mjs"))
        .args([&server.url(), server.folder.path().to_str().unwrap()])
        .env("NODE_PATH", folder().join(".tools/node/node_modules"))
        .output()
        .unwrap();
    assert!(succeeded(&output).contains("ok inspector"), "{}", server.log());
    let todos = server.call(&server.token_for("ada", "todo:read"), "list_todos", &json!({}));
    assert_eq!(todos.result()["todos"].as_array().unwrap().len(), 1, "the one that was allowed");
}

/// The consent page in a real browser, headless Chromium.
#[test]
fn consent_in_a_browser() {
    let Some(node) = installed("node/node_modules/.bin/node") else {
        return;
    };
    let screenshots = folder().join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    for mode in ["challenge", "tool_error"] {
        let server = Server::with_policy(
            &POLICY.replace("on_denied = \"challenge\"", &format!("on_denied = \"{mode}\"")),
        );
        let output = Command::new(&node)
            .arg(folder().join("clients/node/consent.mjs"))
            .args([&server.url(), mode])
            .arg(&screenshots)
            .env("NODE_PATH", folder().join(".tools/node/node_modules"))
            .output()
            .unwrap();
        assert!(succeeded(&output).contains("ok"));
    }
}

/// The page of `policy matrix` in headless Chromium, which filters while somebody types.
#[test]
fn the_matrix_page_in_a_browser() {
    let Some(node) = installed("node/node_modules/.bin/node") else {
        return;
    };
    let pages = tempfile::tempdir().unwrap();
    let page = |name: &str, more: &[&str]| {
        let line = [&["policy", "matrix", "--format", "html"][..], more].concat();
        let output = run(&crate::settings::large_policy(), &line);
        assert!(output.stdout.len() < 300_000, "{name}: {} bytes", output.stdout.len());
        let path = pages.path().join(name);
        fs::write(&path, output.stdout).unwrap();
        path
    };
    let pages = [page("by-tool.html", &[]), page("by-scope.html", &["--by", "scope"])];
    let output = Command::new(&node)
        .arg(folder().join("clients/node/matrix.mjs"))
        .args(&pages)
        .env("NODE_PATH", folder().join(".tools/node/node_modules"))
        .output()
        .unwrap();
    assert!(succeeded(&output).contains("ok matrix"));
}
