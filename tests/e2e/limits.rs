//! The limits of a server, its refusals beyond them, and its shutdown.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{POLICY, Reply, Server};

/// Starts a server with these settings, which override the settings of all tests.
fn with(settings: &[(&str, &str)]) -> Server {
    Server::with_settings(&POLICY, settings)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Reads until the server closes the connection, or sends nothing for ten seconds.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const CREATE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_todo","arguments":{"title":"in flight"}}}"#;

/// Sends the head of a call and the first byte of its body.
fn begin(server: &Server, token: &str) -> TcpStream {
    let mut stream = connect(server);
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {token}\r\nConnection: \
         close\r\nContent-Type: application/json\r\nAccept: application/json, \
         text/event-stream\r\nContent-Length: {}\r\n\r\n{{",
        server.port,
        CREATE.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Gives the server time to read the head, so that the call is in flight.
    thread::sleep(Duration::from_millis(200));
    stream
}

fn count(server: &Server, limit: &str) -> u64 {
    let text = server.monitor("/metrics").text;
    let name = format!("scopeward_refused_by_limit_total{{limit=\"{limit}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |number| number.parse().unwrap())
}

/// Asserts that requests are refused when the limit is reached, within ten seconds, and that a
/// request after the time in `Retry-After` is answered.
fn is_limited(server: &Server, limit: &str, mut ask: impl FnMut() -> Reply) {
    let begin = Instant::now();
    let refused = loop {
        let reply = ask();
        if reply.status != 200 {
            break reply;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "never refused");
    };
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "{refused:#?}");
    assert!(refused.text.contains("too many requests"), "{refused:#?}");
    assert!(count(server, limit) > 0);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(ask().status, 200);
}

#[test]
fn one_caller_that_comes_too_often() {
    let server = with(&[("RATE_PER_CALLER", "1")]);
    let (ada, grace) = (server.token("todo:read"), server.token_for("grace", "todo:read"));
    is_limited(&server, "rate_per_caller", || server.call(&ada, "list_todos", &json!({})));
    // Another token of the same caller shares the limit. Another caller does not.
    while server.call(&ada, "list_todos", &json!({})).status == 200 {}
    let again = server.token("todo:read todo:write");
    assert_eq!(server.call(&again, "list_todos", &json!({})).status, 429);
    assert_eq!(server.call(&grace, "list_todos", &json!({})).status, 200);
}

#[test]
fn one_address_that_comes_too_often() {
    let server = with(&[("RATE_PER_ADDRESS", "1")]);
    let path = "/.well-known/oauth-protected-resource";
    is_limited(&server, "rate_per_address", || server.get(path));
    // The monitor has no rate limit, so operators can always reach it.
    assert_eq!(server.monitor("/health").status, 200);
}

#[test]
fn a_body_that_is_too_large() {
    let server = with(&[("MAX_BODY", "1000")]);
    let token = server.token("todo:write");
    let small = server.call(&token, "create_todo", &json!({ "title": "x".repeat(100) }));
    assert_eq!(small.status, 200);
    let large = server.call(&token, "create_todo", &json!({ "title": "x".repeat(1000) }));
    assert_eq!(large.status, 413, "{large:#?}");
    assert_eq!(count(&server, "max_body"), 1);
}

#[test]
fn a_body_that_does_not_come() {
    let server = with(&[("BODY_TIMEOUT", "1")]);
    let mut stream = begin(&server, &server.token("todo:write"));
    let begin = Instant::now();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(count(&server, "body_timeout"), 1);
}

#[test]
fn a_head_that_does_not_come() {
    let server = with(&[("HEAD_TIMEOUT", "1")]);
    for head in ["", "POST /mcp HTTP/1.1\r\nHost: loc"] {
        let mut stream = connect(&server);
        stream.write_all(head.as_bytes()).unwrap();
        let begin = Instant::now();
        let answer = rest(&mut stream);
        assert!(!answer.contains("200"), "{answer}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{head:?}: it is held open");
    }
    // A head that comes one byte at a time has the same limit.
    let mut stream = connect(&server);
    let begin = Instant::now();
    for byte in b"POST /mcp HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        thread::sleep(Duration::from_millis(100));
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
    }
    rest(&mut stream);
    assert!(begin.elapsed() < Duration::from_secs(9), "it is held open");
    assert!(count(&server, "head_timeout") >= 2, "{}", server.monitor("/metrics").text);
}

#[test]
fn a_head_that_is_too_large() {
    let server = with(&[("MAX_HEAD", "8192")]);
    let mut stream = connect(&server);
    let _ =
        stream.write_all(format!("GET /mcp HTTP/1.1\r\nX: {}\r\n", "x".repeat(60_000)).as_bytes());
    let answer = rest(&mut stream);
    assert!(!answer.contains("200"), "{answer}");
    assert_eq!(count(&server, "max_head"), 1, "{}", server.monitor("/metrics").text);
}

/// A client that requests large responses and does not read them is disconnected.
#[test]
fn an_answer_that_nobody_takes() {
    let server = with(&[("WRITE_TIMEOUT", "1")]);
    let token = server.token("todo:write");
    let todo = json!({ "title": "x", "description": "x".repeat(10_000) });
    for _ in 0..50 {
        assert_eq!(server.call(&token, "create_todo", &todo).status, 200);
    }
    let mut stream = connect(&server);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}}}"#;
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: \
         {}\r\n\r\n{body}",
        server.port,
        body.len()
    );
    let begin = Instant::now();
    while count(&server, "write_timeout") == 0 {
        // Sends requests until the buffers of the TCP connection are full.
        let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
        let _ = stream.write_all(request.as_bytes());
        assert!(begin.elapsed() < Duration::from_mins(1), "{}", server.monitor("/metrics").text);
    }
}

#[test]
fn more_connections_than_it_takes() {
    for (setting, limit) in [
        ("MAX_CONNECTIONS", "max_connections"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "max_connections_per_address"),
    ] {
        let server = with(&[(setting, "2"), ("SHARE_PER_ADDRESS", "100")]);
        let held = [connect(&server), connect(&server)];
        thread::sleep(Duration::from_millis(200));
        let mut third = connect(&server);
        let told = rest(&mut third);
        let status = if limit == "max_connections" { "503" } else { "429" };
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{told}");
        assert!(told.contains("retry-after: 1\r\n"), "{told}");
        assert!(count(&server, limit) >= 1);
        drop(held);
        thread::sleep(Duration::from_millis(200));
        assert_eq!(server.get("/.well-known/oauth-protected-resource").status, 200);
    }
}

/// Two thousand connections that send a byte now and then do not stop honest clients.
#[test]
fn slowloris() {
    let server = with(&[("HEAD_TIMEOUT", "5")]);
    let token = server.token("todo:read");
    let mut slow: Vec<TcpStream> = (0..2_000)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            stream.write_all(b"POST /mcp HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    for _ in 0..5 {
        for stream in &mut slow {
            // An error is ignored, because the server may have closed the connection already.
            let _ = stream.write_all(b"X-");
        }
        for _ in 0..20 {
            let begin = Instant::now();
            assert_eq!(server.call(&token, "list_todos", &json!({})).status, 200);
            assert!(begin.elapsed() < Duration::from_secs(5));
        }
        thread::sleep(Duration::from_secs(1));
    }
    thread::sleep(Duration::from_secs(2));
    let metrics = server.monitor("/metrics").text;
    let now = metrics.lines().find_map(|line| line.strip_prefix("scopeward_connections "));
    let now: u64 = now.unwrap().parse().unwrap();
    assert!(now < 100, "{now} are still held");
}

/// On shutdown, a call in flight is finished, no new connection is accepted, and the process ends
/// with success.
#[test]
fn a_call_in_flight_is_finished() {
    let mut server = Server::start();
    let token = server.token("todo:write");
    let mut call = begin(&server, &token);
    let id = server.process_id().to_string();
    let kill = std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(kill.success());
    thread::sleep(Duration::from_millis(300));
    assert_eq!(server.monitor("/health/ready").status, 503);
    assert_eq!(server.monitor("/health/live").status, 200);
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err(), "it still takes calls");
    call.write_all(&CREATE.as_bytes()[1..]).unwrap();
    let answer = rest(&mut call);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(server.wait().success());
    server.launch();
    let listed = server.call(&token, "list_todos", &json!({}));
    assert!(listed.text.contains("in flight"), "{listed:#?}");
}

/// On shutdown, a call that does not end is cut off after the grace period.
#[test]
fn a_call_that_does_not_end_is_cut_off() {
    let mut server = with(&[("GRACE", "1")]);
    let _call = begin(&server, &server.token("todo:write"));
    let begin = Instant::now();
    assert!(server.stop("-TERM").success());
    assert!(begin.elapsed() < Duration::from_secs(6));
    assert!(server.log().contains("did not finish in time"), "{}", server.log());
}
