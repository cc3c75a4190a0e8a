//! Acknowledged todos survive `kill -9`, and so do the records of answered calls that the policy requires.

use std::{
    collections::HashSet,
    fs,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use crate::harness::{POLICY, Server, mcp_request, stderr};

#[test]
fn every_acknowledged_todo_survives_kill_9() {
    let mut server = Server::start();
    let token = server.token("todo:write");
    let acknowledged = Arc::new(Mutex::new(Vec::<String>::new()));
    for round in 0..5 {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (url, token) = (server.url(), token.clone());
                let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
                thread::spawn(move || {
                    let agent = ureq::Agent::new_with_defaults();
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let title = format!("{round}/{writer}/{number}");
                        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                            "params": { "name": "create_todo", "arguments": { "title": title } } });
                        let request = mcp_request(&url)
                            .header("authorization", format!("Bearer {token}"))
                            .body(body.to_string());
                        // A request fails when the server is killed, and is then not acknowledged.
                        let Ok(mut reply) = agent.run(request.unwrap()) else {
                            return;
                        };
                        let Ok(text) = reply.body_mut().read_to_string() else {
                            return;
                        };
                        if text.contains(&format!("\"title\":\"{title}\"")) {
                            acknowledged.lock().unwrap().push(title);
                        }
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300 + 70 * round));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().unwrap();
        }
        server.launch();
    }
    let todos = server.todos(&token);
    let titles: Vec<&str> = todos.iter().map(|todo| todo["title"].as_str().unwrap()).collect();
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() > 50, "only {} writes: the test shows little", acknowledged.len());
    for title in acknowledged.iter() {
        assert!(titles.contains(&title.as_str()), "{title} was acknowledged and is gone");
    }
    println!("{} acknowledged todos, none lost in 5 kills", acknowledged.len());
}

/// With `audit = "required"`, every call that was answered has its record, whenever the process is
/// killed. `AUDIT_CRASH_ROUNDS` makes it longer: 200 rounds take some minutes.
#[test]
fn every_answered_call_has_its_required_record_after_kill_9() {
    let rounds = std::env::var("AUDIT_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok());
    let rounds: u64 = rounds.unwrap_or(5);
    let policy = POLICY.replace("[scopes]", "audit = \"required\"\n\n[scopes]");
    let mut server = Server::with_policy(&policy);
    let (reader, writer) = (server.token("todo:read"), server.token("todo:write"));
    // Each call has a trace of its own, by which its record is found.
    let answered = Mutex::new(Vec::<String>::new());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for caller in 0..6_u64 {
                let (url, answered, stop) = (server.url(), &answered, &stop);
                let (reader, writer) = (&reader, &writer);
                scope.spawn(move || {
                    let agent = ureq::Agent::new_with_defaults();
                    for number in 0_u64.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let trace = format!(
                            "00-{round:016x}{caller:04x}{number:012x}-00000000000000{caller:02x}-01"
                        );
                        let (token, tool, arguments) = if number % 4 == 0 {
                            (writer, "create_todo", json!({ "title": "x" }))
                        } else {
                            (reader, "todo_stats", json!({}))
                        };
                        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                            "params": { "name": tool, "arguments": arguments,
                                "_meta": { "traceparent": trace } } });
                        let request = mcp_request(&url)
                            .header("authorization", format!("Bearer {token}"))
                            .body(body.to_string());
                        // A request fails when the server is killed.
                        let Ok(mut reply) = agent.run(request.unwrap()) else { return };
                        let Ok(text) = reply.body_mut().read_to_string() else { return };
                        assert!(text.contains("\"isError\":false"), "{text}");
                        answered.lock().unwrap().push(trace);
                    }
                });
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
            thread::sleep(Duration::from_millis(30 + (seed >> 33) % 200));
            let id = server.process_id().to_string();
            assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
            stop.store(true, Ordering::Relaxed);
        });
        server.kill();
        server.launch();
    }
    let verify = server.command().args(["audit", "verify"]).output().unwrap();
    assert!(verify.status.success(), "{}", stderr(&verify));
    let mut recorded = HashSet::new();
    for file in fs::read_dir(server.folder.path().join("data")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("audit") && name.contains(".jsonl") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                if record["decision"] == "allow" {
                    recorded.insert(record["trace"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() as u64 > rounds, "too few calls to show anything");
    for trace in &answered {
        assert!(recorded.contains(trace), "{trace} was answered and has no record");
    }
    println!(
        "{} answered calls in {rounds} kills, each with its record; {} records",
        answered.len(),
        recorded.len()
    );
}
