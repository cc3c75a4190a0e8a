//! The attack catalogue: one named test for each, with where it is described, and what it gets.
//!
//! `cargo test --package scopeward-tests --test e2e attacks` runs them all; a test that fails names
//! the source that says why it matters.

mod bodies;
mod codes;
mod fetches;
mod files;
mod headers;
mod hosts;
mod pages;
mod redirects;
mod small;
mod tokens;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use crate::harness::Server;

/// `name: "source", attack => status, "what the answer says";`
macro_rules! attacks {
    ($gets:ident; $($name:ident: $source:literal, $attack:expr => $status:literal, $says:expr;)+) => {
        $(
            #[test]
            fn $name() {
                $gets($source, $attack, $status, $says);
            }
        )+
    };
}
use attacks;

/// What a server said to some bytes.
#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

/// Sends bytes as they are, and reads until the server has said all.
fn raw(server: &Server, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // A server that refuses early may not take all of it.
    let _ = stream.write_all(request);
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, text }
}

/// A call that writes, with a token that may.
const WRITE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_todo","arguments":{"title":"reached"}}}"#;

/// A request to the endpoint: headers, each with its end, and a body.
fn request(server: &Server, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Type: \
         application/json\r\nAccept: application/json, text/event-stream\r\n{headers}\
         Content-Length: {}\r\n\r\n",
        server.port,
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Nothing was written by anybody.
fn nothing_was_written(server: &Server, source: &str) {
    let all = server.call(&server.token("todo:read"), "list_todos", &json!({}));
    assert!(!all.text.contains("reached"), "{source}: {all:#?}");
}
