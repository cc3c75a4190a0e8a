//! The monitor: health, metrics and logs for operators.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{POLICY, Server, stdout},
    standin::{Mode, Provider},
};

#[test]
fn the_monitor_has_its_own_address() {
    let server = Server::start();
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(server.monitor(path).status, 200, "{path}");
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.monitor("/mcp").status, 404);
    let health = server.monitor("/health").json;
    assert_eq!((&health["status"], &health["audit"]["lost"]), (&json!("ok"), &json!(0)));
}

/// A page whose host name resolves to this machine (DNS rebinding) cannot read the metrics.
#[test]
fn the_monitor_refuses_other_host_names() {
    let server = Server::start();
    for (host, status) in [("evil.example", "403"), ("localhost", "200"), ("[::1]", "200")] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.monitor)).unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n\r\n",
            server.monitor
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{host}: {answer}");
    }
}

#[test]
fn every_decision_and_every_failure_is_counted() {
    let server = Server::start();
    let reader = server.token("todo:read");
    for _ in 0..3 {
        server.call(&reader, "list_todos", &json!({}));
    }
    server.call(&reader, "create_todo", &json!({ "title": "x" }));
    server.call(&reader, "a_name_that_somebody_made_up", &json!({}));
    server.post_with(&[], "{}");
    server.post_with(&[("authorization", "Bearer a.b.c")], "{}");
    server.post_with(&[("authorization", "Bearer a,")], "{}");
    let text = server.monitor("/metrics").text;
    for line in [
        r#"scopeward_decisions_total{feature="tool",name="list_todos",outcome="allow"} 3"#,
        r#"scopeward_decisions_total{feature="tool",name="create_todo",outcome="deny"} 1"#,
        r#"scopeward_decisions_total{feature="tool",name="(unknown)",outcome="deny"} 1"#,
        r#"scopeward_authentication_failures_total{reason="no_token"} 1"#,
        r#"scopeward_authentication_failures_total{reason="malformed"} 1"#,
        r#"scopeward_authentication_failures_total{reason="unreadable_header"} 1"#,
        "scopeward_audit_lost_total 0",
        "scopeward_revocations 0",
        "scopeward_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
    }
    assert!(!text.contains("made_up"), "a caller's own text is no label");
    assert!(text.ends_with("# EOF\n"));
}

/// The record of a failed authentication has the client and the address, and never the token.
#[test]
fn a_failure_is_logged_with_client_and_address() {
    let provider = Provider::start();
    let policy = POLICY.replace("\"embedded\"", "\"scalekit\"");
    let server = Server::with_settings(&policy, &provider.settings());
    let expired = provider.token(&json!({ "exp": 1, "client_id": "the-old-app" }));
    let forged = provider.token(&json!({ "client_id": "somebody-else" })) + "x";
    for token in [&expired, &forged] {
        assert_eq!(server.call(token, "list_todos", &json!({})).status, 401);
    }
    thread::sleep(Duration::from_millis(200));
    let output = server.command().args(["audit", "query", "--format", "json"]).output().unwrap();
    let records: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [expired_record, forged_record] = &records[..] else { panic!("{records:#?}") };
    assert_eq!(expired_record["client"], "the-old-app");
    assert_eq!(expired_record["address"], "127.0.0.1");
    assert_eq!(forged_record["client"], Value::Null, "nobody has confirmed it");
    for text in [server.log(), stdout(&output)] {
        assert!(!text.contains(&expired) && !text.contains(&forged), "{text}");
    }
    let text = server.monitor("/metrics").text;
    let age = text.lines().find_map(|line| line.strip_prefix("scopeward_key_age_seconds{"));
    let age: i64 = age.unwrap().split_once("} ").unwrap().1.parse().unwrap();
    assert!((0..60).contains(&age), "{text}");
}

/// The server has each metric and each label that the dashboard uses.
#[test]
fn the_dashboard_uses_existing_metrics() {
    let provider = Provider::start();
    let policy = POLICY.replace("\"embedded\"", "\"scalekit\"");
    let server = Server::with_settings(&policy, &provider.settings());
    let token = provider.token(&json!({ "scope": "todo:read" }));
    server.call(&token, "list_todos", &json!({}));
    let large = json!({ "title": "x".repeat(8 << 20) });
    assert_eq!(server.call(&token, "create_todo", &large).status, 413);
    server.post_with(&[], "{}");
    let text = server.monitor("/metrics").text;
    let known: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let dashboard: Value = serde_json::from_str(include_str!("../../docs/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = 0;
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            for name in expression.split(|c| !is_name(c)).filter(|w| w.starts_with("scopeward_")) {
                asked += 1;
                // OpenMetrics writes the type of a counter or an info without the suffix of its
                // samples.
                let ends = ["_total", "_info"];
                let family = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                assert!(
                    known.iter().any(|known| [name, family].contains(known)),
                    "{name} of {expression:?} is not in {known:?}"
                );
            }
            let labels = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
            for label in labels.flat_map(|list| list.split(',')).map(str::trim) {
                assert!(text.contains(&format!("{label}=\"")), "{label} of {expression:?}: {text}");
            }
        }
    }
    assert!(panels.len() > 5 && asked > 5, "{dashboard:#}");
}

#[test]
fn a_server_without_keys_is_not_ready() {
    let provider = Provider::start();
    let policy = POLICY.replace("\"embedded\"", "\"scalekit\"");
    let mut server = Server::prepare(&policy, &provider.settings());
    let pull = server.command().args(["resource", "pull"]).output().unwrap();
    assert!(pull.status.success(), "{pull:?}");
    provider.set(Mode::Status(500));
    server.launch();
    let reply = server.monitor("/health/ready");
    assert_eq!(reply.status, 503, "{reply:#?}");
    assert!(reply.text.contains("were never seen"), "{reply:#?}");
    assert_eq!(server.monitor("/health/live").status, 200);
    provider.set(Mode::Good);
    for _ in 0..200 {
        if server.monitor("/health/ready").status == 200 {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("never ready:\n{}", server.log());
}

/// A server whose audit file is `/dev/full`, a device that is always full.
fn with_full_disk() -> Server {
    let mut server = Server::prepare(&POLICY, &[]);
    std::fs::create_dir(server.folder.path().join("data")).unwrap();
    symlink("/dev/full", server.folder.path().join("data/audit.jsonl")).unwrap();
    server.launch();
    server
}

#[test]
fn with_a_full_disk_no_record_is_lost_silently() {
    let mut server = with_full_disk();
    let token = server.token("todo:read");
    assert_eq!(server.call(&token, "list_todos", &json!({})).status, 200);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(server.call(&token, "list_todos", &json!({})).status, 200);
    let health = server.monitor("/health").json;
    assert_eq!(
        (&health["status"], &health["audit"]["is_failing"]),
        (&json!("degraded"), &json!(true))
    );
    assert!(health["audit"]["pending_bytes"].as_u64().unwrap() > 0);
    let metrics = server.monitor("/metrics").text;
    assert!(metrics.contains("scopeward_audit_failing 1\n"), "{metrics}");
    assert!(server.log().contains("the audit file cannot be written"), "{}", server.log());
    assert_eq!(server.stop("-TERM").code(), Some(0));
    assert!(server.log().contains("2 audit records are lost"), "{}", server.log());
}
