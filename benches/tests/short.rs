//! Runs each measurement once and briefly, to show that it works. The results are not checked.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{path::Path, process::Command};

fn bench(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "bench {arguments:?}: {out}{err}");
    out.into_owned()
}

/// Whether `benches/fastmcp/setup.sh` has installed `FastMCP`. Panics in CI if it has not.
fn has_fastmcp() -> bool {
    let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join("fastmcp/.venv/bin/python").exists();
    assert!(is_there || std::env::var_os("CI").is_none(), "run benches/fastmcp/setup.sh");
    is_there
}

const BRIEF: [&str; 4] = ["--rounds", "1", "--seconds", "0.3"];

#[test]
fn load_of_every_server() {
    let mut servers = "bare,scopeward,bare-todo,todo".to_owned();
    let mut names = vec!["bare rmcp", "Scopeward", "bare rmcp, SQLite", "todo server"];
    if cfg!(feature = "rivals") {
        servers += ",tower-mcp";
        names.push("tower-mcp");
    }
    if has_fastmcp() {
        servers += ",fastmcp";
        names.push("FastMCP");
    }
    let out = bench(&[&["load", "--servers", &servers], &BRIEF[..]].concat());
    for name in names {
        let line = out.lines().find(|line| line.starts_with(name) && line.contains('…'));
        assert!(line.is_some(), "{name} is missing: {out}");
    }
}

#[test]
fn load_of_many_callers_and_of_lists() {
    let servers = ["load", "--servers", "bare,scopeward"];
    for more in [&["--tokens", "20"][..], &["--what", "list"], &["--what", "call-of-latest"]] {
        let out = bench(&[&servers, &BRIEF[..], more].concat());
        assert!(out.contains("Scopeward"), "{out}");
    }
}

#[test]
fn latency() {
    let out = bench(&[&["latency"], &BRIEF[..]].concat());
    assert!(out.contains("99 %   added"), "{out}");
    let required = ["latency", "--servers", "scopeward,scopeward-required"];
    let out = bench(&[&required, &BRIEF[..]].concat());
    assert!(out.contains("99 %   Scopeward, required"), "{out}");
}

#[test]
fn reload() {
    let out = bench(&["reload", "--rounds", "1", "--seconds", "3", "--rate", "100"]);
    let changes = out.lines().last().and_then(|line| line.split_whitespace().next());
    assert!(changes.is_some_and(|changes| changes != "0"), "no policy was loaded: {out}");
}

#[test]
fn fairness() {
    let out = bench(&["fairness", "--seconds", "0.5"]);
    let answered = |line: &str| line.split(" %").next()?.split_whitespace().last()?.parse().ok();
    let lines = out.lines().filter(|line| !line.starts_with("attack"));
    let turns: Vec<f64> = lines.filter_map(answered).collect();
    assert_eq!(turns.len(), 10, "{out}");
    assert!(turns.iter().all(|answered| *answered >= 99.0), "{out}");
}

#[test]
fn start_and_memory() {
    let out = bench(&["start", "--rounds", "1"]);
    assert!(out.contains("1 starts"), "{out}");
    let out = bench(&["memory", "--tokens", "50"]);
    assert!(out.contains("after 50 tokens"), "{out}");
}
