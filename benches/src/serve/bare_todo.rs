//! rmcp alone, with the todo server's own store, so that both servers do the same work on the same
//! database.

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use rmcp::{
    ErrorData, ServerHandler,
    handler::server::{
        router::tool::ToolRouter,
        wrapper::{Json, Parameters},
    },
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use store::{Store, Todo};

#[expect(dead_code, reason = "the todo server's own file, of which this server uses a part")]
#[path = "../../../server/src/store.rs"]
mod store;

#[derive(Deserialize, JsonSchema)]
struct TodoPage {
    /// Only the completed ones (true) or only the open ones (false)
    completed: Option<bool>,
    /// Begins after the todo of this id: the `next` of the page before
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct TodoList {
    todos: Vec<Todo>,
    /// Where the next page begins (`after`); absent on the last page
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Clone)]
struct Todos {
    store: Arc<Store>,
    tool_router: Arc<ToolRouter<Self>>,
}

#[tool_router]
impl Todos {
    /// List your todos, oldest first.
    #[tool]
    async fn list_todos(
        &self,
        Parameters(page): Parameters<TodoPage>,
    ) -> Result<Json<TodoList>, ErrorData> {
        let owner = "http://127.0.0.1 usr_583274820628643";
        let listed = self.store.list(Some(owner), page.completed, page.after.as_deref());
        let (todos, next) =
            listed.await.map_err(|_| ErrorData::internal_error("the store", None))?;
        Ok(Json(TodoList { todos, next }))
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Todos {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

pub(super) fn serve() -> Result<()> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    super::run_async(async move {
        let folder = super::setting("SCOPEWARD_DATA")?;
        std::fs::create_dir_all(&folder)?;
        let store = Store::open(&format!("sqlite://{folder}/todos.db")).await?;
        let todos = Todos { store: Arc::new(store), tool_router: Arc::new(Todos::tool_router()) };
        let service = StreamableHttpService::new(
            move || Ok(todos.clone()),
            Arc::new(NeverSessionManager::default()),
            config,
        );
        Ok(Router::new().route_service("/mcp", service))
    })
}
