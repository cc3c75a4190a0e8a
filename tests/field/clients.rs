//! Reports about clients: the requests that they send, and the answers that they act on.

use serde_json::Value;

use super::Report;
use crate::harness::{POLICY, Reply, Server, send};

/// A request to a server.
struct Request {
    /// The lines of `[server]` in place of `on_denied = "challenge"`.
    settings: &'static str,
    /// The scopes of the token; `None` for a request without one.
    scope: Option<&'static str>,
    method: &'static str,
    path: &'static str,
    /// `URL` stands for the URL of the server.
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

/// The right answer.
struct Answer {
    status: u16,
    /// Headers that the answer has, each with words of its value.
    headers: &'static [(&'static str, &'static str)],
    /// JSON pointers with their values; `""` for what must be missing. `URL` stands for the URL of the
    /// server.
    body: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
}

const REQUEST: Request = Request {
    settings: "on_denied = \"challenge\"",
    scope: Some("todo:read"),
    method: "POST",
    path: "/mcp",
    headers: &[
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ],
    body: CREATE,
};

const ANSWER: Answer = Answer { status: 200, headers: &[], body: &[], says: &[] };

/// A call that `todo:read` does not allow.
const CREATE: &str = r#"{ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": { "name": "create_todo", "arguments": { "title": "x" } } }"#;
/// A call that `todo:read` allows.
const LIST: &str = r#"{ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": { "name": "list_todos" } }"#;
const TOOLS: &str = r#"{ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }"#;

const JSON: (&str, &str) = ("content-type", "application/json");
const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");

const REPORTS: &[Report<Request, Answer>] = &[
    Report {
        source: "Claude, \"Lazy authentication\"; insforge-mcp 69: 401 names the metadata",
        input: Request { scope: None, body: TOOLS, ..REQUEST },
        expected: Answer {
            status: 401,
            headers: &[("www-authenticate", "resource_metadata=\"http://localhost:")],
            ..ANSWER
        },
    },
    Report {
        source: "Claude, \"Lazy authentication\"; metabase 82452: 403 opens sign-in for what is missing",
        input: REQUEST,
        expected: Answer {
            status: 403,
            headers: &[
                ("www-authenticate", "error=\"insufficient_scope\""),
                ("www-authenticate", "scope=\"todo:write\""),
            ],
            ..ANSWER
        },
    },
    Report {
        source: "SEP-2643; ToolHive 0.44 names no scopes in a denial",
        input: REQUEST,
        expected: Answer {
            status: 403,
            body: &[
                ("/error/data/tool", "\"create_todo\""),
                ("/error/data/missing", "[\"todo:write\"]"),
                ("/error/data/granted", "[\"todo:read\"]"),
            ],
            ..ANSWER
        },
    },
    Report {
        source: "scalekit-mcp-server, `src/scalekit.ts`: a missing scope is 401 there, which says that the \
                 token is bad",
        input: Request { settings: "on_denied = \"adaptive\"", ..REQUEST },
        expected: Answer { status: 403, ..ANSWER },
    },
    Report {
        source: "agentgateway 1.4 calls a refused tool unknown",
        input: REQUEST,
        expected: Answer { status: 403, says: &["Insufficient permissions"], ..ANSWER },
    },
    Report {
        source: "metabase 82452: ChatGPT loops without the scopes of each tool",
        input: Request { body: TOOLS, ..REQUEST },
        expected: Answer {
            body: &[
                ("/result/tools/0/name", "\"get_todo\""),
                (
                    "/result/tools/0/securitySchemes",
                    r#"[{ "type": "oauth2", "scopes": ["todo:read"] }]"#,
                ),
                (
                    "/result/tools/0/_meta/securitySchemes",
                    r#"[{ "type": "oauth2", "scopes": ["todo:read"] }]"#,
                ),
            ],
            ..ANSWER
        },
    },
    Report {
        source: "mcp-use 2611, 2602: ChatGPT acts on a tool error with a challenge in `_meta`",
        input: Request { settings: "on_denied = \"tool_error\"", ..REQUEST },
        expected: Answer {
            body: &[("/result/isError", "true")],
            says: &[
                "mcp/www_authenticate",
                r#"Bearer error=\"insufficient_scope\""#,
                r#"scope=\"todo:write\""#,
            ],
            ..ANSWER
        },
    },
    Report {
        source: "typescript-sdk 1428, tailscale-mcp 101, repomix 833: a `structuredContent` that is not \
                 the tool's schema hides the message",
        input: Request { settings: "on_denied = \"tool_error\"", ..REQUEST },
        expected: Answer {
            body: &[("/result/structuredContent", ""), ("/result/resultType", "")],
            says: &["Insufficient permissions"],
            ..ANSWER
        },
    },
    Report {
        source: "typescript-sdk 1944, python-sdk 2349: a client that accepts JSON only gets 406",
        input: Request { headers: &[JSON, ("accept", "application/json")], body: LIST, ..REQUEST },
        expected: Answer { headers: &[("content-type", "application/json")], ..ANSWER },
    },
    Report {
        source: "typescript-sdk 1944, python-sdk 2349: so does one that accepts everything",
        input: Request { headers: &[JSON, ("accept", "*/*")], body: LIST, ..REQUEST },
        expected: ANSWER,
    },
    Report {
        source: "github-mcp-server 519: Visual Studio adds the charset to the content type",
        input: Request {
            headers: &[("content-type", "application/json; charset=utf-8"), BOTH],
            body: LIST,
            ..REQUEST
        },
        expected: ANSWER,
    },
    Report {
        source: "copilot-cli 4370: `server/discover` before anything else must not fail",
        input: Request {
            headers: &[
                JSON,
                BOTH,
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "server/discover"),
            ],
            body: r#"{ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": { "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "copilot", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {} } } }"#,
            ..REQUEST
        },
        expected: Answer { says: &["2026-07-28", "2025-06-18"], ..ANSWER },
    },
    Report {
        source: "agentgateway 3439: a method that is not known is called so",
        input: Request {
            headers: &[JSON, BOTH, ("mcp-protocol-version", "2025-11-25")],
            body: r#"{ "jsonrpc": "2.0", "id": 1, "method": "server/nothing", "params": {} }"#,
            ..REQUEST
        },
        expected: Answer { body: &[("/error/code", "-32601"), ("/id", "1")], ..ANSWER },
    },
    Report {
        source: "vscode 259251, claude-code 52871: `resource` is the server's URL, byte for byte",
        input: Request {
            scope: None,
            method: "GET",
            path: "/.well-known/oauth-protected-resource/mcp",
            body: "",
            ..REQUEST
        },
        expected: Answer { body: &[("/resource", "\"URL\"")], ..ANSWER },
    },
    Report {
        source: "lightdash 23091: the metadata can be read from every page",
        input: Request {
            scope: None,
            method: "GET",
            path: "/.well-known/oauth-authorization-server",
            headers: &[("origin", "https://playground.example")],
            body: "",
            ..REQUEST
        },
        expected: Answer {
            headers: &[("access-control-allow-origin", "https://playground.example")],
            ..ANSWER
        },
    },
    Report {
        source: "keryx 498: claude.ai is not the server's own origin",
        input: Request {
            settings: "on_denied = \"challenge\"\norigins = [\"https://claude.ai\"]",
            headers: &[JSON, BOTH, ("origin", "https://claude.ai")],
            body: LIST,
            ..REQUEST
        },
        expected: Answer {
            headers: &[("access-control-allow-origin", "https://claude.ai")],
            ..ANSWER
        },
    },
    Report {
        source: "keryx 498: so is its preflight",
        input: Request {
            settings: "on_denied = \"challenge\"\norigins = [\"https://claude.ai\"]",
            scope: None,
            method: "OPTIONS",
            headers: &[
                ("origin", "https://claude.ai"),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization"),
            ],
            body: "",
            ..REQUEST
        },
        expected: Answer {
            headers: &[
                ("access-control-allow-origin", "https://claude.ai"),
                ("access-control-allow-headers", "authorization"),
            ],
            ..ANSWER
        },
    },
    Report {
        source: "openzim-mcp 93, mcp-searxng 77: llama.cpp's page sends `mcp-protocol-version`, and DELETE",
        input: Request {
            settings: "on_denied = \"challenge\"\norigins = [\"https://llama.example\"]",
            scope: None,
            method: "OPTIONS",
            headers: &[
                ("origin", "https://llama.example"),
                ("access-control-request-method", "DELETE"),
                ("access-control-request-headers", "mcp-protocol-version, mcp-session-id"),
            ],
            body: "",
            ..REQUEST
        },
        expected: Answer {
            headers: &[
                ("access-control-allow-headers", "mcp-protocol-version"),
                ("access-control-allow-headers", "mcp-session-id"),
                ("access-control-allow-methods", "DELETE"),
            ],
            ..ANSWER
        },
    },
    Report {
        source: "keryx 498: \"Origin not allowed\" alone tells nobody where origins are allowed",
        input: Request {
            headers: &[JSON, BOTH, ("origin", "https://other.example")],
            body: LIST,
            ..REQUEST
        },
        expected: Answer { status: 403, says: &["`origins` in `[server]`"], ..ANSWER },
    },
];

#[test]
fn the_reports_about_clients() {
    for Report { source, input, expected } in REPORTS {
        let policy = POLICY.replace("on_denied = \"challenge\"", input.settings);
        let server = Server::with_policy(&policy);
        let reply = ask(&server, input);
        assert_eq!(reply.status, expected.status, "{source}: {reply:#?}");
        for (name, words) in expected.headers {
            let value = reply.header(name);
            assert!(value.to_lowercase().contains(&words.to_lowercase()), "{source}: {reply:#?}");
        }
        for (pointer, value) in expected.body {
            let is = reply.json.pointer(pointer);
            let value = value.replace("URL", &server.url());
            let right: Option<Value> =
                (!value.is_empty()).then(|| serde_json::from_str(&value).unwrap());
            assert_eq!(is, right.as_ref(), "{source}: {pointer} of {reply:#?}");
        }
        for words in expected.says {
            assert!(reply.text.contains(words), "{source}: {reply:#?}");
        }
    }
}

fn ask(server: &Server, request: &Request) -> Reply {
    let url = format!("{}{}", server.origin(), request.path);
    let mut built = http::Request::builder().method(request.method).uri(url);
    for (name, value) in request.headers {
        built = built.header(*name, *value);
    }
    if let Some(scope) = request.scope {
        built = built.header("authorization", format!("Bearer {}", server.token(scope)));
    }
    send(built.body(request.body.to_owned()).unwrap())
}
