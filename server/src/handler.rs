//! The MCP side: serves a type's tools, and lists to each caller what it may use.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{router::tool::ToolRouter, tool::ToolCallContext},
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult,
        MetaObject, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
        Tool,
    },
    service::RequestContext,
};

use crate::{
    policy::{Decision, Denial, ListMode},
    principal::Principal,
    registry::ScopedTools,
};

/// The `_meta` key under which a listed tool names the scopes that the caller still needs.
pub const REQUIRED_SCOPES_META: &str = "scopeward/required_scopes";

/// An rmcp server for a type's scoped tools, on any transport.
///
/// Over HTTP it stands behind [`Gate`](crate::gate::Gate). Elsewhere each tool's own check still
/// refuses every call that brings no [`Principal`] in the request's extensions.
#[derive(Debug)]
pub struct Guarded<S> {
    tools: Arc<S>,
    router: Arc<ToolRouter<S>>,
}

impl<S> Clone for Guarded<S> {
    fn clone(&self) -> Self {
        Self { tools: Arc::clone(&self.tools), router: Arc::clone(&self.router) }
    }
}

impl<S: ScopedTools> Guarded<S> {
    /// Serves the tools of `tools`.
    pub fn new(tools: S) -> Self {
        Self { tools: Arc::new(tools), router: Arc::new(S::tool_router()) }
    }

    /// What `caller` is shown, in the order of the tools' names.
    fn list(&self, caller: Option<&Principal>) -> Vec<Tool> {
        let Some(caller) = caller else { return vec![] };
        self.router.list_all().into_iter().filter_map(|tool| listed(tool, caller)).collect()
    }
}

/// The tool as `caller` sees it, following the very decision that a call would get.
fn listed(mut tool: Tool, caller: &Principal) -> Option<Tool> {
    let denial = match caller.may_call(&tool.name) {
        Decision::Allow(_) => return Some(tool),
        Decision::UnknownTool => return None,
        Decision::Deny(denial) => denial,
    };
    if denial.rule().is_hidden() {
        return None;
    }
    let shown: Denial<'_> = match caller.policy().list_mode() {
        ListMode::Callable => None,
        ListMode::StepUp => denial.by_step_up(caller.held()),
        ListMode::Reachable => caller.policy().is_reachable(denial.rule()).then_some(denial),
    }?;
    let required = shown.required().map(|scope| scope.as_str().into()).collect();
    tool.meta
        .get_or_insert_with(MetaObject::default)
        .insert(REQUIRED_SCOPES_META.to_owned(), serde_json::Value::Array(required));
    Some(tool)
}

impl<S: ScopedTools> ServerHandler for Guarded<S> {
    fn get_info(&self) -> ServerConfig {
        let (name, version) = S::SERVER;
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(name, version))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.router.call(ToolCallContext::new(&*self.tools, request, context)).await
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result =
            ListToolsResult::with_all_items(self.list(Principal::of(&context.extensions)));
        // The list depends on the caller: MCP 2026-07-28 wants that said. Older revisions do not
        // know the two fields.
        if context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
        {
            result.cache_scope = Some(CacheScope::Private);
            result.ttl_ms = Some(0);
        }
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.router.get(name).cloned()
    }
}
