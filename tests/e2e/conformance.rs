//! The official conformance suite, through the gate with a bearer token, for the two newest
//! revisions; and its authorization scenarios against the embedded issuer.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    clients::installed,
    everything::Running,
    harness::{Server, get},
    issuer::{consent, open},
};

/// The suite's program, by the Node.js that it needs.
fn suite(arguments: &[&str]) -> Option<Command> {
    let node = installed("node/node_modules/.bin/node")?;
    let program = "node/node_modules/@modelcontextprotocol/conformance/dist/index.js";
    let mut command = Command::new(node);
    command.arg(installed(program)?).args(arguments).stdin(Stdio::null());
    Some(command)
}

/// Asserts that the suite runs this many server scenarios, and that all of them pass. The number is
/// checked because a scenario that is left out would go unnoticed.
fn server_scenarios(which: &[&str], scenarios: usize) {
    let running = Running::start(true, true);
    let arguments = [&["server", "--url", &running.url], which].concat();
    let Some(mut command) = suite(&arguments) else { return };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let summary = text.split("=== SUMMARY ===").nth(1).unwrap_or(&text);
    let passed = summary.lines().filter(|line| line.starts_with('✓')).count();
    let failed: Vec<&str> = summary.lines().filter(|line| line.starts_with('✗')).collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}\n{text}\n{errors}");
    assert_eq!(passed, scenarios, "{text}");
}

#[test]
fn every_server_scenario_of_2025_11_25() {
    server_scenarios(&["--suite", "all", "--spec-version", "2025-11-25"], 33);
}

#[test]
fn every_server_scenario_of_2026_07_28() {
    server_scenarios(&["--suite", "all", "--spec-version", "2026-07-28"], 40);
}

/// The scenarios of the tasks extension. `tasks-status-notifications` is left out, because it
/// checks nothing yet.
#[test]
fn every_scenario_of_tasks() {
    let running = Running::start(true, true);
    for scenario in [
        "tasks-lifecycle",
        "tasks-capability-negotiation",
        "tasks-wire-fields",
        "tasks-request-state-removal",
        "tasks-mrtr-input",
        "tasks-request-headers",
        "tasks-dispatch-and-envelope",
        "tasks-required-task-error",
        "tasks-mrtr-composition",
    ] {
        let arguments = ["server", "--url", &running.url, "--scenario", scenario];
        let Some(mut command) = suite(&arguments) else { return };
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let is_whole = text.contains(", 0 failed, 0 warnings") && !text.contains("SKIPPED");
        assert!(output.status.success() && is_whole, "{scenario}\n{text}\n{errors}");
    }
}

#[test]
fn the_authorization_scenarios() {
    let server = Server::start();
    let port = crate::harness::free_port().to_string();
    let registration = json!({
        "client_name": "Conformance",
        "redirect_uris": [format!("http://127.0.0.1:{port}/callback")],
    });
    let client = crate::issuer::register(&server, &registration);
    let client = client.json["client_id"].as_str().unwrap().to_owned();
    let (origin, url) = (server.origin(), server.url());
    let arguments = [
        "authorization",
        "--url",
        &origin,
        "--client-id",
        &client,
        "--resource",
        &url,
        "--port",
        &port,
    ];
    let Some(mut command) = suite(&arguments) else { return };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let page = lines.find_map(|line| {
        let line = line.unwrap();
        line.starts_with("http://").then(|| line.trim().to_owned())
    });
    let page = open(&page.expect("the suite asks to open a browser"));
    let answer = consent(&server, &page, &["todo:read"]);
    assert_eq!(get(answer.header("location"), &[]).status, 200, "the suite's own callback");
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    let said = said.join("\n");
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("SKIPPED"), "{said}");
}
