//! What a tool author writes, served behind the gate: types with several blocks, generic types, and
//! texts that are read into numbers and enums.

use std::sync::Arc;

use rmcp::model::{PromptMessage, Role};
use scopeward::{
    Json, LivePolicy, Parameters, Principal, ScopedTools, Server, data,
    issuer::Issuer,
    policy::{Feature, Scope},
    scoped_tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{self, Reply, mcp_request, send, small_policy};

const RULES: &str = r#"
[tools]
add = { read = "a" }
share = { read = "a" }
asks = { read = "a" }
demands = { read = "a" }

[resources]
"note://{id}/{color}" = { read = "a" }

[prompts]
ask = { read = "a" }
"#;

trait Store: Send + Sync + 'static {
    fn name(&self) -> String;
}

struct Memory;

impl Store for Memory {
    fn name(&self) -> String {
        "memory".to_owned()
    }
}

struct Notes<S> {
    store: S,
    shared: Arc<dyn Store>,
}

#[data]
struct Id(u64);

#[data]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[data]
struct Note {
    id: Id,
    color: Option<Color>,
}

#[data]
struct Count {
    count: u8,
    #[serde(default)]
    loud: bool,
}

#[scoped_tools(parts = [sharing])]
impl<S: Store> Notes<S> {
    /// Adds.
    #[scoped_tool(scopes = ["a:read"], optional = ["a:write"])]
    async fn add(&self, caller: Principal, Parameters(count): Parameters<Count>) -> Json<Count> {
        let count = count.count + u8::from(caller.has("a:write"));
        Json(Count { count, loud: self.store.name() == "memory" })
    }

    /// Demands more in the middle of the call.
    #[scoped_tool(scopes = ["a:read"], optional = ["a:write"])]
    async fn demands(&self, caller: Principal) -> Result<String, rmcp::ErrorData> {
        caller.require("a:write")?;
        Ok("granted".to_owned())
    }

    #[scoped_resource(uri = "note://{id}/{color}", scopes = ["a:read"])]
    fn note(&self, Parameters(note): Parameters<Note>) -> String {
        let color = match note.color {
            Some(Color::Red) => "red",
            Some(Color::Green) => "green",
            None => "none",
        };
        format!("{} {color}", note.id.0 + 1)
    }

    #[scoped_prompt(scopes = ["a:read"])]
    fn ask(&self, Parameters(count): Parameters<Count>) -> Vec<PromptMessage> {
        let text = format!("{} {}", count.count + 1, count.loud);
        vec![PromptMessage::new_text(Role::User, text)]
    }
}

#[scoped_tools(part = sharing)]
impl<S: Store> Notes<S> {
    #[scoped_tool(scopes = ["a:write"])]
    async fn share(&self) -> String {
        self.shared.name()
    }

    /// Asks for a scope that the macro cannot see.
    #[scoped_tool(scopes = ["a:read"])]
    async fn asks(&self, caller: Principal) -> String {
        let scope = ["a", "write"].join(":");
        caller.has(&scope).to_string()
    }
}

struct World {
    url: String,
    token: String,
    _data: TempDir,
}

fn world() -> World {
    let data = tempfile::tempdir().unwrap();
    let mut token = String::new();
    let origin = harness::serve(|origin| {
        let registry = &Notes::<Memory>::REGISTRY;
        // The rule of `share` is less than it declares, which only its own check would not see.
        let rules = RULES.replace("share = { read", "share = { relax = \"a test\", read");
        let policy = small_policy(&format!("{origin}/mcp"), &rules, registry);
        let policy = LivePolicy::from(policy);
        let issuer = Issuer::open(data.path(), &policy, "authoring").unwrap();
        token = issuer.sign("ada", "test", &[Scope::parse("a:read").unwrap()]).unwrap();
        let notes = Arc::new(Memory);
        Server::new(Notes { store: Memory, shared: notes }, policy, &issuer).unwrap().router()
    });
    World { url: format!("{origin}/mcp"), token, _data: data }
}

impl World {
    fn rpc(&self, method: &str, params: &Value) -> Reply {
        let request = mcp_request(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("mcp-protocol-version", "2025-11-25");
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        send(request.body(body.to_string()).unwrap())
    }
}

#[test]
fn every_part_is_served() {
    let world = world();
    let listed = world.rpc("tools/list", &json!({}));
    let names: Vec<_> =
        listed.json["result"]["tools"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["add", "asks", "demands", "share"]);
    let added = world.rpc("tools/call", &json!({ "name": "add", "arguments": { "count": 3 } }));
    assert_eq!(added.json["result"]["structuredContent"], json!({ "count": 3, "loud": true }));
    let shared = world.rpc("tools/call", &json!({ "name": "share" }));
    assert_eq!(shared.json["result"]["content"][0]["text"], "memory");
    let asked = world.rpc("tools/call", &json!({ "name": "asks" }));
    assert_eq!(asked.json["result"]["content"][0]["text"], "false");
    assert_eq!(Notes::<Memory>::REGISTRY.of(Feature::Tool).count(), 4);
}

#[test]
fn the_variables_of_a_uri_are_read_into_what_the_fields_are() {
    let world = world();
    let read = |uri: &str| world.rpc("resources/read", &json!({ "uri": uri }));
    let good = read("note://41/green");
    assert_eq!(good.json["result"]["contents"][0]["text"], "42 green", "{good:#?}");
    for uri in
        ["note://x/green", "note://-1/green", "note://41/blue", "note://18446744073709551616/red"]
    {
        let bad = read(uri);
        assert_eq!(bad.json["error"]["code"], -32002, "{uri}: {bad:#?}");
    }
}

#[test]
fn the_arguments_of_a_prompt_are_read_into_what_the_fields_are() {
    let world = world();
    let get = |arguments: Value| {
        world.rpc("prompts/get", &json!({ "name": "ask", "arguments": arguments }))
    };
    let text = |reply: &Reply| reply.json["result"]["messages"][0]["content"]["text"].clone();
    assert_eq!(text(&get(json!({ "count": "2", "loud": "true" }))), "3 true");
    assert_eq!(text(&get(json!({ "count": "2" }))), "3 false");
    assert_eq!(text(&get(json!({ "count": 2 }))), "3 false", "more than MCP allows");
    for (arguments, field) in [
        (json!({ "count": "many" }), "count"),
        (json!({ "count": "256" }), "count"),
        (json!({ "count": "1", "loud": "very" }), "loud"),
        (json!({}), "count"),
    ] {
        let bad = get(arguments.clone());
        assert_eq!(bad.json["error"]["code"], -32602, "{arguments}: {bad:#?}");
        let message = bad.json["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{field}`")), "{message}");
        assert!(!message.contains("many") && !message.contains("very"), "{message}");
    }
}

/// A challenge from inside a tool is the very answer that the gate would have given.
#[test]
fn a_tool_demands_a_scope_in_the_middle_of_its_call() {
    let world = world();
    let demanded = world.rpc("tools/call", &json!({ "name": "demands" }));
    assert_eq!(demanded.status, 403, "{demanded:#?}");
    assert_eq!(demanded.challenge("error"), Some("insufficient_scope"));
    assert_eq!(demanded.challenge("scope"), Some("a:read a:write"));
    let error = &demanded.json["error"];
    assert_eq!((&error["code"], &error["data"]["missing"]), (&json!(-32003), &json!(["a:write"])));
    assert_eq!(error["data"]["tool"], "demands");
    // A call that cannot be made the short way has the status 200 already.
    let params = json!({ "name": "demands", "_meta": { "progressToken": 1, "traceparent": 5 } });
    let told = world.rpc("tools/call", &params);
    assert!(told.status == 403 || told.json["result"]["isError"] == true, "{told:#?}");
}
