//! tower-mcp, with its OAuth layer and its scope policy in the order that its documentation
//! requires.

use anyhow::Result;
use tower_mcp::{
    CallToolResult, HttpTransport, McpRouter, ToolBuilder,
    oauth::{JwtValidator, ProtectedResourceMetadata, ScopePolicy},
};

use crate::work::{TodoId, get_todo};

pub(super) fn serve() -> Result<()> {
    let (issuer, audience) = (super::setting("ISSUER")?, super::setting("AUDIENCE")?);
    let tool = ToolBuilder::new("get_todo")
        .description("Get one todo")
        .handler(|TodoId { id }: TodoId| async move { Ok(CallToolResult::text(get_todo(&id))) })
        .build();
    let router = McpRouter::new().server_info("todo", "1.0.0").tool(tool);
    let metadata =
        ProtectedResourceMetadata::new(&audience).authorization_server(&issuer).scope("todo:read");
    let validator = JwtValidator::from_rsa_pem(super::setting("PUBLIC_KEY")?.as_bytes())?
        .expected_audience(&audience)
        .expected_issuer(&issuer);
    let policy = ScopePolicy::new().tool_scope("get_todo", "todo:read");
    super::run(|| {
        let transport = HttpTransport::new(router);
        Ok(transport.into_oauth_router_at("/mcp", validator, metadata, policy)?)
    })
}
