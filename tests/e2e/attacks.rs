//! The attack catalog: one named test for each attack, with the source that describes the attack
//! and the response that the server must give.
//!
//! `cargo test --package scopeward-tests --test e2e attacks` runs the catalog. A test that fails
//! names its source.

mod bodies;
mod codes;
mod fetches;
mod files;
mod headers;
mod hosts;
mod pages;
mod records;
mod redirects;
mod small;
mod tokens;
mod uris;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use crate::harness::Server;

/// Makes one test of each line `name: "source", attack => status, "text of the response";`. The
/// test calls `$check` with the four values.
macro_rules! attacks {
    ($check:ident; $($name:ident: $source:literal, $attack:expr => $status:literal, $says:expr;)+) => {
        $(
            #[test]
            fn $name() {
                $check($source, $attack, $status, $says);
            }
        )+
    };
}
use attacks;

/// The response of a server to raw bytes.
#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

/// Sends raw bytes, and reads until the server closes the connection.
fn raw(server: &Server, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // An error is ignored, because a server that refuses early may not read the whole request.
    let _ = stream.write_all(request);
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, text }
}

/// A call of a tool that writes.
const WRITE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_todo","arguments":{"title":"reached"}}}"#;

/// A request to the MCP endpoint. Each header of `headers` ends with its line end.
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

/// Asserts that no call of [`WRITE`] has reached its tool.
fn nothing_was_written(server: &Server, source: &str) {
    let all = server.call(&server.token("todo:read"), "list_todos", &json!({}));
    assert!(!all.text.contains("reached"), "{source}: {all:#?}");
}
