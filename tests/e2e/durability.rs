//! Acknowledged todos survive `kill -9`.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use crate::harness::{Server, mcp_request};

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
