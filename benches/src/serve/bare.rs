//! rmcp alone: no token, no policy, no audit.

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use rmcp::{
    ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};

use crate::work::{TodoId, get_todo};

#[derive(Clone)]
struct Todos {
    /// Shared, because rmcp clones the server for each request.
    tool_router: Arc<ToolRouter<Self>>,
}

#[tool_router]
impl Todos {
    /// Get one todo
    #[tool]
    async fn get_todo(&self, Parameters(TodoId { id }): Parameters<TodoId>) -> String {
        get_todo(&id)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Todos {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

pub(super) fn serve() -> Result<()> {
    served(Todos { tool_router: Arc::new(Todos::tool_router()) })
}

/// Serves a thousand tools with rmcp alone.
pub(super) fn serve_many() -> Result<()> {
    served(Todos { tool_router: Arc::new(super::many::router()) })
}

fn served(todos: Todos) -> Result<()> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let service = StreamableHttpService::new(
        move || Ok(todos.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    super::run(|| Ok(Router::new().route_service("/mcp", service)))
}
