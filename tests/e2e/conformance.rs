//! The official conformance suite, through the gate with a bearer token, for the two newest
//! revisions; and its authorization scenarios against the embedded issuer.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

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

/// The warnings of the suite that stay, each with its reason.
const WARNINGS: &[(&str, &str)] = &[];

/// The checks of a run that ended with a warning, from the results that the suite writes.
fn warnings(results: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(results).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut warnings(&path));
        } else if path.ends_with("checks.json") {
            let checks: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let all = checks.as_array().unwrap().iter();
            let warned = all.filter(|check| check["status"] == "WARNING");
            found.extend(warned.map(|check| check["id"].as_str().unwrap().to_owned()));
        }
    }
    found
}

/// Asserts that the suite runs this many server scenarios, that all of them pass, and that each warning
/// is listed. The number is checked because a scenario that is left out would go unnoticed.
fn server_scenarios(which: &[&str], scenarios: usize) {
    let running = Running::start(true, true);
    let results = tempfile::tempdir().unwrap();
    let folder = results.path().to_str().unwrap();
    let arguments = [&["server", "--url", &running.url, "-o", folder], which].concat();
    let Some(mut command) = suite(&arguments) else { return };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let summary = text.split("=== SUMMARY ===").nth(1).unwrap_or(&text);
    let passed = summary.lines().filter(|line| line.starts_with('✓')).count();
    let failed: Vec<&str> = summary.lines().filter(|line| line.starts_with('✗')).collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}\n{text}\n{errors}");
    assert_eq!(passed, scenarios, "{text}");
    let written = fs::read_dir(results.path()).unwrap().count();
    assert_eq!(written, scenarios, "each scenario writes its results");
    let mut found = warnings(results.path());
    found.retain(|id| !WARNINGS.iter().any(|(known, _)| known == id));
    assert!(found.is_empty(), "{found:#?}\n{text}");
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
