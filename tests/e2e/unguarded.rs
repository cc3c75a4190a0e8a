//! Tools that are mounted without the gate are still closed, because each tool checks its caller
//! itself.

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{router::tool::ToolRouter, tool::ToolCallContext, wrapper::Parameters},
    model::{CallToolRequestParams, CallToolResponse},
    service::RequestContext,
    tool_handler,
};
use scopeward::{Principal, ScopedTools, mcp::handler::McpHandler, scoped_tools};
use serde_json::json;

use crate::harness::{Reply, http_service, mcp_request, mount, send};

#[derive(Clone)]
struct Vault;

#[derive(serde::Deserialize, rmcp::schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Door {
    number: u32,
}

#[scoped_tools]
impl Vault {
    /// Opens a door.
    #[scoped_tool(scopes = ["vault:open"])]
    async fn open_door(&self, Parameters(door): Parameters<Door>) -> String {
        format!("door {} is open", door.number)
    }

    /// Says who is there: open to any authenticated caller, and so still not to anyone.
    #[scoped_tool(scopes = [])]
    fn who(&self, caller: Principal) -> String {
        caller.subject().to_owned()
    }
}

/// Serves the same tools with rmcp's own handler macro.
#[tool_handler(router = Self::tool_router())]
impl ServerHandler for Vault {}

/// Serves a tool's route through a router that is made by hand, under another name.
#[derive(Clone)]
struct ByHand;

impl ServerHandler for ByHand {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut route = Vault::tool_router().map.remove("open_door").unwrap();
        route.attr.name = "harmless".into();
        let router = ToolRouter::new().with_route(route);
        router.call(ToolCallContext::new(&Vault, request, context)).await
    }
}

fn call(url: &str, tool: &str, arguments: &serde_json::Value) -> Reply {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": arguments } });
    send(mcp_request(url).header("authorization", "Bearer x").body(body.to_string()).unwrap())
}

fn assert_refused(reply: &Reply, required: &serde_json::Value) {
    let result = &reply.json["result"];
    assert_eq!(result["isError"], true, "{reply:#?}");
    assert_eq!(result["_meta"]["scopeward/refusal"]["error"], "invalid_token");
    assert_eq!(result["_meta"]["scopeward/refusal"]["required"], *required);
    assert!(!reply.text.contains("is open"), "{reply:#?}");
}

#[test]
fn mounted_without_the_gate() {
    let url = mount(http_service(|| McpHandler::new(Vault)));
    assert_refused(&call(&url, "open_door", &json!({ "number": 1 })), &json!(["vault:open"]));
    assert_refused(&call(&url, "who", &json!({})), &json!([]));
    // The refusal comes before the arguments are parsed.
    assert_refused(&call(&url, "open_door", &json!({ "nr": "one" })), &json!(["vault:open"]));
    // Without a caller, the list is empty.
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let listed = send(mcp_request(&url).body(list.to_owned()).unwrap());
    assert_eq!(listed.json["result"]["tools"], json!([]));
}

#[test]
fn mounted_with_rmcps_own_handler() {
    let url = mount(http_service(|| Vault));
    assert_refused(&call(&url, "open_door", &json!({ "number": 1 })), &json!(["vault:open"]));
}

#[test]
fn mounted_by_hand_under_another_name() {
    let url = mount(http_service(|| ByHand));
    let reply = call(&url, "harmless", &json!({ "number": 1 }));
    assert_refused(&reply, &json!(["vault:open"]));
    let refusal = &reply.json["result"]["_meta"]["scopeward/refusal"];
    assert_eq!(refusal["tool"], "open_door", "the tool's own rule counts");
}
