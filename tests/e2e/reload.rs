//! A policy that changes while the server runs is loaded if it is good and refused if it is bad. No
//! request is decided by two policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use scopeward::policy::{CompiledPolicy, Operation, diagnostic::Source};
use serde_json::{Value, json};

use crate::{
    harness::{POLICY, Server, mcp_request},
    standin::Provider,
};

fn compile(text: &str) -> CompiledPolicy {
    CompiledPolicy::compile(Source::new("policy.toml", text)).unwrap()
}

fn revision(text: &str) -> String {
    compile(text).revision().to_string()
}

/// A policy in which `list_todos` needs `todo:write`.
fn stricter() -> String {
    POLICY.replace("list_todos  = { read =", "list_todos  = { write =")
}

fn broken() -> String {
    POLICY.replace("list_todos  = { read =", "list_todos  = { raed =")
}

impl Server {
    fn policy_file(&self) -> std::path::PathBuf {
        self.folder.path().join("policy.toml")
    }

    fn health(&self) -> Value {
        self.monitor("/health").json
    }

    fn served(&self) -> String {
        self.health()["policy"]["revision"].as_str().unwrap().to_owned()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what} did not happen:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_for_policy(&self, text: &str) {
        let wanted = revision(text);
        self.wait_until("the reload", |server| server.served() == wanted);
    }

    fn wait_for_refusals(&self, at_least: u64) {
        self.wait_until("the refusal", |server| {
            server.health()["policy"]["refused"].as_u64().unwrap() >= at_least
        });
    }

    fn signal(&self, signal: &str) {
        let id = self.process_id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn lists(&self, token: &str) -> u16 {
        self.call(token, "list_todos", &json!({})).status
    }
}

#[test]
fn an_edit_in_place_is_loaded_and_says_who_gains_and_loses() {
    let server = Server::start();
    let token = server.token("todo:read");
    assert_eq!(server.lists(&token), 200);
    fs::write(server.policy_file(), stricter()).unwrap();
    server.wait_for_policy(&stricter());
    assert_eq!(server.lists(&token), 403, "the next request is decided by it");
    assert!(!server.tools(&token).contains(&"list_todos".to_owned()));
    fs::write(server.policy_file(), *POLICY).unwrap();
    server.wait_for_policy(&POLICY);
    assert_eq!(server.lists(&token), 200);
    // A policy serves before its difference is described.
    server.wait_until("the description", |server| {
        let log = server.log();
        log.contains("narrowed=\"list_todos\"") && log.contains("widened=\"list_todos\"")
    });
}

#[test]
fn a_file_that_is_replaced_by_renaming_is_loaded() {
    let server = Server::start();
    let other = server.folder.path().join("policy.toml.new");
    fs::write(&other, stricter()).unwrap();
    fs::rename(&other, server.policy_file()).unwrap();
    server.wait_for_policy(&stricter());
}

/// Kubernetes replaces a file this way: the file is a link into a folder, the folder is a link, and
/// the link of the folder is swapped.
#[test]
fn a_symbolic_link_that_is_swapped_is_loaded() {
    use std::os::unix::fs::symlink;
    let server = Server::start();
    let folder = server.folder.path();
    for (name, text) in [("v1", POLICY.to_owned()), ("v2", stricter())] {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("policy.toml"), text).unwrap();
    }
    symlink("v1", folder.join("..data")).unwrap();
    symlink(Path::new("..data").join("policy.toml"), folder.join("link")).unwrap();
    fs::rename(folder.join("link"), server.policy_file()).unwrap();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(server.served(), revision(&POLICY));
    symlink("v2", folder.join("..new")).unwrap();
    fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    server.wait_for_policy(&stricter());
}

#[test]
fn a_broken_file_is_reported_and_the_last_good_policy_stays() {
    let server = Server::start();
    let token = server.token("todo:read");
    let status = || server.command().args(["policy", "status"]).output().unwrap();
    assert_eq!(status().status.code(), Some(0), "{:?}", status());
    fs::write(server.policy_file(), broken()).unwrap();
    server.wait_for_refusals(1);
    assert_eq!(server.lists(&token), 200, "the last good one serves");

    let log = server.log();
    let said = format!("policy.toml is REFUSED, and revision {} keeps serving", revision(&POLICY));
    assert!(log.contains(&said) && log.contains("did you mean `read`?"), "{log}");
    let health = server.health();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["policy"]["is_refused"], true);
    let metrics = server.monitor("/metrics").text;
    assert!(metrics.contains("scopeward_policy_file_refused 1\n"), "{metrics}");
    assert!(metrics.contains("scopeward_policy_refusals_total 1\n"), "{metrics}");
    assert!(
        metrics.contains(&format!("scopeward_policy_info{{revision=\"{}\"}} 1", revision(&POLICY)))
    );
    let output = status();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("REFUSED: the last good policy keeps serving"), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[SW105 unknown-key]"));

    // The server's address can be read even from a file that is not valid TOML.
    fs::write(server.policy_file(), format!("{}\n[tools", *POLICY)).unwrap();
    server.wait_for_refusals(2);
    let output = status();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[SW101 invalid-toml]"));

    // A policy that disagrees with the tools is refused, and so is a policy with another URL.
    fs::write(server.policy_file(), POLICY.replace("delete_todo =", "delete_tood =")).unwrap();
    server.wait_for_refusals(3);
    assert!(server.log().contains("there is no tool named `delete_tood`"));
    fs::remove_file(server.policy_file()).unwrap();
    server.wait_for_refusals(4);
    assert_eq!(server.lists(&token), 200);
    assert!(server.log().contains("cannot read policy.toml"));

    fs::write(server.policy_file(), *POLICY).unwrap();
    server.wait_until("the recovery", |server| server.health()["status"] == "ok");
    assert!(server.monitor("/metrics").text.contains("scopeward_policy_file_refused 0\n"));
    assert_eq!(status().status.code(), Some(0));
}

#[test]
fn a_policy_that_fails_its_own_tests_is_refused() {
    let test = "\n[[test]]\nscopes = [\"todo:read\"]\ncan = [\"list_todos\"]\n";
    let server = Server::with_policy(&format!("{}{test}", *POLICY));
    let token = server.token("todo:read");
    fs::write(server.policy_file(), stricter() + test).unwrap();
    server.wait_for_refusals(1);
    assert!(server.log().contains("a caller with just `todo:read` cannot call `list_todos`"));
    assert_eq!(server.lists(&token), 200);
}

#[test]
fn the_url_cannot_change_while_the_server_runs() {
    let server = Server::start();
    // PORT sets the port, but another path in `url` would make it another resource.
    fs::write(server.policy_file(), POLICY.replace(":3002/mcp", ":3002/other")).unwrap();
    server.wait_for_refusals(1);
    assert!(server.log().contains("`url` cannot change while the server runs"), "{}", server.log());
}

#[test]
fn sighup_loads_at_once_and_logs_it() {
    let server = Server::start();
    server.signal("-HUP");
    server
        .wait_until("the answer", |server| server.log().contains("policy.toml is what is served"));
    fs::write(server.policy_file(), stricter()).unwrap();
    server.signal("-HUP");
    server.wait_for_policy(&stricter());
}

#[test]
fn the_last_of_many_quick_edits_is_served() {
    let server = Server::start();
    for number in 0..200 {
        let text = match number % 3 {
            0 => format!("{}# {number}\n", *POLICY),
            1 => broken(),
            // A half-written file, which is there only for a moment.
            _ => POLICY[..POLICY.len() / 2].to_owned(),
        };
        fs::write(server.policy_file(), text).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    let last = stricter() + "# the last one\n";
    fs::write(server.policy_file(), &last).unwrap();
    server.wait_for_policy(&last);
    thread::sleep(Duration::from_millis(600));
    assert_eq!(server.served(), revision(&last));
}

/// The snapshot of the registered scopes is watched as the policy is: a scope that is registered after
/// the start counts without a restart, and a broken snapshot leaves everything as it was.
#[test]
fn a_snapshot_that_changes_is_loaded() {
    // There its API says what is registered, and no snapshot is read.
    if crate::IN_FRONT_OF_SCALEKIT {
        return;
    }
    let provider = Provider::start();
    let settings =
        format!("provider = \"workos\"\nissuer = \"{}\"\nstartup_check = \"warn\"", provider.url);
    let policy = POLICY.replace("provider = \"embedded\"", &settings);
    let policy = policy.replace("list = \"step_up\"", "list = \"reachable\"");
    let mut server = Server::prepare(&policy, &[]);
    let file = server.folder.path().join("registered-scopes.toml");
    let url = server.url();
    let snapshot = |scopes: &[&str]| {
        format!(
            "version = 1\nresource = \"{url}\"\nissuer = \"{}\"\npulled_at = \
             \"2026-11-20T00:00:00Z\"\nscopes = {scopes:?}\n",
            provider.url
        )
    };
    fs::write(&file, snapshot(&["todo:read", "todo:write"])).unwrap();
    server.launch();
    let token = provider.token(&json!({ "iss": provider.url, "aud": server.url() }));
    let lists_purge = |server: &Server| {
        let list = server.rpc(&token, "tools/list", &json!({})).json["result"].clone();
        let tools = list["tools"].as_array().unwrap().clone();
        tools.iter().any(|tool| tool["name"] == "purge_todos")
    };
    assert!(!lists_purge(&server), "admin:access is not registered yet");
    fs::write(&file, snapshot(&["todo:read", "todo:write", "admin:access"])).unwrap();
    server.wait_until("the scope", lists_purge);
    fs::write(&file, "version = 1\nscopes = [").unwrap();
    server.wait_for_refusals(1);
    assert!(lists_purge(&server), "the last good one serves on");
    fs::write(&file, snapshot(&["todo:read", "todo:write"])).unwrap();
    server.wait_until("the scope's end", |server| !lists_purge(server));
}

/// `subscriptions/listen` of MCP 2026-07-28, as a stream of messages.
struct Subscription(BufReader<Box<dyn std::io::Read + Send + Sync>>);

impl Subscription {
    fn open(server: &Server, token: &str) -> Self {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({
            "jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen",
            "params": { "notifications": { "toolsListChanged": true }, "_meta": meta },
        });
        let request = mcp_request(&server.url())
            .header("authorization", format!("Bearer {token}"))
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "subscriptions/listen")
            .body(message.to_string())
            .unwrap();
        let answer = ureq::Agent::new_with_defaults().run(request).unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self(BufReader::new(Box::new(answer.into_body().into_reader())))
    }

    /// The next message, or `None` at the end of the stream.
    fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let data = line.strip_prefix("data:").map(str::trim);
            if let Some(message) = data.and_then(|data| serde_json::from_str(data).ok()) {
                return Some(message);
            }
        }
    }
}

#[test]
fn subscribers_are_told_when_their_list_changes_and_only_then() {
    let mut server = Server::start();
    let mut reader = Subscription::open(&server, &server.token("todo:read"));
    let mut writer = Subscription::open(&server, &server.token("todo:write"));
    for subscription in [&mut reader, &mut writer] {
        let first = subscription.next().unwrap();
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
        assert_eq!(first["params"]["notifications"]["toolsListChanged"], true);
    }
    // The reader loses a tool, and the writer's list stays the same.
    fs::write(server.policy_file(), stricter()).unwrap();
    server.wait_for_policy(&stricter());
    let changed = reader.next().unwrap();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    // Now the writer loses a tool. This is the first notification that the writer gets.
    let hidden = POLICY.replace(
        "list_todos  = { read = \"todo\" }",
        "list_todos  = { all_of = [\"admin:access\", \"todo:read\"], hidden = true }",
    );
    fs::write(server.policy_file(), &hidden).unwrap();
    server.wait_for_policy(&hidden);
    assert_eq!(writer.next().unwrap()["method"], "notifications/tools/list_changed");
    server.wait_until("two descriptions", |server| {
        server.log().matches("policy.toml is loaded").count() == 2
    });

    // On shutdown, the server ends the streams instead of waiting for them.
    let started = Instant::now();
    assert_eq!(server.stop("-TERM").code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(8), "it did not wait for the subscribers");
    let last = std::iter::from_fn(|| writer.next()).last().unwrap();
    assert_eq!(last["id"], 7, "the final result: {last}");
}

/// The open stream of a caller whose access was revoked ends, because the caller must get no more
/// messages.
#[test]
fn a_stream_ends_when_its_caller_is_revoked() {
    let server = Server::start();
    let mut ada = Subscription::open(&server, &server.token("todo:read"));
    let mut grace = Subscription::open(&server, &server.token_for("grace", "todo:read"));
    for subscription in [&mut ada, &mut grace] {
        let first = subscription.next().unwrap();
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
    }
    let mut command = server.command();
    let revoked = command.args(["revocation", "add", "--subject", "ada"]).output().unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    let last = std::iter::from_fn(|| ada.next()).last();
    assert_eq!(last.unwrap()["id"], 7, "the final result, and the end");
    fs::write(server.policy_file(), stricter()).unwrap();
    server.wait_for_policy(&stricter());
    assert_eq!(grace.next().unwrap()["method"], "notifications/tools/list_changed");
}

#[test]
fn listening_needs_a_token_and_the_revision_that_has_it() {
    let server = Server::start();
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let reply = server.rpc(&server.token("todo:read"), "subscriptions/listen", &listen);
    assert_eq!(reply.json["error"]["code"], -32601, "before 2026-07-28: {reply:?}");
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": { "notifications": {} },
    });
    assert_eq!(server.post_with(&[], &message.to_string()).status, 401);
}

/// Two policies between which the server changes. In one a reader may list and get todos, in the
/// other only see statistics, so that a list made of both would be noticed.
fn opposites() -> [String; 2] {
    let one = POLICY.replace("todo_stats  = { read =", "todo_stats  = { write =");
    let other = POLICY
        .replace("list_todos  = { read =", "list_todos  = { write =")
        .replace("get_todo    = { read =", "get_todo    = { write =");
    [one, other]
}

/// 1,000 reloads, good and broken ones, under the load of 32 clients.
#[test]
fn a_thousand_reloads_under_load() {
    const CONNECTIONS: usize = 32;
    // In front of Scalekit each reload asks for the registered scopes, which takes several times as long.
    const RELOADS: usize = if crate::IN_FRONT_OF_SCALEKIT { 200 } else { 1_000 };
    let [one, other] = opposites();
    let server = Server::with_policy(&one);
    let reader = server.token_for("reader", "todo:read");
    let writer = server.token_for("writer", "todo:write");
    let lists = [&one, &other].map(|text| {
        let policy = compile(text);
        let held = policy.hold(["todo:read"]);
        let tools = policy.tools().map(|(tool, _)| tool);
        // A reader's list has the tools that the reader may call. No other tool is listed, because
        // none lacks only `step_up` scopes.
        tools
            .filter(|tool| policy.decide(Operation::tool(tool), &held).is_allow())
            .map(str::to_owned)
            .collect()
    });
    let lists: [BTreeSet<String>; 2] = lists;
    assert!(lists[0].is_disjoint(&lists[1]));

    let done = AtomicBool::new(false);
    let (answers, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let good: Vec<String> =
        (0..RELOADS).map(|n| format!("{}# {n}\n", [&one, &other][n % 2])).collect();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (server, done, answers, refused) = (&server, &done, &answers, &refused);
            let (reader, writer, lists) = (&reader, &writer, &lists);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    match connection % 3 {
                        // A writer may list todos under both policies.
                        0 => assert_eq!(server.lists(writer), 200),
                        // A reader gets the response of one policy or the other, never a mixture.
                        1 => {
                            let reply = server.call(reader, "list_todos", &json!({}));
                            match reply.status {
                                200 => assert_eq!(reply.json["result"]["isError"], false),
                                403 => {
                                    assert_eq!(reply.challenge("scope"), Some("todo:write"));
                                    refused.fetch_add(1, Ordering::Relaxed);
                                }
                                status => panic!("{status}: {reply:?}"),
                            }
                        }
                        _ => {
                            let list: BTreeSet<String> = server.tools(reader).into_iter().collect();
                            assert!(lists.contains(&list), "a mixture: {list:?}");
                        }
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for (number, text) in good.iter().enumerate() {
            if number % 4 == 3 {
                let text =
                    if number % 8 == 3 { broken() } else { text[..text.len() / 2].to_owned() };
                fs::write(server.policy_file(), text).unwrap();
            } else {
                fs::write(server.policy_file(), text).unwrap();
            }
            let before = server.health()["policy"].clone();
            server.signal("-HUP");
            let count = |policy: &Value| {
                policy["loaded"].as_u64().unwrap() + policy["refused"].as_u64().unwrap()
            };
            server.wait_until("the answer to a hangup", |server| {
                count(&server.health()["policy"]) > count(&before)
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    let health = server.health();
    let (loaded, bad) = (
        health["policy"]["loaded"].as_u64().unwrap(),
        health["policy"]["refused"].as_u64().unwrap(),
    );
    let (most, rest) = (RELOADS as u64 / 4 * 3, RELOADS as u64 / 4);
    assert!(loaded >= most && bad >= rest, "{health}");
    assert!(refused.load(Ordering::Relaxed) > 0, "both policies were seen");
    let answers = answers.load(Ordering::Relaxed);
    assert!(answers > RELOADS, "{answers} answers is no load");

    // Each record names the revision of the policy that decided, and its outcome is the decision of
    // that policy.
    let texts = good.iter().map(String::as_str).chain([one.as_str()]);
    let policies: BTreeMap<String, CompiledPolicy> =
        texts.map(|text| (revision(text), compile(text))).collect();
    let log = server.log();
    let records: Vec<&str> = log.lines().filter(|line| line.contains("scopeward::audit")).collect();
    let calls = records.iter().filter(|record| record.contains("tool=\"list_todos\"")).count();
    assert!(calls > 0 && calls == records.len());
    for record in records {
        let field = |name: &str| {
            let (_, rest) =
                record.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{record}"));
            rest.split(' ').next().unwrap().trim_matches('"').to_owned()
        };
        let policy = &policies[&field("policy")];
        assert!(!record.contains("by=\"tool\""), "decided by two policies: {record}");
        let granted = if field("subject") == "reader" { "todo:read" } else { "todo:write" };
        let allowed =
            policy.decide(Operation::tool("list_todos"), &policy.hold([granted])).is_allow();
        assert_eq!(allowed, field("decision") == "allow", "{record}");
    }
}
