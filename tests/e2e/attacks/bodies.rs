//! Bodies that the gate and the code behind it could read differently.

use super::{WRITE, attacks, bearer, nothing_was_written, raw, request};
use crate::harness::Server;

const READ: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}}}"#;

/// Asserts the response to a body from a caller who may read and not write.
fn body_gets(source: &str, body: impl AsRef<[u8]>, status: u16, says: &str) {
    body_with_headers_gets(source, ("", body), status, says);
}

/// Asserts the response to a body with further headers.
fn body_with_headers_gets(
    source: &str,
    (headers, body): (&str, impl AsRef<[u8]>),
    status: u16,
    says: &str,
) {
    let server = Server::start();
    let headers = bearer(&server.token("todo:read")) + headers;
    let answer = raw(&server, &request(&server, &headers, body.as_ref()));
    assert_eq!(answer.status, status, "{source}: {answer:?}");
    assert!(answer.text.contains(says), "{source}: {answer:?}");
    nothing_was_written(&server, source);
}

/// Asserts the response to a whole HTTP request. `HOST` and `TOKEN` in its text stand for the
/// headers `Host` and `Authorization`.
fn whole_request_gets(source: &str, text: &str, status: u16, says: &str) {
    let server = Server::start();
    let text = text
        .replace("HOST", &format!("Host: localhost:{}", server.port))
        .replace("TOKEN", bearer(&server.token("todo:read")).trim_end());
    let answer = raw(&server, text.as_bytes());
    assert_eq!(answer.status, status, "{source}: {answer:?}");
    assert!(answer.text.contains(says), "{source}: {answer:?}");
    nothing_was_written(&server, source);
}

fn write_named(more: &str) -> String {
    WRITE.replace("\"name\":\"create_todo\"", more)
}

const DENIED: &str = "insufficient_scope";
const NO_MESSAGE: &str = "not one JSON-RPC 2.0 message";
const NO_JSON: &str = "is not JSON";
const NO_BATCH: &str = "batches are part of MCP 2025-03-26 only";
const BATCH: &str = "MCP-Protocol-Version: 2025-03-26\r\n";

attacks! { body_gets;
    the_plain_call: "MCP, authorization", WRITE => 403, DENIED;
    name_twice: "RFC 8259, 4", write_named(r#""name":"list_todos","name":"create_todo""#) => 200, "-32602";
    name_twice_the_other_way: "RFC 8259, 4", write_named(r#""name":"create_todo","name":"list_todos""#) => 200, "-32602";
    name_by_an_escape: "RFC 8259, 7", write_named(r#""n\u0061me":"cre\u0061te_todo""#) => 403, DENIED;
    name_twice_by_an_escape: "RFC 8259, 7", write_named(r#""name":"list_todos","n\u0061me":"create_todo""#) => 200, "-32602";
    name_with_a_space: "MCP, tools", write_named(r#""name":"create_todo ""#) => 200, "Unknown tool";
    name_in_capitals: "MCP, tools", write_named(r#""name":"CREATE_TODO""#) => 200, "Unknown tool";
    name_with_a_nul: "MCP, tools", write_named(r#""name":"create_todo\u0000""#) => 200, "Unknown tool";
    name_of_look_alikes: "UTS 39", write_named(r#""name":"сreate_todo""#) => 200, "Unknown tool";
    name_number: "MCP, tools", write_named(r#""name":1"#) => 200, "-32602";
    name_array: "MCP, tools", write_named(r#""name":["list_todos","create_todo"]"#) => 200, "-32602";
    name_missing: "MCP, tools", write_named(r#""nom":"create_todo""#) => 200, "-32602";
    method_twice: "RFC 8259, 4", WRITE.replace("\"method\"", "\"method\":\"ping\",\"method\"") => 400, NO_MESSAGE;
    method_by_an_escape: "RFC 8259, 7", WRITE.replace("\"method\"", "\"m\\u0065thod\"") => 403, DENIED;
    method_in_capitals: "JSON-RPC 2.0, 4", WRITE.replace("tools/call", "TOOLS/CALL") => 200, "Method not found";
    method_with_a_slash_more: "JSON-RPC 2.0, 4", WRITE.replace("tools/call", "tools//call") => 200, "Method not found";
    method_unknown: "JSON-RPC 2.0, 5.1", WRITE.replace("tools/call", "admin/call") => 200, "Method not found";
    params_twice: "RFC 8259, 4", WRITE.replace("\"params\"", r#""params":{"name":"list_todos"},"params""#) => 400, NO_MESSAGE;
    params_as_an_array: "JSON-RPC 2.0, 4.2", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["create_todo",{"title":"reached"}]}"# => 200, "-32602";
    id_null: "JSON-RPC 2.0, 4", WRITE.replace("\"id\":1", "\"id\":null") => 400, NO_MESSAGE;
    id_object: "JSON-RPC 2.0, 4", WRITE.replace("\"id\":1", "\"id\":{}") => 400, NO_MESSAGE;
    no_id: "JSON-RPC 2.0, 4.1", WRITE.replace("\"id\":1,", "") => 400, "not known here";
    version_of_json_rpc_1: "JSON-RPC 2.0, 4", WRITE.replace("\"2.0\"", "\"1.0\"") => 400, NO_MESSAGE;
    no_version: "JSON-RPC 2.0, 4", WRITE.replace("\"jsonrpc\":\"2.0\",", "") => 400, NO_MESSAGE;
    a_response: "MCP, transports", r#"{"jsonrpc":"2.0","id":1,"result":{}}"# => 400, "takes no responses";
    two_messages: "RFC 8259, 2", format!("{READ}{WRITE}") => 400, NO_JSON;
    two_lines: "RFC 8259, 2", format!("{READ}\n{WRITE}") => 400, NO_JSON;
    a_comment: "RFC 8259, 2", format!("/*{READ}*/{WRITE}") => 400, NO_JSON;
    a_trailing_comma: "RFC 8259, 4", WRITE.replace("}}}", "}},}") => 400, NO_JSON;
    an_empty_body: "RFC 8259, 2", "" => 400, NO_JSON;
    text: "RFC 8259, 2", "\"tools/call\"" => 400, NO_MESSAGE;
    null: "RFC 8259, 2", "null" => 400, NO_MESSAGE;
    nested_without_end: "CWE-674", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)) => 400, "nested too deeply";
    nested_arguments: "CWE-674", WRITE.replace("\"reached\"", &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))) => 400, "nested too deeply";
    nested_arguments_of_a_call_that_is_allowed: "CWE-674", READ.replace("{}", &format!("{{\"completed\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000))) => 400, "nested too deeply";
    larger_than_four_mebibytes: "CWE-400", WRITE.replace("reached", &"x".repeat(5 * 1024 * 1024)) => 413, "body is too large";
    a_million_elements: "CWE-770", WRITE.replace("\"reached\"", &format!("[{}0]", "0,".repeat(1_000_000))) => 413, "too many elements";
    a_million_members: "CWE-770", WRITE.replace("\"reached\"", &format!("{{{}\"a\":0}}", "\"a\":0,".repeat(500_000))) => 413, "too many elements";
    a_million_empty_lists: "CWE-770", WRITE.replace("\"reached\"", &format!("[{}0]", "[],".repeat(1_000_000))) => 413, "too many elements";
    elements_beside_the_call: "CWE-770", WRITE.replace("\"id\":1", &format!("\"id\":1,\"x\":[{}0]", "0,".repeat(1_000_000))) => 413, "too many elements";
    elements_in_the_id: "CWE-770", WRITE.replace("\"id\":1", &format!("\"id\":[{}0]", "0,".repeat(1_000_000))) => 413, "too many elements";
    a_byte_order_mark: "RFC 8259, 8.1", format!("\u{feff}{WRITE}") => 400, NO_JSON;
    utf_16: "RFC 8259, 8.1", WRITE.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>() => 400, NO_JSON;
    utf_8_that_is_too_long: "RFC 3629, 3", [&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools\xc0\xafcall\"}"[..]].concat() => 400, "";
    half_a_surrogate: "RFC 8259, 8.2", write_named(r#""name":"create_todo\ud800""#) => 400, "";
}

attacks! { body_with_headers_gets;
    a_batch_that_hides_a_call: "MCP 2025-03-26, batching", (BATCH, format!("[{READ},{WRITE}]")) => 403, DENIED;
    a_batch_that_hides_it_first: "MCP 2025-03-26, batching", (BATCH, format!("[{WRITE},{READ}]")) => 403, DENIED;
    a_batch_within_a_batch: "JSON-RPC 2.0, 6", (BATCH, format!("[[{WRITE}]]")) => 400, NO_MESSAGE;
    an_empty_batch: "JSON-RPC 2.0, 6", (BATCH, "[]") => 400, "between one and a hundred";
    a_batch_of_too_many: "CWE-400", (BATCH, format!("[{}{WRITE}]", format!("{READ},").repeat(100))) => 400, "between one and a hundred";
    a_batch_after_spaces: "MCP 2025-03-26, batching", (BATCH, format!(" \n\t[{WRITE}]")) => 403, DENIED;
    a_batch_without_its_version: "MCP 2025-06-18, batching", ("", format!("[{READ}]")) => 400, NO_BATCH;
    a_batch_where_there_are_none: "MCP 2025-06-18, batching", ("MCP-Protocol-Version: 2025-06-18\r\n", format!("[{READ},{WRITE}]")) => 400, NO_BATCH;
    a_batch_of_two_versions: "MCP, transports", ("MCP-Protocol-Version: 2025-03-26\r\nMCP-Protocol-Version: 2025-06-18\r\n", format!("[{READ}]")) => 400, NO_BATCH;
    a_header_of_another_tool: "MCP 2026-07-28, headers", ("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: list_todos\r\n", WRITE) => 403, DENIED;
    a_header_of_another_method: "MCP 2026-07-28, headers", ("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ping\r\n", WRITE) => 403, DENIED;
    compressed: "CWE-409", ("Content-Encoding: gzip\r\n", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]) => 400, NO_JSON;
    said_to_be_compressed: "RFC 9110, 8.4", ("Content-Encoding: gzip\r\n", WRITE) => 403, DENIED;
    a_session_of_nobody: "MCP security, session hijacking", ("Mcp-Session-Id: 1\r\n", WRITE) => 404, "Session not found";
    two_sessions: "MCP security, session hijacking", ("Mcp-Session-Id: 1\r\nMcp-Session-Id: 2\r\n", WRITE) => 404, "Session not found";
    another_method_by_header: "CWE-436", ("X-HTTP-Method-Override: GET\r\n", WRITE) => 403, DENIED;
    another_path_by_header: "CWE-436", ("X-Original-URL: /health\r\nX-Rewrite-URL: /health\r\n", WRITE) => 403, DENIED;
    a_caller_by_header: "CWE-290", ("X-User: root\r\nX-Scopes: todo:write\r\nX-Forwarded-User: root\r\n", WRITE) => 403, DENIED;
}

attacks! { whole_request_gets;
    two_lengths: "RFC 9112, 6.3", "POST /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\nContent-Length: 100\r\n\r\n{}" => 400, "";
    a_length_that_is_no_number: "RFC 9112, 6.3", "POST /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: +2\r\n\r\n{}" => 400, "";
    a_length_and_chunks: "RFC 9112, 6.1", "POST /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" => 400, "";
    chunks_of_another_kind: "RFC 9112, 6.1", "POST /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nTransfer-Encoding: xchunked\r\n\r\n{}" => 400, "";
    a_chunk_of_wrong_size: "RFC 9112, 7.1", "POST /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" => 400, "";
    no_host: "RFC 9112, 3.2", "POST /mcp HTTP/1.1\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 403, "Host header";
    a_line_end_without_return: "RFC 9112, 2.2", "POST /mcp HTTP/1.1\nHOST\nTOKEN\nConnection: close\nContent-Length: 2\n\n{}" => 400, "";
    http_0_9: "RFC 9112, 2.3", "GET /mcp\r\n\r\n" => 400, "";
    http_2_without_agreement: "RFC 9113, 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" => 0, "";
    method_trace: "RFC 9110, 9.3.8", "TRACE /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\n\r\n" => 405, "";
    method_put: "MCP, transports", "PUT /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 405, "";
    method_get: "MCP, transports", "GET /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n" => 405, "";
    method_delete: "MCP, transports", "DELETE /mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\n\r\n" => 405, "";
    path_with_a_slash: "CWE-436", "POST /mcp/ HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 404, "";
    path_with_two: "CWE-436", "POST //mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 404, "";
    path_in_capitals: "CWE-436", "POST /MCP HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 404, "";
    path_of_dots: "CWE-22", "POST /x/../mcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 404, "";
    path_encoded: "CWE-436", "POST /%6dcp HTTP/1.1\r\nHOST\r\nTOKEN\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" => 404, "";
}
